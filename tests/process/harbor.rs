//! Harbors: nodes of skynet's older network, one of them with the master.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{DEADLINE, Folder, Node};

/// A service with a global name that answers requests, on the node with the master.
const FIRST: &str = r#"
local skynet = require "skynet.manager"
local datacenter = require "skynet.datacenter"
local commands = {}
function commands.echo(...) return ... end
function commands.fail() error "on purpose" end
function commands.size(text) return #text, text:byte(1), text:byte(-1) end
function commands.note(...) skynet.error("noted", ...) end
skynet.start(function()
  skynet.dispatch("lua", function(session, source, name, ...)
    if name == "never" then
      skynet.response()
      skynet.error "waits for ever"
    elseif session == 0 then
      commands[name](...)
    else
      skynet.retpack(commands[name](...))
    end
  end)
  skynet.register "FIRST"
  datacenter.set("from", "first", 11)
  skynet.error("ready", skynet.address(skynet.self()))
end)
"#;

fn folder(id: u8, more: &str, main: &str) -> Folder {
    let folder = Folder::new();
    folder
        .config(&format!("harbor = {id}\naddress = '127.0.0.1:0'\n{more}"))
        .write("main.lua", main)
        .write("helper.lua", "require('skynet').start(function() end)");
    folder
}

/// The node with the master; its port, and the folder, which ends with the test.
fn first(main: &str) -> (Node, String, Folder) {
    let folder = folder(1, "standalone = '127.0.0.1:0'\nmaster = '127.0.0.1:0'", main);
    let mut node = folder.start();
    let line = node.expect("master listen socket ");
    let master = line.rsplit_once(' ').unwrap().1.to_owned();
    node.expect("ready");
    (node, master, folder)
}

fn second(master: &str, main: &str) -> (Node, Folder) {
    let folder = folder(2, &format!("master = '{master}'"), main);
    (folder.start(), folder)
}

#[test]
fn services_of_two_harbors_call_each_other_by_name_and_handle() {
    let (mut first, master, _kept) = first(FIRST);
    let (mut second, _folder) = second(
        &master,
        r#"
local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local datacenter = require "skynet.datacenter"
local function shown(...)
  local ok, why = pcall(...)
  return ok, tostring(why):match "call failed"
end
skynet.start(function()
  local handle = harbor.queryname "FIRST"
  print("query", skynet.address(handle), skynet.harbor(handle))
  print("name", skynet.call("FIRST", "lua", "echo", 1, 2.5, nil, "x"))
  print("handle", skynet.call(handle, "lua", "echo", "y"))
  print("fail", shown(skynet.call, handle, "lua", "fail"))
  print("dead", shown(skynet.call, handle + 5000, "lua", "echo"))
  for _, size in ipairs { 0, 40, 70000, 5000000 } do
    print("size", skynet.call(handle, "lua", "size", "a" .. ("x"):rep(size) .. "z"))
  end
  print("too large", skynet.send(handle, "lua", "note", ("x"):rep(1 << 24)))
  for i = 1, 100 do skynet.send(handle, "lua", "note", i) end
  print("debug", skynet.call(handle, "debug", "PING"))
  print("datacenter", datacenter.get("from", "first"), datacenter.set("from", "second", 2))
  local unique = skynet.uniqueservice(true, "helper")
  print("unique", skynet.harbor(unique), unique == skynet.queryservice(true, "helper"))
  harbor.connect(1)
  print("own", skynet.harbor(skynet.self()))
  skynet.dispatch("lua", function(_, _, ...) skynet.retpack("second says", ...) end)
  skynet.register "SECOND"
  print "done"
end)
"#,
    );
    for line in [
        "query\t:01000009\t1\ttrue",
        "name\t1\t2.5\tnil\tx",
        "handle\ty",
        "fail\tfalse\tcall failed",
        "dead\tfalse\tcall failed",
        "size\t2\t97\t122",
        "size\t42\t97\t122",
        "size\t70002\t97\t122",
        "size\t5000002\t97\t122",
        "too large\tfalse",
        "debug",
        "datacenter\t11",
        "unique\t1\ttrue",
        "own\t2\tfalse",
        "done",
    ] {
        second.expect(line);
    }
    // Messages from one service to another keep their order.
    for number in 1..=100 {
        first.expect(&format!("noted {number}"));
    }
    assert_eq!(first.count("noted "), 100);
    first.see("Unknown destination :1001391 from :2000007 type(10)");
}

