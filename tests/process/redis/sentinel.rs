//! A client that finds its master through sentinels.

use super::fleet::{MASTER, USER, Watched, replication};
use super::script::Script;
use super::server::{Certificate, Server, text};
use crate::support::{Folder, wait_until};

/// Calls of a client that go on until they are stopped, each with an answer of its own.
const LOAD: &str = r#"
  local skynet = require 'skynet'
  local db = ...
  local state = { running = true, ended = 0, good = 0, bad = 0, wrong = 0, last = '' }
  for worker = 1, 16 do
    skynet.fork(function()
      local count = 0
      while state.running do
        count = count + 1
        local value = worker .. '.' .. count
        local ok, answer = pcall(db.getset, db, 'key' .. worker, value)
        if ok then
          state.good = state.good + 1
          ok, answer = pcall(db.echo, db, value)
          if ok and answer ~= value then state.wrong = state.wrong + 1 end
        end
        if not ok then
          state.bad = state.bad + 1
          state.last = answer
          skynet.sleep(1)
        end
      end
      state.ended = state.ended + 1
    end)
  end
  return state
"#;

#[test]
fn a_client_finds_its_master_and_follows_a_fail_over() {
    let mut watched = Watched::start(USER);
    let folder = Folder::new();
    folder.write("load.lua", LOAD);
    let mut script = Script::start_in(folder, "");
    // One of the sentinels is gone from the beginning.
    watched.sentinels[0].kill();
    script.get(&format!(
        "db = require('skynet.db.redis').connect {{ sentinels = {}, master = '{MASTER}', \
         username = 'app', auth = 'pass', db = 3 }}",
        watched.lua()
    ));
    assert_eq!(script.get("return db:set('k', 'v'), db:get('k')"), "OK\tv");
    script.get("state = loadfile('load.lua')(db)");
    let good = |script: &mut Script| script.get("return state.good").parse::<u64>().unwrap();
    wait_until("calls are answered", || good(&mut script) > 100);

    watched.master.kill();
    wait_until("some calls fail with the old master", || {
        script.get("return state.bad > 0") == "true"
    });
    let before = good(&mut script);
    wait_until("calls are answered by the new master", || good(&mut script) > before + 100);
    assert_eq!(script.get("return db:client('info'):match ' db=(%d+)'"), "3");
    script.get("state.running = false");
    wait_until("every call has ended", || script.get("return state.ended") == "16");
    assert_eq!(script.get("return state.wrong"), "0");
}

#[test]
fn sentinels_and_their_master_are_reached_through_tls() {
    let folder = Folder::new();
    let certificate = Certificate::in_folder(&folder);
    let mut watched = Watched::with_tls(&certificate);
    let mut script = Script::start("");
    script.get("redis = require 'skynet.db.redis'");
    script.get(&format!(
        "at = {{ sentinels = {}, master = '{MASTER}', connect_timeout = 500, \
         tls = {{ ca = '{}' }} }}",
        watched.lua(),
        text(&certificate.certificate)
    ));
    script.get("db = redis.connect(at) watch = redis.watch(at) watch:subscribe 'news'");
    assert_eq!(script.get("return db:set('k', 'v'), db:get('k')"), "OK\tv");
    assert_eq!(script.get("return (db:info 'replication':match 'role:(%l+)')"), "master");
    let hear = |script: &mut Script, text: &str| {
        let message = script.begin("return watch:message()");
        wait_until("somebody is subscribed", || {
            script.run(&format!("return db:publish('news', '{text}')")) == "true\t1"
        });
        assert_eq!(script.end(message), format!("true\t{text}\tnews"));
    };
    hear(&mut script, "first");

    watched.master.kill();
    wait_until("the next master takes writes", || {
        script.run("return db:set('k', 'w')") == "true\tOK"
    });
    hear(&mut script, "second");

    let mut refused = |tls: &str, why: &str| {
        let error = script.run(&format!("at.tls = {tls} redis.connect(at)"));
        assert!(error.contains("no sentinel answers") && error.contains(why), "{error}");
    };
    refused("true", "certificate");
    let ca = text(&certificate.certificate);
    refused(&format!("{{ ca = '{ca}', servername = 'other' }}"), "certificate");
    refused("nil", "127.0.0.1");
}

#[test]
fn a_master_that_becomes_a_replica_is_left() {
    let mut watched = Watched::start(&[]);
    let mut script = Script::start("");
    script.get(&format!(
        "db = require('skynet.db.redis').connect {{ sentinels = {}, master = '{MASTER}' }}",
        watched.lua()
    ));
    assert_eq!(script.get("return db:set('k', 'v')"), "OK");
    // The connection stays as it is; only what it leads to is no master any more.
    let sentinel = watched.sentinels[0].address();
    // Until it has asked the replicas it finds none that is good.
    wait_until("a sentinel begins", || {
        super::server::command(&sentinel, &["SENTINEL", "FAILOVER", MASTER]) == "+OK"
    });
    let old = watched.master.port.to_string();
    wait_until("the old master is a replica", || {
        replication(&watched.master).contains("role:slave")
    });
    wait_until("writes go to another server", || {
        script.run("return db:set('k', 'w')") == "true\tOK"
    });
    let port = script.get("return db:config('get', 'port')[2]");
    assert_ne!(port, old);
    watched.master.kill();
}

#[test]
fn it_is_said_which_sentinels_were_asked_and_why_there_is_no_master() {
    let server = Server::start();
    let mut script = Script::start("");
    let mut connect = |sentinels: &str, master: &str| {
        script.run(&format!(
            "return require('skynet.db.redis').connect {{ sentinels = {sentinels}, \
             master = '{master}', connect_timeout = 100 }}"
        ))
    };
    let error = connect("{ '127.0.0.1:1', { host = '127.0.0.1', port = 2 } }", "m");
    assert!(error.contains("no sentinel answers"), "{error}");
    assert!(error.contains("127.0.0.1:1: Connection refused"), "{error}");
    assert!(error.contains("127.0.0.1:2: Connection refused"), "{error}");
    let error = connect(&format!("{{ '{}' }}", server.address()), "m");
    assert!(error.contains("unknown command"), "{error}");
    let error = connect("{}", "m");
    assert!(error.contains("sentinels"), "{error}");
    drop(server);

    let watched = Watched::start(&[]);
    let error = connect(&watched.lua(), "other");
    assert!(error.contains("no master is called 'other'"), "{error}");
}
