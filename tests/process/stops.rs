//! How a node ends.

use crate::support::Folder;

/// A main script that starts `db` and two of `agent`; all save when the node stops.
fn game(folder: &Folder) {
    folder
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               local db = skynet.uniqueservice 'db'
               skynet.newservice('agent', 1)
               skynet.newservice('agent', 2)
               print 'ready'
             end)",
        )
        .write(
            "db.lua",
            "local skynet = require 'skynet'
             local lines = {}
             skynet.start(function()
               skynet.dispatch('lua', function(_, _, line)
                 -- Its answer lets the first agent wait for the second.
                 lines[#lines + 1] = line
                 skynet.retpack(#lines)
               end)
               skynet.on_stop(function()
                 local file = assert(io.open('saved', 'w'))
                 file:write(table.concat(lines, ' '), ' db')
                 file:close()
               end)
             end)",
        )
        .write(
            "agent.lua",
            "local skynet = require 'skynet'
             local number = ...
             skynet.start(function()
               skynet.on_stop(function()
                 if number == '1' then
                   repeat until skynet.call('.db', 'lua') > 0
                 end
                 skynet.call('.db', 'lua', 'agent' .. number)
               end)
             end)",
        );
    // The agents know the database by name.
    let db = folder.read("db.lua");
    folder.write(
        "db.lua",
        db.replace("skynet.on_stop", "require 'skynet.manager'.register '.db'\nskynet.on_stop"),
    );
}

#[test]
fn services_save_at_a_signal_and_the_first_started_last() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        game(&folder);
        let mut node = folder.config("").start();
        node.expect("ready");
        node.signal(signal);
        node.expect("stop: 3 services save first (deadline 10 s)");
        assert_eq!(node.code(), Some(0));
        // The agents ran side by side, the database after both.
        assert_eq!(folder.read("saved"), "agent2 agent1 db");
    }
}

#[test]
fn a_service_that_fails_to_save_is_logged_and_the_others_save() {
    let folder = Folder::new();
    folder.config("").write(
        "main.lua",
        "local skynet = require 'skynet'
         skynet.start(function()
           skynet.on_stop(function() error 'disk full' end)
           skynet.newservice 'other'
           print 'ready'
         end)",
    );
    folder.write(
        "other.lua",
        "local skynet = require 'skynet'
         skynet.start(function() skynet.on_stop(function() print 'other saved' skynet.exit() end) end)",
    );
    let mut node = folder.start();
    node.expect("ready");
    node.signal("TERM");
    node.expect("other saved");
    node.expect("on_stop failed: ./main.lua:3: disk full");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn who_does_not_save_in_time_is_named() {
    let folder = Folder::new();
    let mut node = folder
        .config("stop_deadline = 0.1")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               skynet.on_stop(function() skynet.wait() end)
               print 'ready'
             end)",
        )
        .start();
    node.expect("ready");
    node.signal("TERM");
    let line = node.expect("stop: 0.1 s are over before these have saved: ");
    assert!(line.ends_with("snlua main"), "{line}");
    assert_eq!(node.code(), Some(1));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let folder = Folder::new();
    let mut node = folder
        .config("stop_deadline = 600")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               skynet.on_stop(function() print 'saving' skynet.wait() end)
               print 'ready'
             end)",
        )
        .start();
    node.expect("ready");
    node.signal("TERM");
    node.expect("saving");
    node.signal("TERM");
    assert_eq!(node.code(), Some(128 + 15));
}

#[test]
fn an_endless_loop_does_not_keep_the_process_alive() {
    for threads in [1, 2] {
        let folder = Folder::new();
        folder.config("").write(
            "main.lua",
            "require('skynet').start(function() print 'loops' while true do end end)",
        );
        let config = folder.read("config").replace("thread = 2", &format!("thread = {threads}"));
        let mut node = folder.write("config", config).start();
        node.expect("loops");
        node.signal("TERM");
        let line = node.expect("stop: these do not end, the process ends without them: ");
        assert!(line.ends_with("snlua main"), "{line}");
        assert_eq!(node.code(), Some(1));
    }
}

#[test]
fn scripts_without_a_hook_are_not_disturbed_by_a_stop() {
    let folder = Folder::new();
    let mut node = folder
        .config("")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.register_protocol { name = 'system', id = skynet.PTYPE_SYSTEM, unpack = skynet.tostring,
               dispatch = function() print 'disturbed' end }
             skynet.start(function() print 'ready' end)",
        )
        .start();
    node.expect("ready");
    node.signal("TERM");
    assert_eq!(node.code(), Some(0));
    let output = node.rest();
    assert!(!output.contains("disturbed") && !output.contains("Unknown"), "{output}");
}

#[test]
fn abort_writes_every_line_that_was_logged_before_it() {
    let folder = Folder::new();
    folder.write(
        "main.lua",
        "local skynet = require 'skynet.manager'
         skynet.start(function()
           for line = 1, 2000 do skynet.error('line', line) end
           skynet.abort()
         end)",
    );
    folder.write(
        "userlog.lua",
        "local skynet = require 'skynet'
         skynet.register_protocol { name = 'text', id = 0, unpack = skynet.tostring,
           dispatch = function(_, _, text) io.stdout:write('log ', text, '\\n') end }
         skynet.start(function() end)",
    );
    for logger in ["", "logservice = 'snlua'\nlogger = 'userlog'"] {
        let (code, output, _) = folder.config(logger).run();
        assert_eq!(code, Some(0));
        let lines = output.lines().filter(|line| line.contains("line ")).count();
        assert_eq!(lines, 2000, "{logger}");
        assert!(output.lines().any(|line| line.ends_with("line 2000")), "{output}");
    }
}

#[test]
fn a_node_without_services_ends() {
    let folder = Folder::new();
    folder.config("bootstrap = 'snlua main'").write(
        "main.lua",
        "local skynet = require 'skynet'\nskynet.start(function() skynet.exit() end)",
    );
    let (code, output, _) = folder.run();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("no service is left but the log: the node ends"), "{output}");
}
