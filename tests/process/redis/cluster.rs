//! `skynet.db.redis.cluster` against a cluster of six.

use super::fleet::{Cluster, LOSES_SERVERS, USER};
use super::script::Script;
use super::server::{Certificate, Server};
use crate::support::{Folder, wait_until};

/// 64 coroutines that count up keys all over the slots, each reply checked against a count of its own.
/// A call that raises leaves open whether its key was counted; a lossy cluster may have forgotten some.
const LOAD: &str = r#"
  local skynet = require 'skynet'
  local db, lossy = ...
  local state = { running = true, ended = 0, good = 0, bad = 0, wrong = 0, keys = {}, errors = {} }
  for worker = 1, 64 do
    skynet.fork(function()
      local counts, open = {}, {}
      state.keys[worker] = { counts = counts, open = open }
      local turn = 0
      while state.running do
        turn = turn + 1
        local key = ('count:%d:%d'):format(worker, turn % 40)
        local ok, value = pcall(db.incr, db, key)
        if ok then
          local least = (counts[key] or 0) + 1
          if value < least and not lossy or value > least + (open[key] or 0) then
            state.wrong = state.wrong + 1
            state.example = ('%s: %d, expected %d and %d open'):format(key, value, least, open[key] or 0)
          end
          counts[key], open[key] = value, 0
          ok, value = pcall(db.eval, db, 'return ARGV[1]', 1, key, key .. turn)
          if ok and value ~= key .. turn then
            state.wrong = state.wrong + 1
            state.example = ('%s, expected %s%d'):format(value, key, turn)
          end
          state.good = state.good + 1
        else
          open[key] = (open[key] or 0) + 1
          state.bad = state.bad + 1
          state.errors[value:gsub('%d+', 'N')] = true
          skynet.sleep(1)
        end
      end
      state.ended = state.ended + 1
    end)
  end
  return state
"#;

/// What is wrong with the keys after the load.
const CHECK: &str = r#"
  local db, state = ...
  for _, worker in ipairs(state.keys) do
    for key, count in pairs(worker.counts) do
      local value = tonumber(db:get(key))
      if value ~= count and (value < count or value > count + worker.open[key]) then
        return ('%s is %s, and was %d'):format(key, value, count)
      end
    end
  end
  return 'all is there'
"#;

fn loaded(cluster: &Cluster, options: &str) -> Script {
    let folder = Folder::new();
    folder.write("load.lua", LOAD).write("check.lua", CHECK);
    let mut script = Script::start_in(folder, "");
    script.get("rediscluster = require 'skynet.db.redis.cluster'");
    script.get(&format!("db = rediscluster.new({}, {options})", cluster.lua()));
    script
}

fn count(script: &mut Script, what: &str) -> u64 {
    script.get(&format!("return state.{what}")).parse().unwrap()
}

/// Stops the load and waits for its calls.
fn stop(script: &mut Script) {
    script.get("state.running = false");
    wait_until("every call has ended", || count(script, "ended") == 64);
    let errors = script.get(
        "local all = {} for e in pairs(state.errors) do all[#all + 1] = e end \
         return state.wrong, state.example, table.concat(all, ' | ')",
    );
    assert!(errors.starts_with("0\t"), "{errors}");
}

