//! Where other nodes are: the cluster file, tables, names without an address, addresses that change.

use std::net::TcpListener;

use super::Subject;
use super::peer::{Fake, text};

/// What a caller sees when a call could not be sent.
const UNSENT: &str = "false\tdest address type (nil) must be a string or number.";

#[test]
fn calls_to_a_node_that_is_down_fail_and_the_log_says_so_once() {
    let mut subject = Subject::start("other = false", "");
    let code = "return pcall(cluster.call, 'other', '@x')";
    for _ in 0..20 {
        assert_eq!(subject.run(code), UNSENT);
        assert_eq!(subject.run("return cluster.send('other', '@x')"), "", "a send is dropped");
    }
    assert_eq!(subject.lines("cluster node [other] is down."), 1);

    let fake = Fake::new();
    subject.run(&format!("cluster.reload {{ other = '{}' }}", fake.address()));
    let session = subject.begin(code);
    let mut caller = fake.accept();
    let request = caller.next().unwrap();
    caller.answer(request.session, &text("up"));
    assert_eq!(subject.end(session), "true\tup");

    subject.run("cluster.reload { other = false }");
    caller.wire.expect_end();
    assert_eq!(subject.run(code), UNSENT);
    assert_eq!(subject.lines("cluster node [other] is down."), 2);
}

#[test]
fn a_node_that_nobody_knows_is_waited_for_until_a_table_names_it() {
    let mut subject = Subject::start("", "");
    let calls: Vec<u32> = (0..5)
        .map(|number| subject.begin(&format!("return cluster.call('other', '@x', '{number}')")))
        .collect();
    subject.logged("Waiting for cluster node [other]");
    let fake = Fake::new();
    subject.run(&format!("cluster.reload {{ other = '{}' }}", fake.address()));
    subject.logged(&format!("Cluster node [other] resolved : {}", fake.address()));
    let mut caller = fake.accept();
    for (number, session) in calls.into_iter().enumerate() {
        let request = caller.next().unwrap();
        assert_eq!(request.body, text(&number.to_string()), "in the order of the calls");
        caller.answer(request.session, &request.body);
        assert_eq!(subject.end(session), number.to_string());
    }
    assert_eq!(subject.lines("Waiting for cluster node"), 1);
}

#[test]
fn an_edit_of_the_cluster_file_takes_effect_by_itself() {
    let mut subject = Subject::start("", "");
    let session = subject.begin("return cluster.call('other', '@x')");
    subject.logged("Waiting for cluster node [other]");

    // A slip keeps what was there; the next edit counts.
    subject.folder.write("clustername.lua", "other = = 1");
    subject.logged("has changed, but keeps its former entries: cluster file ");
    let own = format!("self = '{}'\n", subject.address);
    subject.folder.write("clustername.lua", format!("{own}third = 'no address'\n"));
    subject.logged("cluster node [third]: `no address` has no port");

    let fake = Fake::new();
    let text_of_file = format!("{own}other = '{}'\n", fake.address());
    subject.folder.write("clustername.lua", text_of_file);
    subject.logged("clustername.lua has changed: reloaded");
    let mut caller = fake.accept();
    let request = caller.next().unwrap();
    caller.answer(request.session, &text("found"));
    assert_eq!(subject.end(session), "found");

    // The address changes: the link moves.
    let second = Fake::new();
    subject.folder.write("clustername.lua", format!("{own}other = '{}'\n", second.address()));
    caller.wire.expect_end();
    let session = subject.begin("return cluster.call('other', '@x')");
    let mut caller = second.accept();
    let request = caller.next().unwrap();
    caller.answer(request.session, &text("moved"));
    assert_eq!(subject.end(session), "moved");
}

#[test]
fn the_cluster_file_is_watched_only_if_the_config_does_not_say_otherwise() {
    for (config, tasks) in [("", "1"), ("cluster_watch = false", "0")] {
        let mut subject = Subject::start("", config);
        // Between requests only the one who watches sleeps.
        let stat = "return skynet.call(skynet.uniqueservice 'clusterd', 'debug', 'STAT').task";
        assert_eq!(subject.run(stat), tasks, "{config}");
        subject.folder.write("clustername.lua", "other = false");
        subject.run("cluster.reload()");
        let call = "return pcall(cluster.call, 'other', '@x')";
        assert_eq!(subject.run(call), UNSENT, "an explicit reload reads the file");
    }
}

#[test]
fn with_nowaiting_a_node_that_nobody_knows_is_absent() {
    let mut subject = Subject::start("__nowaiting = true", "");
    subject.logged("Config nowaiting = true");
    for _ in 0..10 {
        assert_eq!(subject.run("return pcall(cluster.call, 'other', '@x')"), UNSENT);
    }
    assert_eq!(subject.lines("cluster node [other] is absent."), 1);
}

