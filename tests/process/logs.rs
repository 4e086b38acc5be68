//! What the log says, and where it goes.

use std::fs;

use crate::support::Folder;

#[test]
fn a_log_file_has_the_time_in_front_and_is_opened_anew_at_sighup() {
    let folder = Folder::new();
    let node = folder
        .config("logger = './node.log'")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               while true do skynet.error 'tick' skynet.sleep(1) end
             end)",
        )
        .start();
    folder.wait_for_file("node.log", |path| {
        fs::read_to_string(path).is_ok_and(|text| text.contains("tick"))
    });
    let text = folder.read("node.log");
    let (time, line) = text.lines().next().unwrap().split_once(" [").unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "00/00/00 00:00:00.00");
    assert_eq!(line, ":00000002] LAUNCH snlua bootstrap");
    fs::rename(folder.path("node.log"), folder.path("node.log.1")).unwrap();
    node.signal("HUP");
    folder.wait_for_file("node.log", |path| {
        fs::read_to_string(path).is_ok_and(|text| text.contains("tick"))
    });
    assert!(folder.read("node.log.1").contains("LAUNCH snlua main"));
}

#[test]
fn a_log_service_in_lua_gets_every_line_and_sighup() {
    let folder = Folder::new();
    let mut node = folder
        .config("logservice = 'snlua'\nlogger = 'userlog'")
        .write(
            "userlog.lua",
            "local skynet = require 'skynet'
             skynet.register_protocol { name = 'text', id = skynet.PTYPE_TEXT, unpack = skynet.tostring,
               dispatch = function(_, address, text) print('user log', skynet.address(address), text) end }
             skynet.register_protocol { name = 'system', id = skynet.PTYPE_SYSTEM, unpack = skynet.tostring,
               dispatch = function() print 'reopen' end }
             skynet.start(function() end)",
        )
        .write(
            "main.lua",
            "local skynet = require 'skynet'\nskynet.start(function() skynet.error('hello', 1) end)",
        )
        .start();
    node.expect("user log\t:00000002\tLAUNCH snlua bootstrap");
    node.expect("hello 1");
    node.signal("HUP");
    node.expect("reopen");
    node.signal("TERM");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn an_endless_loop_is_shown_with_its_place() {
    let folder = Folder::new();
    let mut node = folder
        .config("endless_warning = 0.2")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             local function spin() while true do end end
             skynet.start(function()
               spin()
             end)",
        )
        .start();
    let line = node.expect("maybe in an endless loop");
    assert!(line.contains("A message from [ :00000000 ] to [ :"), "{line}");
    node.expect("running for long");
    node.expect("./main.lua:2: in upvalue 'spin'");
    node.expect("./main.lua:4: in function <./main.lua:3>");
}

#[test]
fn an_overload_is_shown_with_what_is_queued_and_whose_it_is() {
    let folder = Folder::new();
    let mut node = folder
        .config("")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               skynet.dispatch('lua', function() end)
               for _ = 1, 3000 do skynet.send(skynet.self(), 'lua') end
             end)",
        )
        .start();
    node.expect("May overload, message queue length = 3");
    let line = node.expect("queue of snlua main: ");
    assert!(line.contains("lua 300") && line.contains("snlua main 300"), "{line}");
}

#[test]
fn an_error_names_who_called() {
    let folder = Folder::new();
    let mut node = folder
        .config("")
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               pcall(skynet.call, skynet.newservice 'broken', 'lua')
             end)",
        )
        .write(
            "broken.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               skynet.dispatch('lua', function() error 'no such player' end)
             end)",
        )
        .start();
    node.expect("error : \u{1b}[31m./broken.lua:3: no such player");
    node.expect("./broken.lua:3: in function <./broken.lua:3>");
    let line = node.expect("the message was from :");
    assert!(line.ends_with("snlua main (lua)"), "{line}");
}

#[test]
fn a_call_to_a_dead_service_names_it() {
    let folder = Folder::new();
    let mut node = folder
        .config("")
        .write(
            "main.lua",
            "local skynet = require 'skynet.manager'
             skynet.start(function()
               local peer = skynet.newservice('peer', 'x')
               skynet.kill(peer)
               print(pcall(skynet.call, peer, 'lua'))
               print(pcall(skynet.call, '.nobody', 'lua'))
               print(pcall(skynet.call, 0xabc, 'lua'))
               for _ = 1, 1000 do pcall(skynet.call, peer, 'lua') end
               skynet.abort()
             end)",
        )
        .write("peer.lua", "require('skynet').start(function() end)")
        .start();
    assert_eq!(node.code(), Some(0));
    let output = node.rest();
    assert!(output.contains("snlua peer x (ended)"), "{output}");
    assert!(
        output.contains("call to invalid address: .nobody (a name that nobody has)"),
        "{output}"
    );
    assert!(output.contains("call to invalid address: :00000abc (no service)"), "{output}");
    assert!(output.matches("call to invalid address: ").count() < 100, "{output}");
}

#[test]
fn a_message_log_has_each_message_once_and_says_when_it_was_opened() {
    let folder = Folder::new();
    let mut node = folder
        .config("logpath = '.'")
        .write(
            "peer.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               skynet.dispatch('lua', function() skynet.ret() end)
             end)",
        )
        .write(
            "main.lua",
            "local skynet = require 'skynet'
             local core = require 'skynet.core'
             skynet.start(function()
               local peer = skynet.newservice 'peer'
               for _ = 1, 2 do core.command('LOGON', skynet.address(peer)) end
               skynet.call(peer, 'lua', 'one', 2)
               core.command('LOGOFF', skynet.address(peer))
               skynet.call(peer, 'lua', 'three')
               print('logged ' .. skynet.address(peer):sub(2))
             end)",
        )
        .start();
    let line = node.expect("logged ");
    let name = format!("{}.log", line.rsplit(' ').next().unwrap().trim());
    let text = folder.read(&name);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let opened: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!((opened.len(), &opened[..2]), (8, &["open", "time:"][..]), "{text}");
    let message: Vec<&str> = lines[1].split(' ').collect();
    assert_eq!((message.len(), message[1]), (5, "10"), "{text}");
    assert_eq!(message[4], "1c6f6e650a02", "{text}");
    assert!(lines[2].starts_with("close time: "), "{text}");
}
