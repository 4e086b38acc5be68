//! Nodes that find each other through Redis.

use super::script::Script;
use super::server::Server;
use crate::support::wait_until;

/// Names a node and answers what is asked of it.
fn open(script: &mut Script, name: &str) -> String {
    script.get(&format!(
        "local cluster = require 'skynet.cluster' \
         skynet.dispatch('lua', function(_, _, ...) skynet.retpack('{name} got', ...) end) \
         cluster.register 'main' \
         return select(2, cluster.open '{name}')"
    ))
}

fn ask(script: &mut Script, name: &str) -> String {
    script.run(&format!("return require('skynet.cluster').call('{name}', '@main', 'x')"))
}

fn config(server: &Server, more: &str) -> String {
    let url = format!("redis://{}/2?prefix=game:&lease=2", server.address());
    format!("cluster = '{url}'\ncluster_listen = '127.0.0.1:0'\n{more}")
}

#[test]
fn nodes_find_each_other_and_a_dead_one_loses_its_name() {
    let server = Server::start();
    let mut first = Script::start(&config(&server, ""));
    open(&mut first, "first");
    // Asked before it is there: the call waits.
    let early = first.begin("return require('skynet.cluster').call('second', '@main', 'early')");
    first.node.see("Waiting for cluster node [second]");

    let mut second = Script::start(&config(&server, ""));
    let port = open(&mut second, "second");
    second.node.see(&format!("cluster name [second] is 127.0.0.1:{port} in redis://127"));
    assert_eq!(first.end(early), "true\tsecond got\tearly");
    assert_eq!(ask(&mut second, "first"), "true\tfirst got\tx");
    assert_eq!(ask(&mut second, "second"), "true\tsecond got\tx");
    assert_eq!(second.get("return require('skynet.cluster').get_sender('first') ~= nil"), "true");

    second.node.signal("KILL");
    first.node.see("cluster node [second]: its name is gone");
    let outcome = ask(&mut first, "second");
    assert!(outcome.starts_with("false"), "{outcome}");
    first.node.see("cluster node [second] is down");

    let mut third = Script::start(&config(&server, ""));
    open(&mut third, "second");
    wait_until("the new node is found", || ask(&mut first, "second") == "true\tsecond got\tx");
}

#[test]
fn known_addresses_serve_while_redis_is_gone() {
    let mut server = Server::start();
    // They find the server again one after the other, as far apart as their pauses have grown.
    let config = config(&server, "").replace("lease=2", "lease=9");
    let mut first = Script::start(&config);
    open(&mut first, "first");
    let mut second = Script::start(&config);
    open(&mut second, "second");
    assert_eq!(ask(&mut first, "second"), "true\tsecond got\tx");

    server.kill();
    first.node.see("the known addresses stay in use");
    second.node.see("the known addresses stay in use");
    assert_eq!(ask(&mut first, "second"), "true\tsecond got\tx");
    // It comes back without any name; the living have theirs again before they count as dead.
    server.restart();
    first.node.see("answers again");
    second.node.see("answers again");
    wait_until("the names are back", || {
        let get = |of| name(&server, of);
        get("first").contains(':') && get("second").contains(':')
    });
    assert_eq!(ask(&mut first, "second"), "true\tsecond got\tx");
    assert_eq!(first.node.count("stay in use"), 1, "one line");
    assert_eq!(first.node.count("its name is gone"), 0);
}

/// What the server has for a name, in the database of the tests.
fn name(server: &Server, name: &str) -> String {
    let script = format!("redis.call('SELECT', 2) return redis.call('GET', 'game:{name}')");
    server.command(&["EVAL", &script, "0"])
}

#[test]
fn a_number_of_ipv6_is_announced_in_brackets_however_it_is_written() {
    let server = Server::start();
    for (given, announced) in
        [("[::1]", "[::1]"), ("2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]")]
    {
        let mut node = Script::start(&config(&server, &format!("cluster_announce = '{given}'")));
        let port = open(&mut node, "db");
        assert_eq!(name(&server, "db"), format!("{announced}:{port}"));
    }
    let mut node = Script::start(&config(&server, "cluster_announce = '[::1]:7000'"));
    open(&mut node, "db");
    assert_eq!(name(&server, "db"), "[::1]:7000");
}

#[test]
fn a_name_goes_to_whoever_takes_it_last_and_is_given_back_at_an_orderly_end() {
    let server = Server::start();
    let mut first = Script::start(&config(&server, "cluster_announce = 'localhost'"));
    let port = open(&mut first, "db");
    assert_eq!(name(&server, "db"), format!("localhost:{port}"));
    let mut second = Script::start(&config(&server, ""));
    let port = open(&mut second, "db");
    first.node.see(&format!("cluster name [db]: 127.0.0.1:{port} has taken it"));
    assert_eq!(name(&server, "db"), format!("127.0.0.1:{port}"));
    second.node.signal("TERM");
    second.node.wait();
    assert_eq!(name(&server, "db"), "$-1");
}