#[test]
fn calls_that_wait_for_a_name_fail_when_nowaiting_is_switched_on() {
    let mut subject = Subject::start("", "");
    let session = subject.begin("return pcall(cluster.call, 'other', '@x')");
    subject.logged("Waiting for cluster node [other]");
    subject.run("cluster.reload { third = '127.0.0.1:1' }");
    subject.run("cluster.reload { __nowaiting = true }");
    assert_eq!(subject.end(session), UNSENT);
    subject.logged("cluster node [other] is absent.");
    assert_eq!(subject.lines("resolved"), 0);
}

#[test]
fn a_changed_address_moves_the_link_and_fails_the_calls_on_the_old_one() {
    let (old, new) = (Fake::new(), Fake::new());
    let mut subject = Subject::start(&format!("other = '{}'", old.address()), "");
    let pending = subject.begin("return pcall(cluster.call, 'other', '@x', 'one')");
    let mut caller = old.accept();
    let stale = caller.next().unwrap();

    // The same address again changes nothing.
    subject.run(&format!("cluster.reload {{ other = '{}' }}", old.address()));
    let second = subject.begin("return cluster.call('other', '@x', 'two')");
    let request = caller.next().unwrap();
    caller.answer(request.session, &text("two"));
    assert_eq!(subject.end(second), "two");

    subject.run(&format!("cluster.reload {{ other = '{}' }}", new.address()));
    assert_eq!(subject.end(pending), "false\tcall failed");
    subject.logged(&format!(
        "Close cluster sender [other] ({}): it is at {} now",
        old.address(),
        new.address()
    ));
    caller.wire.expect_end();

    // The new connection has the same sessions; an answer of the old one reaches nobody.
    let session = subject.begin("return cluster.call('other', '@x', 'three')");
    let mut caller = new.accept();
    let request = caller.next().unwrap();
    assert_eq!(request.session, stale.session);
    caller.answer(request.session, &text("three"));
    assert_eq!(subject.end(session), "three");
    assert!(old.is_quiet());
}

/// Calls a subject at an address that stands for it.
fn calls_itself_at(subject: &mut Subject, address: &str) {
    subject.run(&format!("cluster.reload {{ again = '{address}' }}"));
    let code = "return cluster.call('again', '@main', 'echo', 'here')";
    assert_eq!(subject.run(code), "here", "{address}");
}

#[test]
fn nodes_are_found_by_host_name_and_at_the_address_of_all_interfaces() {
    let mut subject = Subject::start("", "");
    let port = subject.address.port();
    calls_itself_at(&mut subject, &format!("localhost:{port}"));
    // A port alone means every interface.
    let opened = subject.run("return cluster.open(0)");
    let (host, port) = opened.split_once('\t').unwrap();
    assert_eq!(host, "0.0.0.0");
    for host in ["127.0.0.1", "127.0.0.2", "0.0.0.0"] {
        calls_itself_at(&mut subject, &format!("{host}:{port}"));
    }
    subject.run("cluster.reload { wide = '0.0.0.0:0' }");
    let opened = subject.run("return cluster.open 'wide'");
    let (_, port) = opened.split_once('\t').unwrap();
    calls_itself_at(&mut subject, &format!("127.0.0.3:{port}"));

    subject.run("cluster.reload { lost = 'no..host:1' }");
    assert_eq!(subject.run("return pcall(cluster.call, 'lost', '@x')"), UNSENT);
    subject.logged("changenode [lost] (no..host:1) failed: ");
}

#[test]
fn nodes_are_found_at_addresses_of_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        let text = "skipped: this machine has no IPv6\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        return;
    }
    let mut subject = Subject::start("", "");
    subject.run("cluster.reload { six = '[::1]:0', every = '[::]:0' }");
    for name in ["six", "every"] {
        let opened = subject.run(&format!("return cluster.open '{name}'"));
        let (host, port) = opened.split_once('\t').unwrap();
        assert_eq!(host, if name == "six" { "::1" } else { "::" });
        calls_itself_at(&mut subject, &format!("[::1]:{port}"));
        calls_itself_at(&mut subject, &format!("::1:{port}"));
    }
    subject.logged("socket accept from [::1]:");
}

#[test]
fn an_entry_that_is_no_address_is_named() {
    let mut subject = Subject::start("", "");
    for (entry, why) in [
        ("other = 1", "cluster node [other]: number (an address or false expected)"),
        ("other = 'host'", "cluster node [other]: `host` has no port (expected host:port)"),
        ("other = 'a:b'", "cluster node [other]: `a:b` has no valid port (expected 0 to 65535)"),
        ("[1] = '127.0.0.1:1'", "cluster node [1]: its name is no string"),
    ] {
        let code = format!("return pcall(cluster.reload, {{ {entry} }})");
        assert_eq!(subject.run(&code), "false\tcall failed");
        subject.logged(why);
    }
    let open = "return pcall(cluster.open, 'nobody')";
    assert_eq!(subject.run(open), "false\tcall failed");
    subject.logged("nobody is down");
}
