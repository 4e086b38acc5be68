--- ltls.init.c: what starts and ends OpenSSL in skynet. TLS here needs neither.

local init = {}

--- Does nothing.
function init.constructor() end

--- Does nothing.
function init.destructor() end

return init
