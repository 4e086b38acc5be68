//! Services that come and go leave nothing behind.

use super::support::Folder;

/// Services started and ended in the short form. `make test-long` sets `LEAK_SERVICES` to 100,000.
const SERVICES: usize = 6_000;

/// What may be left of the memory each service took, in bytes: noise of the allocator, which has been
/// 20 to 110. A leak of a Lua state would be 20 KiB a service.
const LEFT: i64 = 1024;

const MAIN: &str = r#"
local skynet = require "skynet"
require "skynet.manager"

local function resident()
  local file = assert(io.open "/proc/self/statm")
  local pages = tonumber(file:read "a":match "^%d+%s+(%d+)")
  file:close()
  return pages * 4096
end

-- Starts services that answer a call, set a timer, hold a message block and end by themselves.
local function round(count)
  for _ = 1, count do
    local service = skynet.newservice "comer"
    skynet.send(service, "lua", "leave")
    pcall(skynet.call, service, "lua", "after the end")
  end
  collectgarbage()
end

skynet.start(function()
  local count = tonumber((skynet.getenv "count"))
  round(count // 4)
  local before = resident()
  round(count)
  print(("left %d"):format((resident() - before) // count))
  skynet.abort()
end)
"#;

const COMER: &str = r#"
local skynet = require "skynet"
local message, size = skynet.pack { "kept", ("x"):rep(2000) }

skynet.start(function()
  skynet.timeout(100000, function() end)
  skynet.fork(skynet.wait)
  skynet.dispatch("lua", function(_, _, command)
    if command == "leave" then
      skynet.exit()
    end
    skynet.retpack(size, message)
  end)
end)
"#;

#[test]
fn services_that_come_and_go_leave_memory_where_it_was() {
    let count = std::env::var("LEAK_SERVICES").ok().and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(SERVICES);
    let folder = Folder::new();
    folder.write("main.lua", MAIN).write("comer.lua", COMER);
    folder.config(&format!("count = {count}\nlogger = 'log'"));
    // No deadline: the long form takes minutes.
    let output = folder.command().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let left = text.lines().find_map(|line| line.strip_prefix("left ")).unwrap_or("nothing");
    let left: i64 = left.parse().unwrap_or_else(|_| panic!("no figure in: {text}"));
    assert!(left < LEFT, "{left} bytes are left of each of {count} services");
    assert!(output.status.success());
}
