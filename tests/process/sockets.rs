//! Sockets as peers see them that do what no script can: half close, flood, read nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::support::{Folder, Node, say, wait_until};

/// The beginning of each script: `listen(f)` serves connections and prints the port.
const HEAD: &str = r#"
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local function listen(serve)
  local id, _, port = socket.listen("127.0.0.1", 0)
  socket.start(id, serve)
  print("port " .. port)
  return id, port
end
"#;

fn start(folder: &Folder, script: &str, config: &str) -> Node {
    folder.write("main.lua", format!("{HEAD}\n{script}")).config(config);
    folder.start()
}

fn connect(node: &mut Node) -> TcpStream {
    connect_to(&node.expect("port "))
}

fn connect_to(line: &str) -> TcpStream {
    TcpStream::connect(("127.0.0.1", line[5..].trim().parse::<u16>().unwrap())).unwrap()
}

#[test]
fn a_peer_that_has_closed_its_own_side_still_gets_the_answer() {
    let folder = Folder::new();
    let script = r#"
skynet.start(function()
  listen(function(id)
    socket.start(id)
    local request = socket.readall(id)
    print("disconnected " .. tostring(socket.disconnected(id)))
    print("write " .. tostring(socket.write(id, request:upper():rep(100000))))
    socket.close(id)
  end)
end)"#;
    let mut node = start(&folder, script, "");
    let mut peer = connect(&mut node);
    peer.write_all(b"request").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"REQUEST".repeat(100_000));
    node.expect("disconnected true");
    node.expect("write true");
}

#[test]
fn a_peer_that_floods_is_held_up_and_loses_nothing() {
    let folder = Folder::new();
    let script = r#"
skynet.start(function()
  listen(function(id)
    socket.start(id)
    print("first " .. socket.read(id, 1))
    print("waits")
    local peer = listen(function(other)
      socket.start(other)
      local total = 1
      while true do
        local data = socket.read(id)
        if not data then break end
        total = total + #data
      end
      print("total " .. total)
      skynet.abort()
    end)
  end)
end)"#;
    let mut node = start(&folder, script, "");
    let mut peer = connect(&mut node);
    let chunk = vec![b'x'; 1 << 16];
    peer.write_all(&chunk).unwrap();
    let mut sent = chunk.len();
    node.expect("waits");
    let port = node.expect("port ");
    // More than the node keeps unread, and no more than it keeps together with the system.
    for _ in 0..3 {
        peer.write_all(&chunk).unwrap();
        sent += chunk.len();
    }
    node.expect("Pause socket");
    // From now on only the system takes something: its sockets grow to 10 MiB.
    peer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    loop {
        match peer.write(&chunk) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(sent < 64 << 20, "the peer is not held up");
    }
    let _trigger = connect_to(&port);
    peer.set_write_timeout(None).unwrap();
    peer.write_all(&chunk).unwrap();
    sent += chunk.len();
    peer.shutdown(Shutdown::Write).unwrap();
    node.expect(&format!("total {sent}"));
    assert_eq!(node.code(), Some(0));
    assert!(node.rest().contains("Pause socket"));
}

#[test]
fn a_peer_that_reads_nothing_is_given_up_at_the_limit() {
    let folder = Folder::new();
    let script = r#"
local chunk = ("x"):rep(1 << 20)
skynet.start(function()
  listen(function(id)
    socket.start(id)
    local sent = 0
    while socket.write(id, chunk) do
      sent = sent + 1
      skynet.yield()
    end
    print("sent " .. sent)
    print("read", socket.read(id))
    socket.close(id)
    print("invalid " .. tostring(socket.invalid(id)))
    skynet.abort()
  end)
end)"#;
    let mut node = start(&folder, script, "socket_send_limit = 8");
    let _peer = connect(&mut node);
    assert_eq!(node.code(), Some(0));
    // The log is written by another service than what is printed, so they have no order.
    let said = node.rest();
    let expected = [
        "WARNING: ",
        "bytes wait to be sent, the limit is 8388608 (config: socket_send_limit)",
        "read\tfalse",
        "invalid true",
    ];
    for part in expected {
        assert!(said.contains(part), "{part}: {said}");
    }
    let sent = said.lines().find_map(|line| line.strip_prefix("sent ")).unwrap();
    let sent: usize = sent.parse().unwrap();
    assert!(sent < 64, "{sent} MiB were taken");
}

fn descriptors(node: &Node) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", node.process())).unwrap().count()
}

