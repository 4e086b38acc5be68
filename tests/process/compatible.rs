//! What a project brings along from its life with skynet: a genuine tree beside it, copies of
//! services, a loader, Lua of version 5.1.

use std::fs;

use crate::support::Folder;

/// Modules that our own take the place of, wherever a genuine tree stands.
const MODULES: &[&str] = &[
    "skynet",
    "skynet.manager",
    "skynet.core",
    "skynet.cluster",
    "skynet.cluster.core",
    "skynet.coroutine",
    "skynet.datacenter",
    "skynet.debug",
    "skynet.dns",
    "skynet.harbor",
    "skynet.injectcode",
    "skynet.memory",
    "skynet.mqueue",
    "skynet.multicast",
    "skynet.netpack",
    "skynet.profile",
    "skynet.queue",
    "skynet.remotedebug",
    "skynet.service",
    "skynet.snax",
    "skynet.socket",
    "skynet.socketchannel",
    "skynet.socketdriver",
    "snax.gateserver",
    "snax.interface",
    "http.httpc",
    "http.httpd",
    "http.url",
    "http.websocket",
    "cluster",
    "datacenter",
    "dns",
    "memory",
    "mqueue",
    "multicast",
    "netpack",
    "profile",
    "snax",
    "socket",
    "socketchannel",
    "socketdriver",
];

const SERVICES: &[&str] = &[
    "bootstrap",
    "cdummy",
    "clusterd",
    "console",
    "datacenterd",
    "debug_console",
    "gate",
    "launcher",
    "multicastd",
    "service_cell",
    "service_mgr",
    "service_provider",
    "snaxd",
];

