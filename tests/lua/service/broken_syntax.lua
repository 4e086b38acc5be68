-- Helper: cannot be compiled.
local skynet = = require "skynet"