#[test]
fn connections_that_come_and_go_leave_no_descriptor() {
    let folder = Folder::new();
    let script = r#"
skynet.start(function()
  listen(function(id)
    socket.start(id)
    local line = socket.readline(id)
    if line then
      socket.write(id, line .. "\n")
    end
    socket.close(id)
  end)
end)"#;
    let mut node = start(&folder, script, "");
    let first = connect(&mut node);
    let address = first.peer_addr().unwrap();
    drop(first);
    let mut before = descriptors(&node);
    for round in 0..600 {
        let mut peer = TcpStream::connect(address).unwrap();
        match round % 3 {
            // Gone at once, gone in the middle of a line, served.
            0 => {}
            1 => peer.write_all(b"half a line").unwrap(),
            _ => {
                peer.write_all(b"line\n").unwrap();
                let mut answer = String::new();
                peer.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, "line\n");
            }
        }
        if round == 100 {
            before = before.max(descriptors(&node));
        }
    }
    wait_until("as many descriptors as before", || descriptors(&node) <= before);
}

#[test]
fn the_sockets_of_a_service_end_with_it() {
    let folder = Folder::new();
    let script = r#"
if ... == "owner" then
  skynet.start(function()
    local serves
    listen(function(id)
      socket.start(id)
      socket.write(id, "hello")
      print("serves")
      serves = true
    end)
    skynet.dispatch("lua", function()
      repeat skynet.yield() until serves
      skynet.exit()
    end)
    -- One that nobody has started ends as well.
  end)
else
  skynet.start(function()
    local owner = skynet.newservice("main", "owner")
    while #socket.netstat() < 2 do skynet.sleep(1) end
    skynet.send(owner, "lua")
    while #socket.netstat() > 0 do skynet.sleep(1) end
    print("none is left")
  end)
end"#;
    let mut node = start(&folder, script, "");
    let mut peer = connect(&mut node);
    node.expect("serves");
    let mut text = String::new();
    peer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    node.expect("none is left");
    assert!(TcpStream::connect(peer.peer_addr().unwrap()).is_err());
}

#[test]
fn standard_input_is_a_socket() {
    let folder = Folder::new();
    folder.config("").write(
        "main.lua",
        format!(
            "{HEAD}
skynet.start(function()
  local id = socket.stdin()
  print('ready ' .. math.type(id))
  while true do
    local line, rest = socket.readline(id)
    if not line then print('rest ' .. rest) break end
    print('line ' .. line)
  end
  socket.close(id)
  skynet.abort()
end)"
        ),
    );
    let (mut node, mut input) = Node::with_input(&mut folder.command());
    node.expect("ready integer");
    say(&mut input, "one");
    node.expect("line one");
    say(&mut input, "two");
    node.expect("line two");
    input.write_all(b"three").unwrap();
    drop(input);
    node.expect("rest three");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn the_sandbox_says_which_rule_refuses_an_address() {
    let folder = Folder::new();
    folder.write(
        "sandbox.toml",
        "[default]\nconnect = [\"127.0.0.1:1-9\"]\nlisten = [\"127.0.0.1\"]\nsockets = 2\n",
    );
    let script = r#"
skynet.start(function()
  local function tell(name, f, ...)
    local ok, text = pcall(f, ...)
    print(name .. ": " .. tostring(text))
  end
  tell("open", socket.open, "127.0.0.1", 10)
  tell("listen", socket.listen, "0.0.0.0", 0)
  tell("udp", socket.udp_listen, "0.0.0.0", 0, print)
  tell("dial", socket.udp_dial, "127.0.0.1", 10, print)
  tell("bind", socket.bind, 3)
  print("refused by the system", socket.open("127.0.0.1", 1))
  socket.listen("127.0.0.1", 0)
  socket.udp(print)
  tell("third", socket.udp, print)
  tell("third", socket.open, "127.0.0.1", 1)
end)"#;
    let mut node = start(&folder, script, "");
    let refusal = "sandbox: snlua main may not";
    let how = |rule: &str| format!("(to allow it: {rule} in sandbox.toml)");
    node.expect(&format!("{refusal} connect to 127.0.0.1:10 {}", how("connect")));
    node.expect(&format!("{refusal} listen on 0.0.0.0:0 {}", how("listen")));
    node.expect(&format!("{refusal} listen on 0.0.0.0:0 {}", how("listen")));
    node.expect(&format!("{refusal} connect to 127.0.0.1:10 {}", how("connect")));
    node.expect(&format!("{refusal} bind the descriptor 3 {}", how("native_modules")));
    node.expect("refused by the system\tnil\tConnection refused");
    node.expect("too many sockets: the limit is 2 (sandbox.toml: sockets)");
    node.expect("too many sockets: the limit is 2 (sandbox.toml: sockets)");
}

#[test]
fn the_old_names_are_the_same_modules() {
    let folder = Folder::new();
    let script = r#"
skynet.start(function()
  print("socket " .. tostring(require "socket" == socket))
  print("driver " .. tostring(require "socketdriver" == require "skynet.socketdriver"))
  skynet.abort()
end)"#;
    let mut node = start(&folder, script, "");
    node.expect("socket true");
    node.expect("driver true");
    assert_eq!(node.code(), Some(0));
}
