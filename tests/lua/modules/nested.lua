-- Helper module: requires another one that waits.
local waits = require "waits"
print("nested sees", waits.ready)
