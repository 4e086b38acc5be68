//! Host names are looked up where no worker waits. The resolver is one that a test holds up.

use std::fs::OpenOptions;
use std::process::Command;

use super::support::{Folder, Node};

/// Stands before the system's: `held.test` is this machine, once somebody has the pipe `held` open
/// for writing.
const RESOLVER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
  if (node && !strcmp(node, "held.test")) {
    close(open("held", O_RDONLY));
    node = "127.0.0.1";
  }
  return next(node, service, hints, found);
}
"#;

const SCRIPT: &str = r#"
local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
require "skynet.manager"

-- Where nothing can be suspended the thread waits.
print("main chunk", select(2, socket.listen("localhost", 0)))

skynet.start(function()
  local dialed = socket.udp(print, "127.0.0.1", 0)
  local plain = driver.udp()
  local calls = {
    listen = function() return select(2, socket.listen("held.test", 0)) end,
    ["driver.listen"] = function() return math.type(driver.listen("held.test", 0)) end,
    open = function() return select(2, socket.open("held.test", 1)) end,
    resolve = function() return socket.resolve("held.test")[1] end,
    udp = function() return math.type(socket.udp(print, "held.test", 0)) end,
    udp_listen = function() return math.type(socket.udp_listen("held.test", 0, print)) end,
    udp_dial = function() return math.type(socket.udp_dial("held.test", 9, print)) end,
    udp_connect = function() return table.pack(socket.udp_connect(dialed, "held.test", 9)).n end,
    ["driver.udp"] = function() return math.type(driver.udp("held.test", 0)) end,
    ["driver.udp_listen"] = function() return math.type(driver.udp_listen("held.test", 0)) end,
    ["driver.udp_dial"] = function() return math.type(driver.udp_dial("held.test", 9)) end,
    ["driver.udp_connect"] = function() return table.pack(driver.udp_connect(plain, "held.test", 9)).n end,
  }
  local left = 0
  for name, call in pairs(calls) do
    left = left + 1
    skynet.fork(function()
      print(name, call())
      left = left - 1
      if left == 0 then
        print(pcall(socket.listen, "no..host", 0))
        print(pcall(socket.udp_dial, "no..host", 9, print))
        skynet.abort()
      end
    end)
  end
  -- Behind the forks. The only worker has all of them waiting, and time for this.
  skynet.fork(function()
    skynet.sleep(1)
    print "the worker is free"
  end)
end)
"#;

#[test]
fn no_worker_waits_for_the_resolver() {
    let folder = Folder::new();
    folder.write("resolver.c", RESOLVER).write("main.lua", SCRIPT).config("thread = 1");
    let cc = ["-shared", "-fPIC", "-o", "resolver.so", "resolver.c", "-ldl"];
    for mut command in [
        {
            let mut command = Command::new("cc");
            command.args(cc);
            command
        },
        {
            let mut command = Command::new("mkfifo");
            command.arg("held");
            command
        },
    ] {
        assert!(command.current_dir(folder.path("")).status().unwrap().success());
    }
    let mut node = Node::spawn(folder.command().env("LD_PRELOAD", folder.path("resolver.so")));
    node.expect("main chunk\t127.0.0.1");
    node.expect("the worker is free");
    for name in ["listen", "udp", "open", "resolve"] {
        assert_eq!(node.count(name), 0, "{name} does not wait");
    }
    // Open for both, it waits for no reader.
    let held = OpenOptions::new().read(true).write(true).open(folder.path("held")).unwrap();
    assert_eq!(node.code(), Some(0));
    drop(held);
    let said = node.rest();
    for line in [
        "\nlisten\t127.0.0.1\t",
        "driver.listen\tinteger",
        "\nopen\tConnection refused\n",
        "\nresolve\t127.0.0.1\n",
        "\nudp\tinteger\n",
        "\nudp_listen\tinteger\n",
        "\nudp_dial\tinteger\n",
        "\nudp_connect\t0\n",
        "driver.udp\tinteger",
        "driver.udp_listen\tinteger",
        "driver.udp_dial\tinteger",
        "driver.udp_connect\t0",
        "false\t./main.lua:",
        "Listen error (Name or service not known)",
        "udp dial host failed (Name or service not known)",
    ] {
        assert!(said.contains(line), "{line:?}: {said}");
    }
}
