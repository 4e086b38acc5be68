-- Round trips of packets from clients over a gate to an agent each, which answers on the client's socket.
-- Clients, gate and agents share the process, so both ends of every connection are measured.
local skynet = require "skynet"

local role = ...
local CLIENTS, ROUNDS, SIZE = 64, 2000, 64

if role == "agent" then
  local driver = require "skynet.socketdriver"
  local netpack = require "skynet.netpack"
  skynet.register_protocol {
    name = "client", id = skynet.PTYPE_CLIENT,
    unpack = skynet.tostring,
    dispatch = function(fd, _, text)
      skynet.ignoreret()
      driver.send(fd, netpack.pack(text))
    end,
  }
  skynet.start(function()
    skynet.dispatch("lua", function(_, _, gate, fd)
      skynet.retpack(skynet.call(gate, "lua", "forward", fd, fd))
    end)
  end)
elseif role == "clients" then
  local bench = require "bench"
  local socket = require "skynet.socket"
  local fds = {}
  local command = {}

  function command.open(port, clients)
    for i = 1, clients do
      fds[i] = assert(socket.open("127.0.0.1", port))
    end
  end

  function command.run(rounds, size)
    local packet = string.pack(">s2", ("x"):rep(size))
    bench.parallel(#fds, function(i)
      for _ = 1, rounds do
        socket.write(fds[i], packet)
        assert(socket.read(fds[i], #packet) == packet)
      end
    end)
  end

  skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
      skynet.retpack(command[name](...))
    end)
  end)
else
  local bench = require "bench"
  local port = bench.param("bench_port", 18731)
  local rounds = bench.param("bench_n", ROUNDS)
  bench.main(function()
    local gate = skynet.newservice "gate"
    skynet.dispatch("lua", function(_, _, kind, what, fd)
      if kind == "socket" and what == "open" then
        skynet.call(skynet.newservice(SERVICE_NAME, "agent"), "lua", gate, fd)
      end
    end)
    skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = port, maxclient = 1024, nodelay = true })
    local groups = { skynet.newservice(SERVICE_NAME, "clients"), skynet.newservice(SERVICE_NAME, "clients") }
    local function all(...)
      local arguments = { ... }
      bench.parallel(#groups, function(i)
        skynet.call(groups[i], "lua", table.unpack(arguments))
      end)
    end
    local size = bench.param("bench_size", SIZE)
    all("open", port, CLIENTS // #groups)
    all("run", 10, size)
    local start = bench.now()
    all("run", rounds, size)
    bench.rate("gate_echo", CLIENTS * rounds, bench.now() - start, "msgs/s")
  end)
end
