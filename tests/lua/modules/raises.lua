-- Helper module: raises, after a wait, while it loads.
local skynet = require "skynet"

skynet.sleep(2)
error "cannot load"
