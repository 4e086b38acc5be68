-- Events made up for a gate's queue: of the wrong form, on the wrong queue, of thousands of unfinished packets.
-- expect: netpack queue expected, got userdata
-- expect: netpack queue expected, got string
-- expect: no event of a socket
-- expect: not a message block of this service
-- expect: the queue is full: not enough memory
-- expect: freed
local skynet = require "skynet"
local netpack = require "skynet.netpack"

--- The event that says that `data` has arrived from the socket `id`.
local function arrived(id, data)
  return string.pack("<I1i4i4", 1, id, 0) .. data
end

skynet.start(function()
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    skynet.error(ok and "has escaped" or why)
    assert(not ok)
  end
  try(netpack.pop, io.stdout)
  try(netpack.clear, "queue")
  try(netpack.filter, nil, "")
  try(netpack.filter, nil, ("\255"):rep(20))
  try(netpack.filter, nil, (skynet.unpack(string.pack("<I1I8", 3, 4096))), 9)
  try(netpack.tostring, (skynet.unpack(string.pack("<I1I8", 3, 4096))), 9)

  local queue = netpack.filter(nil, arrived(1, "\0\5ab"))
  assert(not getmetatable(queue))
  local _, what, id, packet, size = netpack.filter(queue, arrived(1, "cde"))
  assert(what == "data" and id == 1 and netpack.tostring(packet, size) == "abcde")
  try(netpack.tostring, packet, size) -- freed already

  local data = "\255\255" .. ("x"):rep(60000)
  local ok, why
  for socket = 1, 5000 do
    ok, why = pcall(netpack.filter, queue, arrived(socket, data))
    if not ok then
      break
    elseif socket % 20 == 0 then
      skynet.yield() -- the memory is to end this, not the time for a message
    end
  end
  skynet.error("the queue is full:", ok and "never" or why)
  netpack.clear(queue)
  collectgarbage()
  local _, more = netpack.filter(queue, arrived(1, ("\0\0"):rep(1000)))
  local count = 0
  for _ in netpack.pop, queue do
    count = count + 1
  end
  assert(more == "more" and count == 1000)
  queue = netpack.filter(nil, arrived(7, data))
  queue = nil
  collectgarbage()
  skynet.error(("freed %d"):format(require("skynet.memory").current()))
end)
