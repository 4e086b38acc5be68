//! Peers that mean harm, or are broken: the connection is closed, the log says why, memory stays
//! bounded, and others notice nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use node::codec::cluster::{
    Address, encode_begin, encode_ok, encode_response_begin, encode_single, request_part_head,
};

use super::Subject;
use super::peer::{Fake, Peer, Wire, text};
use crate::support::wait_until;

/// Idle connections in the short form. `make test-long` sets `IDLE_PEERS` to 10,000.
const IDLE: usize = 1_000;

/// Memory of an idle connection on the node: its agent, its socket's buffers not counted.
const IDLE_MEMORY: usize = 16 << 10;

/// Bytes of a peer that floods, far more than the system takes.
const FLOOD: usize = 400 << 20;

/// Bytes that a test is content with beside what it is about.
const NOISE: usize = 24 << 20;

/// Resident memory of a process in bytes.
fn memory(process: u32) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn begin(session: u32, total: u32) -> Vec<u8> {
    let mut out = Vec::new();
    encode_begin(&mut out, Address::Name(b"@main"), session, total, false);
    out
}

fn part(session: u32, length: usize, last: bool) -> Vec<u8> {
    [&request_part_head(session, length, last)[..], &vec![0; length]].concat()
}

#[test]
fn what_is_no_request_closes_the_connection_with_the_reason_in_the_log() {
    let mut subject = Subject::start("", "cluster_limit = 100000");
    let mut other = Peer::connect(subject.address);
    let body = [text("echo"), text("x")].concat();
    for (bytes, why) in [
        (vec![0, 0], "Invalid req package. size == 0"),
        (vec![0, 1, 5], "Invalid req package type 5"),
        (vec![0, 1, 0xff], "Invalid req package type 255"),
        (vec![0, 3, 0, 1, 2], "Invalid cluster message (size=3)"),
        (vec![0, 2, 0x80, 200], "Invalid cluster message (size=2)"),
        (begin(1, 100_001), "large message 1: 100001 bytes declared (limit 100000)"),
        (begin(1, 0), "Invalid cluster message: total size 0 (session 1)"),
        (part(7, 10, false), "large message 7: a part without a begin"),
        ([begin(2, 50_000), begin(2, 50_000)].concat(), "large message 2: begun twice"),
        (
            [begin(3, 40_000), part(3, 10, true)].concat(),
            "large message 3: 10 bytes arrived of 40000 declared",
        ),
        (
            [begin(4, 10), part(4, 11, true)].concat(),
            "large message 4: 11 bytes arrived of 10 declared",
        ),
        (
            [begin(5, 90_000), begin(6, 90_000)]
                .into_iter()
                .chain((0..4).map(|_| part(5, 20_000, false)))
                .chain((0..2).map(|_| part(6, 20_000, false)))
                .collect::<Vec<_>>()
                .concat(),
            "large message 6: 120000 bytes of unfinished messages (limit 100000)",
        ),
    ] {
        let mut wire = Wire::connect(subject.address);
        let from = wire.socket.local_addr().unwrap();
        wire.send(&bytes);
        wire.expect_end();
        subject.logged(&format!("cluster connection of {from}: closed, {why}"));
        assert_eq!(other.call("@main", &body), Ok(text("x")), "others are served on");
    }
}

#[test]
fn a_peer_that_ends_within_a_frame_leaves_nothing_behind() {
    let mut subject = Subject::start("", "");
    let whole = [begin(1, 40_000), part(1, 0x8000, false), part(1, 40_000 - 0x8000, true)].concat();
    for cut in [1, 2, 3, 10, 15, 20, 1_000, 0x8000 + 20, whole.len() - 1] {
        let mut wire = Wire::connect(subject.address);
        wire.send(&whole[..cut]);
        wire.socket.shutdown(std::net::Shutdown::Write).unwrap();
        wire.expect_end();
    }
    assert_eq!(subject.run("return cluster.call('self', '@main', 'echo', 'x')"), "x");
    let mut peer = Peer::connect(subject.address);
    assert_eq!(peer.call("@main", &[text("echo"), text("y")].concat()), Ok(text("y")));
}

