-- socketdriver: the buffer object that keeps what arrived, header, str2p, and udp from the driver
local skynet = require "skynet"
local driver = require "skynet.socketdriver"
require "skynet.manager"

skynet.start(function()
  local pool = {}
  local buffer = driver.buffer()
  local function push(text)
    return driver.push(buffer, pool, driver.str2p(text))
  end
  local pointer, size = driver.str2p "abc"
  print("str2p", type(pointer), size)
  driver.drop(pointer, size)

  print("push", push "one\ntwo", push "\nthr", push "ee")
  print("pop", driver.pop(buffer, pool, 2))
  print("readline", driver.readline(buffer, pool, "\n"))
  print("check", driver.readline(buffer, nil, "\n"))
  print("readline", driver.readline(buffer, pool, "\n"))
  print("readline", driver.readline(buffer, pool, "\n"))
  print("too much", driver.pop(buffer, pool, 100))
  print("nothing", driver.pop(buffer, pool, 0))
  print("readall", driver.readall(buffer, pool))
  print("empty", #driver.readall(buffer, pool))
  push "more"
  driver.clear(buffer, pool)
  print("cleared", driver.pop(buffer, pool, 1))
  print("header", driver.header "\1", driver.header "\1\2", driver.header "\1\2\3\4")
  print("bad header", pcall(driver.header, "12345"))
  skynet.abort()
end)
