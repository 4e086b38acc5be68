//! The cluster across processes.
//!
//! A `Subject` is a node under test that runs Lua sent to it over its own cluster port, so a test
//! says what the node's scripts do and stands itself at the other end of the wire.

mod calls;
mod crashes;
mod demonstration;
mod failures;
mod hostile;
mod names;
mod peer;
mod services;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};

use node::codec::cluster::Address;

use crate::support::{Folder, Node};
use peer::{Peer, string_of, text};

/// Runs what peers send, listens as the node `self`, and answers some commands.
const MAIN: &str = r#"
local skynet = require "skynet"
require "skynet.manager"
local cluster = require "skynet.cluster"

local environment = setmetatable({ skynet = skynet, cluster = cluster }, { __index = _ENV })
local command = {}

function command.run(code)
  local results = table.pack(assert(load(code, "=test", "t", environment))())
  for index = 1, results.n do
    -- Where an error was raised is not what the tests are about.
    results[index] = tostring(results[index]):gsub("^[%w_/.]+:%d+: ", "")
  end
  return table.concat(results, "\t")
end

function command.echo(...)
  return ...
end

function command.make(size)
  return ("x"):rep(size)
end

function command.fail()
  error "on purpose"
end

environment.command = command

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name, ...)
    skynet.retpack(command[name](...))
  end)
  cluster.register "main"
  print(("opened %s %d"):format(cluster.open "self"))
end)
"#;

/// An address of this test process alone, which stays free while nobody listens there: all of
/// 127.0.0.0/8 is this machine, and the port is none that the system gives out.
fn own_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, high, low, COUNT.fetch_add(1, Ordering::Relaxed)], 10_001))
}

/// A node that runs what the test says.
pub(super) struct Subject {
    pub(super) folder: Folder,
    pub(super) node: Node,
    pub(super) address: SocketAddr,
    control: Peer,
    fences: usize,
}

impl Subject {
    /// Starts it with further nodes in its cluster file, and further lines in its config.
    pub(super) fn start(nodes: &str, config: &str) -> Self {
        let folder = Folder::new();
        folder.config(&format!("cluster = './clustername.lua'\n{config}"));
        folder.write("main.lua", MAIN);
        folder.write("clustername.lua", format!("self = '127.0.0.1:0'\n{nodes}"));
        let mut node = folder.start();
        let line = node.expect("opened ");
        let (_, port) = line.rsplit_once(' ').unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        let mut subject =
            Self { folder, node, address, control: Peer::connect(address), fences: 0 };
        subject.run(&format!("cluster.reload {{ self = '{address}' }}"));
        subject
    }

    /// Runs Lua in it, whose results come back as text with tabs between them.
    pub(super) fn run(&mut self, code: &str) -> String {
        let session = self.begin(code);
        self.end(session)
    }

    /// Lets it run Lua and goes on.
    pub(super) fn begin(&mut self, code: &str) -> u32 {
        let body = [text("run"), text(code)].concat();
        self.control.ask(Address::Name(b"@main"), &body)
    }

    /// The results of what was begun.
    pub(super) fn end(&mut self, session: u32) -> String {
        match self.control.answer(session) {
            Ok(body) => string_of(&body).unwrap(),
            Err(why) => panic!("{why}; its log:\n{}", self.node.rest()),
        }
    }

    /// The log has a line with `part`, now or soon.
    pub(super) fn logged(&mut self, part: &str) {
        self.node.see(part);
    }

    /// Number of lines with `part` that were logged until now.
    pub(super) fn lines(&mut self, part: &str) -> usize {
        self.fences += 1;
        let fence = format!("fence {}.", self.fences);
        self.run(&format!("skynet.error '{fence}'"));
        self.node.expect(&fence);
        self.node.count(part)
    }
}