#[test]
fn a_message_to_a_name_waits_until_another_harbor_has_it() {
    let (mut first, master, _kept) = first(
        r#"
local skynet = require "skynet.manager"
skynet.start(function()
  skynet.fork(function()
    print("early", skynet.call("LATER", "lua", "asked before it was there"))
  end)
  skynet.error "ready"
end)
"#,
    );
    let (_second, _folder) = second(
        &master,
        r#"
local skynet = require "skynet.manager"
skynet.start(function()
  skynet.dispatch("lua", function(_, source, ...) skynet.retpack(skynet.harbor(source), ...) end)
  skynet.register "LATER"
end)
"#,
    );
    first.expect("early\t1\tasked before it was there");
}

#[test]
fn what_waits_for_a_harbor_that_is_lost_fails() {
    let (mut first, master, _kept) = first(FIRST);
    let (mut second, _folder) = second(
        &master,
        r#"
local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
skynet.start(function()
  local handle = harbor.queryname "FIRST"
  skynet.call(handle, "lua", "echo")
  skynet.fork(function() harbor.link(1) print "link returned" end)
  skynet.fork(function() harbor.linkmaster() print "master lost" end)
  skynet.fork(function()
    print("pending", (pcall(skynet.call, handle, "lua", "never")))
    print("later", (pcall(skynet.call, handle, "lua", "echo")))
    skynet.send(handle, "lua", "echo")
    harbor.link(1)
    print "link returns at once"
  end)
  print "waiting"
end)
"#,
    );
    second.expect("waiting");
    first.expect("waits for ever");
    first.signal("KILL");
    second.expect("pending\tfalse");
    second.expect("later\tfalse");
    second.expect("link returns at once");
    second.see("link returned");
    second.see("master lost");
    second.see("Drop message to harbor 1 from 2000007 to 1000009");
}

/// Bytes of skynet's control protocol: a length and packed values.
fn packet(values: &[&[u8]]) -> Vec<u8> {
    let body = values.concat();
    let mut packet = vec![u8::try_from(body.len()).unwrap()];
    packet.extend(body);
    packet
}

fn read_packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; length[0].into()];
    stream.read_exact(&mut body).unwrap();
    body
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn the_bytes_between_harbors_are_those_of_skynet() {
    let (mut node, master, _kept) = first(FIRST);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();

    // "H", 7, address.
    let text = [&[(u8::try_from(address.len()).unwrap() << 3) | 4], address.as_bytes()].concat();
    let mut control = connect(&master);
    control.write_all(&packet(&[b"\x0cH", b"\x0a\x07", &text])).unwrap();
    assert_eq!(read_packet(&mut control), b"\x0cW\x0a\x01", "one other harbor to wait for");

    // The one that is there connects, and each side says its id.
    let (mut link, _) = listener.accept().unwrap();
    link.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut id = [0];
    link.read_exact(&mut id).unwrap();
    assert_eq!(id, [1]);
    link.write_all(&[7]).unwrap();

    // "Q" for a name, and its "N".
    control.write_all(&packet(&[b"\x0cQ", b"\x2cFIRST"])).unwrap();
    // Others hear of names that are taken meanwhile.
    let name = |packet: &[u8]| packet.starts_with(b"\x0cN\x2cFIRST");
    let found = std::iter::repeat_with(|| read_packet(&mut control)).find(|packet| name(packet));
    assert_eq!(found.unwrap(), b"\x0cN\x2cFIRST\x22\x09\x00\x00\x01");

    // call(handle, "lua", "echo", 5) of :07000010 under the session 3, in two pieces.
    let request =
        [&[0, 0, 0, 19][..], b"\x24echo\x0a\x05", &[7, 0, 0, 16, 10, 0, 0, 9, 0, 0, 0, 3]].concat();
    link.write_all(&request[..9]).unwrap();
    link.write_all(&request[9..]).unwrap();
    let mut answer = [0; 18];
    link.read_exact(&mut answer).unwrap();
    let expected =
        [&[0, 0, 0, 14][..], b"\x0a\x05", &[1, 0, 0, 9, 1, 0, 0, 16, 0, 0, 0, 3]].concat();
    assert_eq!(answer[..], expected[..]);

    // An id is taken once, and 0 is none.
    for (id, why) in [(7, "Slave 7 already register on"), (0, "Invalid slave id 0")] {
        let mut other = connect(&master);
        let number: &[u8] = if id == 0 { b"\x02" } else { b"\x0a\x07" };
        other.write_all(&packet(&[b"\x0cH", number, &text])).unwrap();
        let mut rest = Vec::new();
        other.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
        node.see(why);
    }

    // A frame that says it is longer than 16 MiB ends the link.
    link.write_all(&[1, 0, 0, 0]).unwrap();
    node.see("Message is too long from harbor 7");
    let mut rest = Vec::new();
    let _ = link.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    let echo = "alive";
    drop(control);
    node.see("slave 7 is down");
    let (mut second, _folder) = second(
        &master,
        &format!(
            "local skynet = require 'skynet.manager'
             skynet.start(function()
               print(skynet.call('FIRST', 'lua', 'echo', '{echo}'))
             end)"
        ),
    );
    second.expect(echo);
}

