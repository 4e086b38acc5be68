-- Helper: starts and handles nothing.
local skynet = require "skynet"

skynet.start(function() end)
