//! WebSocket over real connections: clients that others wrote, and clients that mean no good.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use crate::support::{DEADLINE, Folder, Node, wait_until};

/// Echoes; `close` closes, `flood` writes until the connection is gone. Both ways to write it.
const SERVICE: &str = r#"
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "http.websocket"
local object = require "websocket"

local handle = {}
function handle.message(id, message, kind)
  if message == "close" then
    websocket.close(id, 4002, "server first")
  elseif message == "flood" then
    local chunk = ("x"):rep(65536)
    local ok, err
    repeat ok, err = pcall(websocket.write, id, chunk, "binary") until not ok
    skynet.error("flood: " .. tostring(err))
  else
    websocket.write(id, message, kind)
  end
end
function handle.close(_, code, reason) skynet.error("close", code, reason) end
function handle.error(_, reason) skynet.error("lost: " .. reason) end

local handler = {}
function handler.on_message(ws, message, kind)
  if message == "close" then
    ws:close(4002, "server first")
  else
    (kind == "text" and ws.send_text or ws.send_binary)(ws, message)
  end
end
function handler.on_close(_, code, reason) skynet.error("on_close", code, reason) end

local function listen(name, serve)
  local id, _, port = socket.listen("127.0.0.1", 0)
  socket.start(id, function(client, addr)
    local ok, err = pcall(serve, client, addr)
    if not ok then skynet.error(err) end
  end)
  skynet.error(name, port)
end

skynet.start(function()
  listen("callbacks", function(id, addr) websocket.accept(id, handle, "ws", addr) end)
  listen("objects", function(id)
    socket.start(id)
    local code, _, _, header = httpd.read_request(sockethelper.readfunc(id), 8192)
    if code == 200 then
      object.new(id, header, handler):start()
    end
  end)
  skynet.error "ready"
end)
"#;

struct Server {
    node: Node,
    callbacks: u16,
    objects: u16,
    // The last field, so that the node ends before its folder does.
    _folder: Folder,
}

fn server(config: &str) -> Server {
    let folder = Folder::new();
    folder.write("main.lua", SERVICE).config(config);
    let mut node = folder.start();
    let mut port = |name: &str| {
        let line = node.expect(&format!("] {name} "));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let (callbacks, objects) = (port("callbacks"), port("objects"));
    node.expect("ready");
    Server { node, callbacks, objects, _folder: folder }
}

/// Runs a client of `tests/clients`, which prints `ok`.
pub(crate) fn run_client(program: &str, file: &str, port: u16) {
    let file = format!("{}/tests/clients/{file}", env!("CARGO_MANIFEST_DIR"));
    // Where Debian's package puts the modules of Node.js.
    let modules = std::env::var("NODE_PATH").unwrap_or_else(|_| "/usr/share/nodejs".to_owned());
    let mut command = Command::new(program);
    let output =
        command.arg(file).arg(port.to_string()).env("NODE_PATH", modules).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim() == "ok", "{program}: {said}{errors}");
}

/// The system's own, which has the package that tests/setup.sh installs.
pub(crate) fn python() -> String {
    std::env::var("PYTHON").unwrap_or_else(|_| "/usr/bin/python3".to_owned())
}

#[test]
fn the_library_websockets_of_python_agrees() {
    let mut server = server("");
    run_client(&python(), "websocket.py", server.callbacks);
    server.node.expect("close 4001 client first");
    run_client(&python(), "websocket.py", server.objects);
    server.node.expect("on_close 4002 server first");
}

#[test]
fn the_library_ws_of_node_js_agrees() {
    let mut server = server("");
    run_client("nodejs", "websocket.js", server.callbacks);
    server.node.expect("close 4002 server first");
    run_client("nodejs", "websocket.js", server.objects);
    server.node.expect("on_close 1002");
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn raw(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn opened(port: u16) -> TcpStream {
    let mut stream = raw(port);
    stream.write_all(REQUEST).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

fn exactly(stream: &mut TcpStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got, expected);
}

fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    rest
}

/// One connection from its opening to its end, closed by the client.
fn round(port: u16) {
    let mut stream = opened(port);
    stream.write_all(&masked(0x81, b"hello")).unwrap();
    exactly(&mut stream, b"\x81\x05hello");
    stream.write_all(&masked(0x88, b"\x03\xe8")).unwrap();
    exactly(&mut stream, b"\x88\x02\x03\xe8");
    assert_eq!(rest(&mut stream), b"", "the server closes behind its answer");
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.node.process())).unwrap().count()
}

