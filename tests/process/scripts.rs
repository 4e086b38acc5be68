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
