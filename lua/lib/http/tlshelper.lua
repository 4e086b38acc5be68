--- http.tlshelper: HTTP over TLS.
---
--- The socket itself speaks TLS once it was told to, so the readers and writers here are those of
--- `http.sockethelper`. What scripts handle as contexts and sessions says only what is to be told.

local sockethelper = require "http.sockethelper"

local tlshelper = {}

-- The natives wanted, one function each; `skynet.socket.tls` is looked up when first needed.
local function start_client(fd, hostname, options)
  return require("skynet.socket.tls").client(fd, hostname, options)
end

local function start_server(fd, certfile, keyfile, options)
  return require("skynet.socket.tls").server(fd, certfile, keyfile, options)
end

local context = {}
context.__index = context

--- Files with the server's certificates and its key, both PEM.
---@param certfile string
---@param keyfile string
function context:set_cert(certfile, keyfile)
  self.certfile, self.keyfile = certfile, keyfile
end

--- The cipher suites that may be agreed on.
---@param list string
function context:set_ciphers(list)
  self.options = self.options or {}
  self.options.ciphers = list
end

local session = {}
session.__index = session

--- Whether the handshake is over.
---@return boolean
function session:finished()
  return self.established
end

--- The name that the server's certificate has to have.
---@param hostname string
function session:set_ext_host_name(hostname)
  self.hostname = hostname
end

--- Ends with its socket.
function session:close()
  self.established = false
end

--- What sessions have in common.
---@param options? table handed on to `skynet.socket.tls`
function tlshelper.newctx(options)
  return setmetatable({ options = options }, context)
end

--- One end of a connection.
---@param role "client"|"server"
---@param ctx table
---@param hostname? string the server's name, for a client
function tlshelper.newtls(role, ctx, hostname)
  if role ~= "client" and role ~= "server" then
    error(("bad argument #1 to 'newtls' (client or server expected, got %s)"):format(role), 2)
  end
  return setmetatable({ role = role, context = ctx, hostname = hostname, established = false }, session)
end

local function established(tls, fd, ok, reason)
  if not ok then
    error(("tls: socket %d: %s"):format(fd, reason), 0)
  end
  tls.established = true
end

--- Makes the function that does the client's handshake. It **yields**, and raises the reason when
--- there is no TLS to be had.
---@param fd integer
---@param tls table
---@return fun(hostname?: string)
function tlshelper.init_requestfunc(fd, tls)
  return function(hostname)
    established(tls, fd, start_client(fd, tls.hostname or hostname, tls.context.options))
  end
end

--- Makes the function that does the server's handshake, as above.
---@param fd integer
---@param tls table
---@return fun()
function tlshelper.init_responsefunc(fd, tls)
  return function()
    local ctx = tls.context
    established(tls, fd, start_server(fd, ctx.certfile, ctx.keyfile, ctx.options))
  end
end

function tlshelper.closefunc(tls)
  return function()
    tls:close()
  end
end

function tlshelper.readfunc(fd)
  return sockethelper.readfunc(fd)
end

function tlshelper.writefunc(fd)
  return sockethelper.writefunc(fd)
end

function tlshelper.readallfunc(fd)
  return function()
    return sockethelper.readall(fd)
  end
end

return tlshelper