#[test]
fn random_bytes_never_stop_the_node() {
    let mut subject = Subject::start("", "cluster_limit = 65536");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        // xorshift: the same bytes in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300_u32 {
        let mut wire = Wire::connect(subject.address);
        for _ in 0..random() % 20 {
            let mut bytes: Vec<u8> =
                (0..random() % 200).map(|_| random().to_le_bytes()[3]).collect();
            if round.is_multiple_of(2) {
                // Frames of the right length, so that more than the length is read.
                let kinds = [0x00, 0x80, 0x01, 0x41, 0x81, 0xc1, 0x02, 0x03, 0x04];
                let kind = kinds[usize::from(random().to_le_bytes()[0]) % kinds.len()];
                bytes.insert(0, kind);
                let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                bytes.splice(0..0, length);
            }
            if !wire.send(&bytes) {
                break;
            }
        }
        let _ = wire.socket.shutdown(std::net::Shutdown::Write);
        wire.expect_end();
    }
    assert_eq!(subject.run("return cluster.call('self', '@main', 'echo', 'x')"), "x");
}

#[test]
fn idle_connections_cost_little_and_disturb_nobody() {
    let count = std::env::var("IDLE_PEERS").ok().and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(IDLE);
    let mut subject = Subject::start("", "logger = 'log'");
    let opened = subject.run(&format!(
        "cluster.reload {{ wide = '127.0.0.1:0' }} return cluster.open('wide', {})",
        count + 10
    ));
    let (_, port) = opened.split_once('\t').unwrap();
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let before = memory(subject.node.process());
    let idle: Vec<TcpStream> = (0..count)
        .map(|number| {
            let mut socket = TcpStream::connect(address).unwrap();
            // Some have said something.
            if number.is_multiple_of(3) {
                socket.write_all(&[0, 100, 0x80]).unwrap();
            }
            socket
        })
        .collect();
    let mut peer = Peer::connect(address);
    let body = [text("echo"), text("x")].concat();
    assert_eq!(peer.call("@main", &body), Ok(text("x")), "the last one is served");
    let grown = memory(subject.node.process()).saturating_sub(before);
    assert!(grown < count * IDLE_MEMORY + NOISE, "{grown} bytes for {count} idle connections");
    drop(idle);
    assert_eq!(peer.call("@main", &body), Ok(text("x")));
}

#[test]
fn a_peer_that_asks_and_never_reads_is_held_up_and_then_closed() {
    let mut subject = Subject::start("", "cluster_limit = 8388608\ncluster_dead_after = 600");
    let mut other = Peer::connect(subject.address);
    let before = memory(subject.node.process());
    let mut wire = Wire::connect(subject.address);
    let from = wire.socket.local_addr().unwrap();
    let mut ask = Vec::new();
    let mut size = text("make");
    node::codec::seri::put_integer(&mut size, 1 << 20);
    for session in 1..=200 {
        encode_single(&mut ask, Address::Name(b"@main"), session, &size);
    }
    assert!(wire.send(&ask));
    subject.logged(&format!("cluster connection of {from}: closed, it does not read: "));
    let body = [text("echo"), text("x")].concat();
    assert_eq!(other.call("@main", &body), Ok(text("x")));
    // 200 answers of 1 MiB are 200 MiB; two messages of the largest size may wait.
    let grown = memory(subject.node.process()).saturating_sub(before);
    assert!(grown < (64 << 20) + NOISE, "{grown} bytes");
}

