-- Memory of the process, pipes, devices without an end, standard input.
-- expect: may not read /proc/self/mem (it is the memory of a process)
-- expect: may not read pipe (the node could wait for it for ever)
-- expect: cannot open /dev/zero: Invalid argument
-- expect: may not read standard input
-- expect: may not read /dev/ptmx
local skynet = require "skynet"

skynet.start(function()
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    skynet.error(ok and "has escaped" or why)
    assert(not ok)
  end
  for _, name in ipairs { "/proc/self/mem", "/proc/thread-self/mem", "pipe", "/dev/ptmx" } do
    try(io.open, name)
    try(io.lines, name)
    try(io.input, name)
    try(loadfile, name)
    try(dofile, name)
  end
  try(dofile, "/dev/zero")
  skynet.error((select(2, loadfile "/dev/zero")))
  try(io.read)
  try(io.lines)
  try(io.stdin.read, io.stdin, "a")
  try(io.stdin.lines, io.stdin)
  try(dofile)
  try(loadfile)
end)
