//! A node that runs what the test writes to its standard input.

use std::process::ChildStdin;

use crate::support::{Folder, Node, say};

/// Runs each line of its input as Lua, all at the same time, and prints what comes back.
const MAIN: &str = r#"
local skynet = require "skynet"
local socket = require "skynet.socket"

local environment = setmetatable({ skynet = skynet }, { __index = _ENV })

local function run(number, code)
  local results = table.pack(pcall(assert(load(code, "=test", "t", environment))))
  for index = 1, results.n do
    results[index] = tostring(results[index])
  end
  print(("answer %s: %s;"):format(number, table.concat(results, "\t")))
end

skynet.start(function()
  local input = socket.stdin()
  skynet.fork(function()
    local line = socket.readline(input)
    while line do
      skynet.fork(run, line:match "^(%d+) (.*)$")
      line = socket.readline(input)
    end
  end)
end)
"#;

/// The node.
pub(crate) struct Script {
    /// It ends with the node.
    _folder: Folder,
    pub(crate) node: Node,
    input: ChildStdin,
    begun: usize,
}

impl Script {
    /// Starts it with further lines in its config.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(Folder::new(), config)
    }

    /// The same in a folder that has files for it.
    pub(crate) fn start_in(folder: Folder, config: &str) -> Self {
        folder.config(config);
        folder.write("main.lua", MAIN);
        let (node, input) = Node::with_input(&mut folder.command());
        Self { _folder: folder, node, input, begun: 0 }
    }

    /// Lets it run Lua and goes on. A line break is a blank.
    pub(crate) fn begin(&mut self, code: &str) -> usize {
        self.begun += 1;
        say(&mut self.input, &format!("{} {}", self.begun, code.replace('\n', " ")));
        self.begun
    }

    /// What came of it: `true` and results, or `false` and the error, with tabs between them.
    pub(crate) fn end(&mut self, number: usize) -> String {
        let head = format!("answer {number}: ");
        let mut lines = String::new();
        // A result may have line breaks in it.
        self.node.see(&head);
        let all = self.node.rest();
        let (_, rest) = all.split_once(&head).unwrap();
        lines.push_str(rest.split(";\n").next().unwrap().trim_end_matches(';'));
        lines
    }

    /// Runs Lua to its end.
    pub(crate) fn run(&mut self, code: &str) -> String {
        let number = self.begin(code);
        self.end(number)
    }

    /// Runs Lua that raises nothing; its results.
    pub(crate) fn get(&mut self, code: &str) -> String {
        let outcome = self.run(code);
        let results = outcome.strip_prefix("true").unwrap_or_else(|| panic!("{code}\n{outcome}"));
        results.trim_start_matches('\t').to_owned()
    }
}