#[test]
fn a_peer_that_floods_and_never_reads_is_not_listened_to_and_given_up() {
    let mut subject = Subject::start("", "cluster_dead_after = 2");
    let mut other = Peer::connect(subject.address);
    let before = memory(subject.node.process());
    // Refusals are written by the thread that reads: they have to be bounded as answers are.
    let mut wire = Wire::connect(subject.address);
    let from = wire.socket.local_addr().unwrap();
    let mut ask = Vec::new();
    let nobody = [&b"."[..], &[b'x'; 199]].concat();
    for session in 1..=1_000 {
        encode_single(&mut ask, Address::Name(&nobody), session, b"");
    }
    let flood = std::thread::spawn(move || {
        let mut sent = 0;
        while sent < FLOOD && wire.send(&ask) {
            sent += ask.len();
        }
        sent
    });
    let body = [text("echo"), text("x")].concat();
    let mut grown = 0;
    while !flood.is_finished() {
        grown = grown.max(memory(subject.node.process()).saturating_sub(before));
        assert_eq!(other.call("@main", &body), Ok(text("x")));
    }
    let sent = flood.join().unwrap();
    assert!(sent < FLOOD, "the node took {sent} bytes from a peer that reads nothing");
    assert!(grown < (16 << 20) + NOISE, "{grown} bytes");
    subject.logged(&format!("cluster connection of {from}: lost (Connection timed out"));
}

#[test]
fn a_node_that_takes_calls_and_never_reads_is_closed() {
    let fake = Fake::new();
    let nodes = format!("other = '{}'", fake.address());
    let mut subject = Subject::start(&nodes, "cluster_limit = 4194304\ncluster_dead_after = 600");
    let session = subject.begin("return pcall(cluster.call, 'other', '@x', 'first')");
    let caller = fake.accept();
    subject.run(
        "local body = ('x'):rep(1 << 20)
         for _ = 1, 40 do
           -- A link that has not written the last ones yet refuses more.
           while not pcall(cluster.send, 'other', '@x', body) do skynet.yield() end
         end",
    );
    assert_eq!(subject.end(session), "false\tcall failed");
    subject.logged("cluster node [other]: closed, it does not read: ");
    drop(caller);
    assert_eq!(subject.run("return cluster.call('self', '@main', 'echo', 'x')"), "x");
}

#[test]
fn answers_that_make_no_sense_close_the_link_and_fail_its_calls() {
    let large = |session, total| {
        let mut out = Vec::new();
        encode_response_begin(&mut out, session, total);
        out
    };
    let fake = Fake::new();
    let nodes = format!("other = '{}'", fake.address());
    let mut subject = Subject::start(&nodes, "cluster_limit = 100000");
    for (bytes, why) in [
        (vec![0, 0], "Invalid cluster message (size=0)"),
        (vec![0, 5, 1, 0, 0, 0, 9], "Invalid cluster response code 9 (session 1)"),
        (large(1, 100_001), "large message 1: 100001 bytes declared (limit 100000)"),
        ([large(1, 10), large(1, 10)].concat(), "large message 1: begun twice"),
    ] {
        let session = subject.begin("return pcall(cluster.call, 'other', '@x')");
        let mut caller = fake.accept();
        caller.next().unwrap();
        assert!(caller.wire.send(&bytes));
        assert_eq!(subject.end(session), "false\tcall failed");
        subject.logged(&format!("cluster node [other] ({}): closed, {why}", fake.address()));
        caller.wire.expect_end();
    }
    // Bytes that are no values: the connection is in order, the caller is told.
    let session = subject.begin("return pcall(cluster.call, 'other', '@x')");
    let mut caller = fake.accept();
    let request = caller.next().unwrap();
    let mut out = Vec::new();
    encode_ok(&mut out, request.session, &[0x2c, 1]);
    assert!(caller.wire.send(&out));
    let ended = subject.end(session);
    assert!(ended.starts_with("false\tInvalid serialize stream"), "{ended}");
}

#[test]
fn half_a_thousand_connections_that_come_and_go_leave_no_descriptor() {
    let mut subject = Subject::start("", "logger = 'log'");
    let folder = format!("/proc/{}/fd", subject.node.process());
    let descriptors = || std::fs::read_dir(&folder).unwrap().count();
    let before = descriptors();
    for _ in 0..500 {
        drop(TcpStream::connect(subject.address).unwrap());
    }
    let mut socket = TcpStream::connect(subject.address).unwrap();
    socket.write_all(&[0, 0]).unwrap();
    let _ = socket.read(&mut [0; 1]);
    wait_until("connections are closed", || descriptors() <= before);
    assert_eq!(subject.run("return 1"), "1");
}