#[test]
fn a_harbor_that_comes_and_goes_meanwhile_is_not_one_of_those_waited_for() {
    let master = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut node, _folder) = second(&master.local_addr().unwrap().to_string(), "");
    let (mut control, _) = master.accept().unwrap();
    control.set_read_timeout(Some(DEADLINE)).unwrap();
    // "H", 2, address.
    let hello = read_packet(&mut control);
    let address = String::from_utf8(hello[5..].to_vec()).unwrap();

    // "W", 1; then "C", 3, address and "D", 3.
    control.write_all(&packet(&[b"\x0cW", b"\x0a\x01"])).unwrap();
    control.write_all(&packet(&[b"\x0cC", b"\x0a\x03", b"\x5c127.0.0.1:1"])).unwrap();
    control.write_all(&packet(&[b"\x0cD", b"\x0a\x03"])).unwrap();
    drop(control);
    node.expect("Master disconnect");
    assert_eq!(node.count("Shakehand ready"), 0);
    connect(&address).write_all(&[1]).unwrap();
    node.expect("Harbor 1 connected");
    node.expect("Shakehand ready");
}

#[test]
fn multicast_reaches_subscribers_of_every_harbor() {
    let (mut first, master, _kept) = first(
        r#"
local skynet = require "skynet.manager"
local multicast = require "skynet.multicast"
local datacenter = require "skynet.datacenter"
skynet.start(function()
  local channel = multicast.new {
    dispatch = function(_, source, ...) print("first hears", skynet.harbor(source), ...) end,
  }
  print("channel", channel.channel & 0xff)
  channel:subscribe()
  datacenter.set("channel", channel.channel)
  skynet.error "ready"
  datacenter.wait "subscribed"
  channel:publish("from the first", 1)
  datacenter.wait "published"
  channel:delete()
  skynet.error "deleted"
end)
"#,
    );
    let (mut second, _folder) = second(
        &master,
        r#"
local skynet = require "skynet.manager"
local multicast = require "skynet.multicast"
local datacenter = require "skynet.datacenter"
skynet.start(function()
  local heard = 0
  local channel = multicast.new {
    channel = datacenter.wait "channel",
    dispatch = function(_, source, ...)
      print("second hears", skynet.harbor(source), ...)
      heard = heard + 1
      if heard == 2 then
        datacenter.set("published", true)
      end
    end,
  }
  channel:subscribe()
  channel:publish("from the second", 2)
  datacenter.set("subscribed", true)
end)
"#,
    );
    first.see("channel\t1");
    first.expect("first hears\t2\tfrom the second\t2");
    first.expect("first hears\t1\tfrom the first\t1");
    second.expect("second hears\t2\tfrom the second\t2");
    second.expect("second hears\t1\tfrom the first\t1");
    first.expect("deleted");
}