#[test]
fn scripts_for_a_cluster_run_as_they_are() {
    let cluster = Cluster::start(USER);
    let mut script = loaded(&cluster, "{ username = 'app', auth = 'pass', read_slave = true }");
    let get = |script: &mut Script, code: &str, expected: &str| {
        assert_eq!(script.get(code), expected, "{code}");
    };
    let refused = |script: &mut Script, code: &str, expected: &str| {
        let outcome = script.run(code);
        assert!(outcome.starts_with("false\t") && outcome.contains(expected), "{code}: {outcome}");
    };
    let s = &mut script;
    get(s, "return db:set('A', 1), db:get('A'), db:get('B'), db:SET('A', 2)", "OK\t1\tnil\tOK");
    get(
        s,
        "return db:rpush('list', 1, 2, 3), table.concat(db:lrange('list', 0, -1), ' ')",
        "3\t1 2 3",
    );
    get(
        s,
        "db:hmset('map', 'k', 1, 'l', 2) return table.concat(db:hgetall('map'), ' ')",
        "k 1 l 2",
    );
    get(s, "return db:exists('A'), db:exists('B'), db:sismember('S', 'x')", "true\tfalse\tfalse");
    get(s, "return db:call('incrby', 'A', 40), math.type(db:incr('A'))", "42\tinteger");
    get(s, "return db:eval('return {KEYS[1], ARGV[1], 7}', 1, 'A', 'x')[2]", "x");
    get(s, "return db:set('bin\\0\\r\\n', '\\0\\r\\n'), #db:get('bin\\0\\r\\n')", "OK\t3");
    get(s, "return select('#', db:mget('{t}a', '{t}b')), db:type('A')", "1\tstring");
    refused(s, "db:lpush('A', 1)", "WRONGTYPE");
    refused(s, "db:info()", "No way to dispatch this command to Redis Cluster: info");
    refused(s, "db:multi()", "No way to dispatch this command to Redis Cluster: multi");
    refused(s, "db:get()", "No way to dispatch this command to Redis Cluster: get");
    refused(s, "db:eval('return 1', 2, 'A', 'B')", "eval - all keys must map to the same key slot");
    refused(s, "db:mset('A', 1, 'B', 2)", "CROSSSLOT");
    refused(s, "db:nonsense('A')", "unknown command");

    for key in ["A", "foo", "{foo}bar", "x{}y", "{{a}b}"] {
        let slot = cluster.servers[0].command(&["CLUSTER", "KEYSLOT", key]);
        get(s, &format!("return ':' .. db:keyslot('{key}')"), &slot);
    }
    get(s, "return require('skynet.db.redis.crc16')('123456789')", &0x31c3.to_string());
    get(s, "db:flush_slots_cache() return db:get('A')", "43");
    get(s, "db:close_all_connection() return db:get('A')", "43");
    get(s, "return #db:cluster('slots'), #db:cluster('nodes') > 100", "3\ttrue");
    get(
        s,
        "local c = db:get_connection_by_slot(db:keyslot('{p}')) \
         local r = c:pipeline({{'set', '{p}a', 1}, {'incr', '{p}a'}, {'get', '{p}a'}}, {}) \
         return r[1].out, r[2].out, r[3].out, c == db:get_connection_by_slot(db:keyslot('{p}'))",
        "OK\t2\t2\ttrue",
    );
    get(
        s,
        "local c = db:get_random_connection() local n = 0 \
         for name, each in pairs(db.connections) do n = n + 1 assert(name:match '^127') end \
         return c:ping(), c:dbsize() >= 0, n > 0",
        "PONG\ttrue\ttrue",
    );

    // Reads of replicas.
    get(
        s,
        &format!(
            "reader = rediscluster.new({}, {{ read_slave = 'replica' }}) \
             return reader:set('R', 1)",
            cluster.lua()
        ),
        "OK",
    );
    let reads =
        |server: &Server| server.command(&["INFO", "commandstats"]).contains("cmdstat_get:");
    wait_until("a replica is read", || {
        s.get("return reader:get('R')");
        cluster.servers[3..].iter().any(reads)
    });
    wait_until("it has what its master has", || s.get("return reader:get('R')") == "1");

    // Wrong passwords are named by the server.
    get(
        s,
        &format!("bad = rediscluster.new({}, {{ username = 'app', auth = 'no' }})", cluster.lua()),
        "",
    );
    refused(s, "bad:get('A')", "WRONGPASS");
    get(s, "gone = rediscluster.new { host = '127.0.0.1', port = 1 }", "");
    refused(
        s,
        "gone:get('A')",
        "Can't reach a single startup node. (redis 127.0.0.1:1: cannot connect (Connection refused)",
    );
}

#[test]
fn every_server_is_reached_through_tls() {
    let folder = Folder::new();
    let certificate = Certificate::in_folder(&folder);
    let cluster = Cluster::with_tls(&certificate);
    let mut script = Script::start("");
    script.get("rediscluster = require 'skynet.db.redis.cluster'");
    let new = |options: &str| {
        let port = cluster.tls_ports[0];
        format!("rediscluster.new({{ host = '127.0.0.1', port = {port} }}, {options}, print)")
    };
    let ca = format!("{{ tls = {{ ca = '{}' }} }}", certificate.certificate.display());
    script.get(&format!("db = {}", new(&ca)));
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
        let code = format!("return db:set('{key}', {value}), db:get('{key}')");
        assert_eq!(script.get(&code), format!("OK\t{value}"));
    }
    let ports = script.get(
        "local all = {} for name in pairs(db.connections) do all[#all + 1] = name:match '%d+$' end \
         return table.concat(all, ' ')",
    );
    assert!(ports.split(' ').count() > 1, "{ports}");
    for port in ports.split(' ') {
        assert!(cluster.tls_ports.contains(&port.parse().unwrap()), "{port} is no port of TLS");
    }
    script.get("db:subscribe 'news'");
    wait_until("the message comes", || {
        script.get("db:publish('news', 'secured')");
        script.node.count("secured\tnews") > 0
    });
    let refused = script.run(&format!("return {}:get('a')", new("{ tls = true }")));
    assert!(refused.contains("Can't reach a single startup node"), "{refused}");
}

