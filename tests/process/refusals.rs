//! Connections that cannot be taken: the log stays short, and who comes later is served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::support::{DEADLINE, Folder, Node};

/// Echoes lines.
const SERVICE: &str = r#"
local skynet = require "skynet"
local socket = require "skynet.socket"

skynet.start(function()
  local id, _, port = socket.listen("127.0.0.1", 0)
  socket.start(id, function(peer)
    socket.start(peer)
    for line in function() return socket.readline(peer) or nil end do
      socket.write(peer, line .. "\n")
    end
    socket.close(peer)
    print "served"
  end)
  print("port " .. port)
end)
"#;

fn address(node: &mut Node) -> SocketAddr {
    let line = node.expect("port ");
    SocketAddr::from(([127, 0, 0, 1], line[5..].trim().parse().unwrap()))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// True when a line comes back; false when the connection is closed instead.
fn is_served(peer: &mut TcpStream) -> bool {
    let mut back = [0; 5];
    peer.write_all(b"line\n").is_ok() && peer.read_exact(&mut back).is_ok() && &back == b"line\n"
}

/// Reads lines that tell of `why` until they stand for `count` failures; how many lines it took.
fn told(node: &mut Node, why: &str, count: u64) -> usize {
    let (mut lines, mut sum) = (0, 0);
    while sum < count {
        let line = node.expect(why);
        let more = line.rsplit_once(" (").and_then(|(_, rest)| rest.strip_suffix(" more times)"));
        sum += more.map_or(1, |more| more.parse().unwrap());
        lines += 1;
    }
    lines
}

#[test]
fn connections_beyond_the_limit_of_a_service_are_refused_and_told_of_once_a_second() {
    const REFUSED: u64 = 8;
    let folder = Folder::new();
    folder.write("main.lua", SERVICE).config("");
    folder.write("sandbox.toml", "[default]\nlisten = [\"127.0.0.1\"]\nsockets = 3\n");
    let mut node = folder.start();
    let address = address(&mut node);
    // The third socket is the one that listens.
    let mut served: Vec<TcpStream> = (0..2).map(|_| connect(address)).collect();
    assert!(served.iter_mut().all(is_served));
    let began = Instant::now();
    let mut refused: Vec<TcpStream> = (0..REFUSED).map(|_| connect(address)).collect();
    assert!(!refused.iter_mut().any(is_served));
    let why = "socket: accept error: too many sockets: the limit is 3 (sandbox.toml: sockets)";
    let lines = told(&mut node, why, REFUSED);
    assert!(lines as u64 <= 2 + began.elapsed().as_secs(), "{lines} lines");
    // Each refusal is followed by a pause of a tenth of a second.
    assert!(began.elapsed().as_millis() >= 100 * u128::from(REFUSED - 1));
    served.pop();
    node.expect("served");
    assert!(is_served(&mut connect(address)));
}

#[test]
fn a_node_without_descriptors_says_so_once_a_second_and_serves_who_waits_when_it_has_some() {
    let folder = Folder::new();
    folder.write("main.lua", SERVICE).config("");
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_node");
    command.args(["-c", "ulimit -n 64 && exec \"$0\" config", program]);
    let mut node = Node::spawn(command.current_dir(folder.path("")).stdin(Stdio::null()));
    let address = address(&mut node);
    let mut peers: Vec<TcpStream> = (0..64).map(|_| connect(address)).collect();
    let why = "socket: accept error: Too many open files";
    // More failures than the pause leaves room for in a second.
    let began = Instant::now();
    let lines = told(&mut node, why, 12);
    assert!(lines as u64 <= 2 + began.elapsed().as_secs(), "{lines} lines");
    let mut last = peers.pop().unwrap();
    peers.clear();
    assert!(is_served(&mut last));
}