/// Folders shaped like a skynet tree, whose files raise when they are loaded.
fn genuine_tree(folder: &Folder) {
    let write = |name: String, text: &[u8]| {
        let path = folder.path(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    const RAISE: &[u8] = b"error 'a file of the tree was loaded'";
    for module in MODULES {
        write(format!("skynet/lualib/{}.lua", module.replace('.', "/")), RAISE);
        write(format!("skynet/luaclib/{}.so", module.replace('.', "/")), b"no library");
    }
    write("skynet/lualib/loader.lua".to_owned(), RAISE);
    for service in SERVICES {
        write(format!("skynet/service/{service}.lua"), RAISE);
        write(format!("skynet/cservice/{service}.so"), b"no library");
    }
    for service in ["snlua", "logger", "harbor"] {
        write(format!("skynet/cservice/{service}.so"), b"no library");
    }
}

const PATHS: &str = "luaservice = './skynet/service/?.lua;./service/?.lua;./service/?/init.lua'
    lualoader = './skynet/lualib/loader.lua'
    lua_path = './skynet/lualib/?.lua;./skynet/lualib/?/init.lua;./lualib/?.lua'
    lua_cpath = './skynet/luaclib/?.so'
    cpath = './skynet/cservice/?.so'
    snax = './service/?.lua'";

fn make(folder: &Folder, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
        folder.write(name, text);
    }
}

#[test]
fn a_genuine_tree_beside_a_project_changes_nothing() {
    let folder = Folder::new();
    genuine_tree(&folder);
    let list = MODULES.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let main = format!(
        "local skynet = require 'skynet.manager'
         for _, name in ipairs {{ {list} }} do require(name) end
         local own = require 'own'
         skynet.start(function()
           print('own module', own)
           print('own service', skynet.call(skynet.newservice('helper', 'x'), 'lua', 'hello'))
           for _, name in ipairs {{ 'gate', 'multicastd', 'clusterd' }} do
             print(name, math.type(skynet.newservice(name)))
           end
           print('console', math.type(skynet.newservice('debug_console', '127.0.0.1', 0)))
           print('snax', require('skynet.snax').newservice('pinger').req.ping 'pong')
           skynet.abort()
         end)"
    );
    make(
        &folder,
        &[
            ("service/main.lua", &main),
            ("service/helper/init.lua", "local skynet, word = require 'skynet', require 'neighbour'
              local argument = ...
              skynet.start(function()
                skynet.dispatch('lua', function(_, _, text) skynet.retpack(text, word, argument) end)
              end)"),
            ("service/helper/neighbour.lua", "return 'neighbour'"),
            ("service/pinger.lua", "function response.ping(x) return x end"),
            ("lualib/own.lua", "return 'found'"),
        ],
    );
    let (code, output, errors) = folder.config(PATHS).run();
    for line in [
        "own module\tfound",
        "own service\thello\tneighbour\tx",
        "gate\tinteger",
        "multicastd\tinteger",
        "clusterd\tinteger",
        "console\tinteger",
        "snax\tpong",
    ] {
        assert!(output.contains(line), "{line}: {output}{errors}");
    }
    assert!(!output.contains("a file of the tree was loaded"), "{output}");
    assert_eq!(code, Some(0), "{output}{errors}");
}

#[test]
fn a_project_keeps_modules_of_its_own_under_skynets_former_names() {
    let folder = Folder::new();
    genuine_tree(&folder);
    make(
        &folder,
        &[
            (
                "service/main.lua",
                "local skynet = require 'skynet.manager'
                 skynet.start(function()
                   print('profile', require('profile').mine)
                   print('memory', require('memory').total ~= nil)
                   print('gate', skynet.call(skynet.newservice 'gate', 'lua', 'whose'))
                   skynet.abort()
                 end)",
            ),
            ("lualib/profile.lua", "return { mine = true }"),
            (
                "service/gate.lua",
                "local skynet = require 'skynet'
                 skynet.start(function()
                   skynet.dispatch('lua', function(_, _, text) skynet.retpack(text, 'mine') end)
                 end)",
            ),
        ],
    );
    // The project's folders come before the tree's, as they have to for skynet as well.
    let paths = PATHS
        .replace("./skynet/service/?.lua;./service/?.lua", "./service/?.lua;./skynet/service/?.lua")
        .replace("lua_path = '", "lua_path = './lualib/?.lua;");
    let (code, output, errors) = folder.config(&paths).run();
    for line in ["profile\ttrue", "memory\ttrue", "gate\twhose\tmine"] {
        assert!(output.contains(line), "{line}: {output}{errors}");
    }
    assert_eq!(code, Some(0), "{output}{errors}");
}

#[test]
fn a_loader_of_the_project_finds_the_paths_of_the_config() {
    let folder = Folder::new();
    folder
        .config("lualoader = './start.lua'\nlua_path = './?.lua'\nlua_cpath = './?.so'")
        .write(
            "start.lua",
            "local line = ...
             SERVICE_NAME = line:match '%S+'
             print('paths', LUA_SERVICE, LUA_PATH, LUA_CPATH, LUA_PRELOAD)
             assert(loadfile((LUA_SERVICE:gsub('%?', SERVICE_NAME))))(line)",
        )
        .write(
            "main.lua",
            "print('main', ...)
             local skynet = require 'skynet.manager'
             skynet.start(skynet.abort)",
        )
        .config("lualoader = './start.lua'\nlua_path = './?.lua'\nlua_cpath = './?.so'");
    let (code, output, errors) = folder.run();
    assert!(output.contains("paths\t./?.lua\t./?.lua\t./?.so\tnil"), "{output}{errors}");
    assert!(output.contains("main\tmain"), "{output}{errors}");
    assert_eq!(code, Some(0), "{output}{errors}");
}

/// Lua of version 5.1 in a service; prints what it finds.
const OLD_LUA: &str = "local skynet = require 'skynet.manager'
    if not setfenv then
      print 'only 5.3'
      return skynet.start(skynet.abort)
    end
    print('unpack', unpack { 1, 2, 3 })
    print('loadstring', loadstring 'return 1 + 1' (), (loadstring '= ='))
    print('table', table.getn { 1, 2 }, table.maxn { 1, [10] = 2, x = 3 })
    table.foreachi({ 'a' }, function(i, v) print('foreachi', i, v) end)
    print('foreach', table.foreach({ x = 'found' }, function(_, v) return v end))
    for word in string.gfind('one two', '%a+') do io.write(word, ';') end
    print()
    print('math', math.mod(7, 3), math.pow(2, 10), math.log10(1000), math.ldexp(0.5, 3), math.frexp(8))
    print('tanh', math.tanh(0), math.cosh(0), math.sinh(0))
    local function see() return word end
    print('setfenv', setfenv(see, { word = 'own' }) == see, see(), getfenv(see).word, word)
    local function level()
      setfenv(1, { print = print, word = 'inside' })
      print('level', word)
    end
    level()
    print('getfenv', getfenv(1) == _G, getfenv(0) == _G, getfenv() == _G, getfenv(print) == _G)
    print('error', (select(2, pcall(setfenv, 1)):gsub('^.-:%d+: ', '')))
    print('loaders', package.loaders == package.searchers)
    local old = require 'old'
    print('module', old.name(), old._NAME, name)
    print('type', type(require 'old'.answer), old.answer())
    skynet.start(skynet.abort)";

#[test]
fn lua_of_version_5_1_runs_where_the_config_says_so() {
    let folder = Folder::new();
    folder.write("main.lua", OLD_LUA).write(
        "old.lua",
        "local print = print
         module('old', package.seeall)
         function name() return _NAME end
         function answer() return tostring(42) end",
    );
    let (code, output, errors) = folder.config("lua_path = './?.lua'\ncompat51 = true").run();
    let expected = "unpack\t1\t2\t3
loadstring\t2\tnil
table\t2\t10
foreachi\t1\ta
foreach\tfound
one;two;
math\t1\t1024.0\t3.0\t4.0\t0.5\t4
tanh\t0.0\t1.0\t0.0
setfenv\ttrue\town\town\tnil
level\tinside
getfenv\ttrue\ttrue\ttrue\ttrue
error\tbad argument #2 to 'setfenv' (table expected, got nil)
loaders\ttrue
module\told\told\tnil";
    assert!(output.contains(expected), "{output}{errors}");
    assert!(output.contains("type\tfunction\t42"), "{output}{errors}");
    assert_eq!(code, Some(0), "{output}{errors}");

    let (code, output, errors) = folder.config("lua_path = './?.lua'").run();
    assert!(output.contains("only 5.3"), "{output}{errors}");
    assert_eq!(code, Some(0), "{output}{errors}");
}