#[test]
fn slots_that_move_under_load_lose_no_answer() {
    let cluster = Cluster::start(&[]);
    let mut script = loaded(&cluster, "{}");
    script.get("state = loadfile('load.lua')(db)");
    wait_until("every key has been counted", || count(&mut script, "good") > 64 * 40);
    cluster.move_slots(0, 1, 300);
    let before = count(&mut script, "good");
    cluster.move_slots(2, 0, 300);
    assert!(count(&mut script, "good") > before, "nothing went on meanwhile");
    stop(&mut script);
    assert_eq!(count(&mut script, "bad"), 0, "{}", script.get("return (next(state.errors))"));
    assert_eq!(script.get("return loadfile('check.lua')(db, state)"), "all is there");
}

#[test]
fn a_master_that_is_killed_under_load_has_a_successor() {
    let mut cluster = Cluster::start(LOSES_SERVERS);
    let mut script = loaded(&cluster, "{ read_slave = true }");
    // What a master has confirmed and not passed on yet ends with it.
    script.get("state = loadfile('load.lua')(db, true)");
    // A subscription at the server that will be gone, and a client that knows no other.
    let doomed = cluster.servers[0].port;
    script.get(&format!(
        "got = {{}} subscriber = rediscluster.new({{ host = '127.0.0.1', port = {doomed} }}, nil, \
         function(data, channel, pattern) got[#got + 1] = data .. channel .. tostring(pattern) end) \
         subscriber:subscribe('{{{0}}}news') subscriber:psubscribe('{{{0}}}w*')",
        "b" // slot 3300, of the first server
    ));
    let published = |script: &mut Script, channel: &str, expected: &str| {
        wait_until("the message comes", || {
            script.run(&format!("got = {{}} subscriber:publish('{channel}', 'hello ')"));
            script.get("return got[1]") == expected
        });
    };
    published(&mut script, "{b}news", "hello {b}newsnil");
    published(&mut script, "{b}words", "hello {b}words{b}w*");
    wait_until("every key has been counted", || count(&mut script, "good") > 64 * 40);

    cluster.servers[0].kill();
    let killed = count(&mut script, "good");
    cluster.wait_for_successor(0);
    let before = count(&mut script, "good");
    wait_until("calls go on", || count(&mut script, "good") > before + 64 * 40);
    assert!(before >= killed);
    stop(&mut script);
    assert_eq!(
        script.get("return db:set('b', 'of the successor'), db:get('b')"),
        "OK\tof the successor"
    );
    // The first client knew the dead one alone, and has learned of the others.
    assert_eq!(script.get("return subscriber:get('b')"), "of the successor");
    published(&mut script, "{b}news", "hello {b}newsnil");
    published(&mut script, "{b}words", "hello {b}words{b}w*");
}

#[test]
fn a_subscription_goes_to_a_server_that_has_joined_since() {
    let mut cluster = Cluster::start(&[]);
    let mut script = Script::start("");
    script.get(&format!(
        "got = {{}} db = require('skynet.db.redis.cluster').new({}, nil, \
         function(data) got[data] = true end) db:subscribe 'news'",
        cluster.lua()
    ));
    let subscribed = |server: &Server| server.command(&["PUBSUB", "CHANNELS"]) == "*1";
    wait_until("a server has the subscription", || cluster.servers.iter().any(subscribed));
    cluster.add_replica(0);
    let knows = format!(
        "for _, node in ipairs(db.nodes) do for _, each in ipairs {{ node, table.unpack(node.slaves) }} do \
         if each.port == {} then return true end end end return false",
        cluster.servers[6].port
    );
    // Nothing has made it ask yet.
    assert_eq!(script.get(&knows), "false");
    let first = cluster.servers.iter().position(subscribed).unwrap();
    cluster.servers[first].kill();
    wait_until("it has asked who is there", || script.get(&knows) == "true");
    cluster.servers[..6].iter_mut().for_each(Server::kill);
    wait_until("messages come by the server that is left", || {
        cluster.servers[6].command(&["PUBLISH", "news", "hello"]);
        script.get("return got.hello") == "true"
    });
}