/// Resident memory in KiB.
fn memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.node.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn expect_descriptors(server: &Server, expected: usize) {
    wait_until("descriptors as before", || descriptors(server) <= expected);
}

#[test]
fn many_connections_come_and_go_and_leave_nothing() {
    let server = server("");
    let rounds = std::env::var("WEBSOCKET_CHURN").map_or(1500, |text| text.parse().unwrap());
    let both = |rounds: usize| {
        std::thread::scope(|scope| {
            for port in [server.callbacks, server.objects] {
                scope.spawn(move || (0..rounds / 2).for_each(|_| round(port)));
            }
        });
    };
    both(200);
    let (files, before) = (descriptors(&server), memory(&server));
    both(rounds);
    expect_descriptors(&server, files);
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB after {rounds} connections, {before} KiB before");
}

#[test]
fn a_handshake_that_does_not_come_is_refused_in_time() {
    let mut server = server("websocket_handshake_timeout = 0.3");
    let files = descriptors(&server);
    // All that is said has arrived when the node accepts, from when on the time runs.
    server.node.pause();
    let mut streams: Vec<TcpStream> = (0..30).map(|_| raw(server.callbacks)).collect();
    for (index, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&REQUEST[..index]).unwrap();
    }
    server.node.signal("CONT");
    for stream in &mut streams {
        assert!(rest(stream).starts_with(b"HTTP/1.1 408 "));
    }
    server.node.expect("no opening handshake within 0.3 s");
    drop(streams);
    expect_descriptors(&server, files);
}

#[test]
fn a_peer_that_has_vanished_is_noticed_by_its_silence() {
    let mut server = server("websocket_ping = 2");
    let mut stream = opened(server.callbacks);
    exactly(&mut stream, b"\x89\x00");
    stream.write_all(&masked(0x8a, b"")).unwrap();
    exactly(&mut stream, b"\x89\x00");
    assert_eq!(rest(&mut stream), b"");
    server.node.expect("lost: no answer to a ping within 2 s");
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_its_service_told() {
    let mut server = server("websocket_write_limit = 1024");
    let files = descriptors(&server);
    let mut stream = opened(server.callbacks);
    stream.write_all(&masked(0x81, b"flood")).unwrap();
    server.node.expect("flood: ");
    server.node.expect("lost: the peer is too slow");
    round(server.callbacks);
    drop(stream);
    expect_descriptors(&server, files);
}

#[test]
fn a_client_that_never_answers_a_close_frame_is_dropped() {
    let mut server = server("websocket_close_timeout = 0.2");
    let mut stream = opened(server.callbacks);
    stream.write_all(&masked(0x81, b"close")).unwrap();
    exactly(&mut stream, b"\x88\x0e\x0f\xa2server first");
    assert_eq!(rest(&mut stream), b"");
    server.node.expect("close 1006 no answer to the close frame");
}

#[test]
fn half_closed_and_cut_connections_end() {
    let mut server = server("");
    let files = descriptors(&server);
    let half = opened(server.callbacks);
    half.shutdown(Shutdown::Write).unwrap();
    server.node.expect("lost: closed by the peer");
    let cut = opened(server.objects);
    drop(cut);
    server.node.expect("on_close 1006");
    drop(half);
    expect_descriptors(&server, files);
}

#[test]
fn requests_of_all_bad_kinds_get_an_answer_of_http() {
    let server = server("");
    for (request, status) in [
        (&b"\x16\x03\x01\x00\xa5\x01\x00\x00"[..], "400"),
        (b"hello\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\n\r\n", "426"),
        (b"POST / HTTP/1.1\r\n\r\n", "405"),
        (b"GET / HTTP/1.0\r\n\r\n", "505"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "400"),
    ] {
        let mut stream = raw(server.callbacks);
        stream.write_all(request).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest(&mut stream);
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(expected.as_bytes()), "{:?}", String::from_utf8_lossy(&answer));
    }
    let mut long = raw(server.callbacks);
    let _ = long.write_all(format!("GET / HTTP/1.1\r\nA: {}\r\n", "a".repeat(20_000)).as_bytes());
    assert!(rest(&mut long).starts_with(b"HTTP/1.1 431 "));
}
