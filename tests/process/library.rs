//! The node as a library: several in one process, and a clock that a test moves.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use node::boot;
use node::config;
use node::kernel::{Clock, Node};
use node::sandbox::Sandbox;

use crate::support::{DEADLINE, Folder};

fn start(folder: &Folder, clock: Clock) -> Arc<Node> {
    let config = config::load(&folder.path("config"), &|_| None).unwrap();
    let sandbox = Sandbox::open(config.settings.sandbox.as_deref()).unwrap();
    boot::start(&config, sandbox, clock).unwrap()
}

/// A folder whose node logs to a file in it.
fn folder(script: &str) -> Folder {
    let folder = Folder::new();
    let here = folder.path("?.lua").display().to_string();
    let log = folder.path("node.log").display().to_string();
    folder.config(&format!("luaservice = '{here}'\nlogger = '{log}'")).write("main.lua", script);
    folder
}

fn wait_for_line(folder: &Folder, part: &str) {
    let log =
        |path: &std::path::Path| fs::read_to_string(path).is_ok_and(|text| text.contains(part));
    folder.wait_for_file("node.log", log);
}

#[test]
fn two_nodes_in_one_process_know_nothing_of_each_other() {
    let script = "local skynet = require 'skynet.manager'
        skynet.start(function()
          skynet.setenv('word', 'NAME')
          skynet.register '.main'
          local gone = 0
          for i = 1, 1000 do
            skynet.fork(function() skynet.yield() gone = gone + 1 end)
          end
          skynet.sleep(2)
          while gone < 1000 do skynet.yield() end
          skynet.error('NAME', skynet.getenv 'word', gone, skynet.localname '.main')
        end)";
    let folders =
        [folder(&script.replace("NAME", "left")), folder(&script.replace("NAME", "right"))];
    let nodes: Vec<_> = folders.iter().map(|folder| start(folder, Clock::real())).collect();
    wait_for_line(&folders[0], "left left 1000 8");
    wait_for_line(&folders[1], "right right 1000 8");
    assert_eq!(nodes[0].environment(b"word").as_deref(), Some(b"left".as_slice()));
    // One ends while the other goes on.
    assert!(nodes[0].stop(Duration::ZERO));
    nodes[0].join();
    assert!(nodes[1].live() > 3);
    assert!(nodes[1].stop(DEADLINE));
    nodes[1].join();
}

#[test]
fn timers_of_a_manual_clock_fire_when_it_is_moved() {
    let folder = folder(
        "local skynet = require 'skynet'
         skynet.start(function()
           skynet.timeout(100, function() skynet.error('timer at', skynet.now()) end)
           skynet.fork(function()
             skynet.sleep(360000)
             skynet.error('an hour later', skynet.now(), skynet.time())
           end)
           skynet.yield()
           skynet.error 'set'
         end)",
    );
    let node = start(&folder, Clock::manual(1_000_000));
    wait_for_line(&folder, "set");
    node.advance(Duration::from_millis(999));
    assert!(!folder.read("node.log").contains("timer at"));
    node.advance(Duration::from_millis(1));
    wait_for_line(&folder, "timer at 100");
    node.advance(Duration::from_secs(3599));
    wait_for_line(&folder, "an hour later 360000 1003600.0");
    assert!(node.stop(DEADLINE));
    node.join();
}
