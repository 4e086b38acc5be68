//! How a node starts, or says why it does not.

use crate::support::{Folder, Node, say};

/// Runs a config that cannot work; gives the one line of standard error.
fn refused(folder: &Folder) -> String {
    let (code, _, errors) = folder.run();
    assert_eq!(code, Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors.trim_end().to_owned()
}

#[test]
fn a_config_that_is_not_there_is_named() {
    assert_eq!(
        refused(&Folder::new()),
        "node: config ./config: cannot read the file: No such file or directory (os error 2)"
    );
}

#[test]
fn a_mistake_in_the_config_is_shown_with_its_line() {
    let folder = Folder::new();
    folder.write("config", "-- a game\nthread = 'many'\n");
    assert_eq!(refused(&folder), "node: config ./config:2: thread = \"many\" (expected 1..=1024)");
    folder.write("config", "thread = 2\nstart = {\n");
    assert!(refused(&folder).starts_with("node: config ./config:"), "{}", refused(&folder));
}

#[test]
fn environment_variables_reach_the_config() {
    let folder = Folder::new();
    folder.config("start = '$NODE_TEST_SCRIPT with words'").write(
        "chosen.lua",
        "local skynet = require 'skynet.manager'\nprint('chosen', ...)\nskynet.start(skynet.abort)",
    );
    let mut command = folder.command();
    command.env("NODE_TEST_SCRIPT", "chosen");
    let (mut node, _input) = Node::with_input(&mut command);
    node.expect("chosen\twith\twords");
    assert_eq!(node.code(), Some(0));
    let message = refused(&folder);
    assert!(message.contains("NODE_TEST_SCRIPT"), "{message}");
}

#[test]
fn a_missing_start_script_is_named_and_the_node_lives_on() {
    let folder = Folder::new();
    let mut node = folder.config("start = 'nosuch'").start();
    node.expect("lua loader error : cannot open ./nosuch.lua: No such file or directory");
    node.expect("bootstrap: start = \"nosuch\" failed: call failed");
    node.signal("TERM");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_syntax_error_is_shown_with_file_and_line() {
    let folder = Folder::new();
    let mut node = folder.config("").write("main.lua", "local x = 1\nx = = 2\n").start();
    node.expect("lua loader error : ./main.lua:2: unexpected symbol near '='");
}

#[test]
fn an_unknown_kind_of_first_service_ends_the_start_with_its_reason() {
    let folder = Folder::new();
    let (code, output, errors) = folder.config("bootstrap = 'nosuch service'").run();
    assert_eq!(code, Some(1));
    assert!(output.contains("FAILED launch nosuch: no such kind of service"), "{output}");
    assert_eq!(errors, "node: Bootstrap error : nosuch service\n");
}

#[test]
fn a_first_script_that_fails_ends_the_start_with_its_reason() {
    let folder = Folder::new();
    let (code, output, errors) = folder.config("bootstrap = 'snlua nosuch'").run();
    assert_eq!(code, Some(1));
    assert!(output.contains("lua loader error : cannot open ./nosuch.lua"), "{output}");
    assert_eq!(errors, "node: Bootstrap error : snlua nosuch\n");
}

#[test]
fn a_log_that_cannot_be_written_ends_the_start() {
    let folder = Folder::new();
    let (code, _, errors) = folder.config("logger = './nosuch/node.log'").run();
    assert_eq!(code, Some(1));
    assert!(errors.contains("./nosuch/node.log: No such file or directory"), "{errors}");
    assert!(errors.contains("Can't launch logger service"), "{errors}");
    let (code, _, errors) = folder.config("logservice = 'snlua'\nlogger = 'nosuch'").run();
    assert_eq!(code, Some(1));
    assert!(errors.contains("lua loader error : cannot open ./nosuch.lua"), "{errors}");
}

#[test]
fn the_console_starts_services_by_name() {
    let folder = Folder::new();
    folder
        .config("start = 'main'")
        .write(
            "main.lua",
            "local s = require 'skynet'\ns.start(function() s.newservice 'console' end)",
        )
        .write("greeter.lua", "print('greets', ...)\nrequire('skynet').start(function() end)");
    let (mut node, mut input) = Node::with_input(&mut folder.command());
    say(&mut input, "greeter from the pipe");
    node.expect("greets\tfrom\tthe\tpipe");
    say(&mut input, "nosuch");
    node.expect("console: \"nosuch\" failed");
    say(&mut input, "greeter again");
    node.expect("greets\tagain");
    drop(input);
    node.signal("INT");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn c_modules_of_the_system_load_where_the_config_names_their_path() {
    let folder = Folder::new();
    let script = "local skynet = require 'skynet.manager'
        local cjson, lpeg, lfs = require 'cjson', require 'lpeg', require 'lfs'
        skynet.start(function()
          print('cjson', cjson.encode(cjson.decode '[1,{\"a\":null}]'))
          print('lpeg', lpeg.match(lpeg.R '09' ^ 1, '123x'))
          print('lfs', lfs.attributes('.', 'mode'))
          skynet.abort()
        end)";
    let mut node = folder
        .config("lua_cpath = '/usr/lib/x86_64-linux-gnu/lua/5.3/?.so'")
        .write("main.lua", script)
        .start();
    node.expect("cjson\t[1,{\"a\":null}]");
    node.expect("lpeg\t4");
    node.expect("lfs\tdirectory");
    assert_eq!(node.code(), Some(0));
}
