//! Redis: services of a node against servers of Debian's redis-server, and against a fake that says
//! what no real one does.

mod bad;
mod client;
mod cluster;
mod discovery;
mod fake;
mod fleet;
mod lost;
mod script;
mod sentinel;
pub(crate) mod server;
mod watch;

use std::process::ChildStdin;

use crate::support::{Folder, Node};

/// The beginning of each script: `call(f, ...)` gives what a call returns or raises as one text.
pub(crate) const HEAD: &str = r#"
local skynet = require "skynet"
require "skynet.manager"
local redis = require "skynet.db.redis"

local function text(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts, last = {}, 0
  for key in pairs(value) do
    if math.type(key) == "integer" then last = math.max(last, key) else parts[#parts + 1] = key end
  end
  table.sort(parts)
  for index, key in ipairs(parts) do parts[index] = key .. "=" .. text(value[key]) end
  for index = 1, last do parts[#parts + 1] = text(value[index]) end
  return "{" .. table.concat(parts, " ") .. "}"
end

local function call(f, ...)
  local results = table.pack(pcall(f, ...))
  for index = 2, results.n do results[index] = text(results[index]) end
  return (results[1] and "" or "raised ") .. table.concat(results, " ", 2, results.n)
end
"#;

/// Starts a node whose main service runs `body`. `PORT` in it stands for `port`.
pub(crate) fn start(folder: &Folder, port: u16, body: &str) -> Node {
    start_with(folder, port, body, "")
}

/// The same with more in the config.
pub(crate) fn start_with(folder: &Folder, port: u16, body: &str, config: &str) -> Node {
    write(folder, port, body, config);
    folder.start()
}

/// The same with a pipe as standard input.
pub(crate) fn start_with_input(
    folder: &Folder,
    port: u16,
    body: &str,
    config: &str,
) -> (Node, ChildStdin) {
    write(folder, port, body, config);
    Node::with_input(&mut folder.command())
}

fn write(folder: &Folder, port: u16, body: &str, config: &str) {
    let body = body.replace("PORT", &port.to_string());
    let script = format!("{HEAD}\nskynet.start(function()\n{body}\nend)\n");
    folder.write("main.lua", script).config(config);
}

/// Runs `lines`, each an expression or a statement whose text is printed, and compares what they
/// print. `db` is connected to `port`.
fn check(port: u16, options: &str, lines: &[(&str, &str)]) {
    let folder = Folder::new();
    let mut body = format!(
        "local db = redis.connect {{ host = '127.0.0.1', port = PORT, {options} }}\nlocal _ = db\n"
    );
    for (line, _) in lines {
        body.push_str(&format!("print('= ' .. call(function() return {line} end))\n"));
    }
    body.push_str("skynet.abort()");
    let mut node = start(&folder, port, &body);
    for (line, expected) in lines {
        let said = node.expect("= ");
        // An error has the line of the script in front.
        let said = said.trim_start_matches("= ").replace("\\\n", "\\n");
        let position = |said: &str| {
            let (before, after) = said.split_once("main.lua:")?;
            Some(format!("{before}{}", after.split_once(": ")?.1).replace("\"./", "\""))
        };
        let said = position(&said).unwrap_or(said);
        assert_eq!(said, *expected, "{line}");
    }
    assert_eq!(node.code(), Some(0));
}
