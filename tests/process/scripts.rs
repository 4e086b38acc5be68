//! Scripts that end in unusual ways.

use crate::support::Folder;

#[test]
fn errors_at_every_stage_of_a_script_leave_the_node_alive() {
    let folder = Folder::new();
    folder
        .config("")
        .write("in_chunk.lua", "error 'in the chunk'")
        .write("in_start.lua", "require('skynet').start(function() error 'in start' end)")
        .write(
            "in_gc.lua",
            "local skynet = require 'skynet'
             skynet.start(function()
               setmetatable({}, { __gc = function() error 'in gc' end })
               collectgarbage()
             end)",
        )
        .write(
            "main.lua",
            "local skynet = require 'skynet.manager'
             skynet.start(function()
               print('chunk', pcall(skynet.newservice, 'in_chunk'))
               print('start', pcall(skynet.newservice, 'in_start'))
               print('gc', pcall(skynet.newservice, 'in_gc'))
               skynet.fork(function() error 'in a fork' end)
               skynet.timeout(0, function() error 'in a timer' end)
               skynet.sleep(5)
               print 'alive'
               skynet.abort()
             end)",
        );
    let mut node = folder.start();
    node.expect("alive");
    assert_eq!(node.code(), Some(0));
    let output = node.rest();
    for part in
        ["in the chunk", "in start", "in a fork", "in a timer", "chunk\tfalse", "start\tfalse"]
    {
        assert!(output.contains(part), "{part}: {output}");
    }
}

#[test]
fn a_function_that_modules_share_has_the_shortest_name_in_an_error() {
    let folder = Folder::new();
    let script = r#"
local skynet = require "skynet.manager"
skynet.start(function()
  local sum = require("md5.core").sum
  -- Whatever order the table of modules has.
  for number = 1, 100 do
    package.loaded["md5." .. number] = { [number .. "a"] = sum }
    package.loaded["md" .. number .. ".long"] = { also = sum, same = sum }
  end
  print(select(2, pcall(sum)))
  print(select(2, pcall(require("md5").sum)))
  package.loaded.m = { bb = sum, ba = sum, [1] = sum }
  print(select(2, pcall(sum)))
  package.loaded.mba = sum
  print(select(2, pcall(sum)))
  skynet.abort()
end)"#;
    let mut node = folder.config("").write("main.lua", script).start();
    for name in ["md5.1.1a", "md5.sum", "m.ba", "mba"] {
        node.expect(&format!("bad argument #1 to '{name}' (string expected, got no value)"));
    }
    assert_eq!(node.code(), Some(0));
}

#[test]
fn keys_and_channels_of_no_use_are_named() {
    let folder = Folder::new();
    let script = r#"
local skynet = require "skynet.manager"
local datacenter = require "skynet.datacenter"
local multicast = require "skynet.multicast"
skynet.start(function()
  for _, wrong in ipairs {
    { datacenter.set, nil, "value", n = 3 },
    { datacenter.set, "player", nil, "value" },
    { datacenter.wait, "player", "name", nil, n = 4 },
  } do
    print((pcall(table.unpack(wrong, 1, wrong.n or #wrong))))
  end
  print(pcall(multicast.new, { channel = "news" }))
  skynet.abort()
end)"#;
    folder.config("").write("main.lua", script);
    let (code, out, _) = folder.run();
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(out.matches("datacenter: key 1 is nil").count(), 1, "{out}");
    assert_eq!(out.matches("datacenter: key 2 is nil").count(), 1, "{out}");
    assert_eq!(out.matches("datacenter: key 3 is nil").count(), 1, "{out}");
    assert!(out.contains("multicast: number of a channel expected, got news"), "{out}");
}
