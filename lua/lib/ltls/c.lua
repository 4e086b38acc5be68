--- ltls.c: TLS sessions that read and write strings, as skynet's scripts use them.
---
--- What a session gives has to be sent to the peer, and what comes from the peer goes into it.
--- Unlike skynet's, a client judges the certificate of its server, unless the config or the context
--- says otherwise.
--- Not here: TLS on a socket, which is simpler and faster (`skynet.socket.tls`).

local memory = require "skynet.tls.memory"

local ltls = {}

---@class ltls.context
---@field options table
---@field certfile? string
---@field keyfile? string
local context = {}
context.__index = context

--- Files with a server's certificates and its key, both PEM. Raises when they are of no use.
---@param certfile string
---@param keyfile string
function context:set_cert(certfile, keyfile)
  assert(certfile, "need certfile")
  assert(keyfile, "need private key")
  memory.close(memory.server(certfile, keyfile))
  self.certfile, self.keyfile = certfile, keyfile
end

--- The ciphers of TLS 1.2 that may be agreed on, a list as OpenSSL writes it. Raises when none of
--- them is known.
---@param list string
function context:set_ciphers(list)
  memory.close(memory.client("localhost", { ciphers = list, verify = false }))
  self.options.ciphers = list
end

---@class ltls.session
---@field context ltls.context
---@field role "client"|"server"
---@field hostname? string
---@field native? userdata made when the handshake begins
---@field plain string what came with the end of the handshake
---@field closed boolean
local session = {}
session.__index = session

local function native(self)
  if self.closed then
    error("context is closed", 3)
  end
  if not self.native then
    local ctx = self.context
    if self.role == "server" then
      self.native = memory.server(ctx.certfile, ctx.keyfile, { ciphers = ctx.options.ciphers, ca = ctx.options.ca })
    elseif self.hostname or ctx.options.verify == false then
      self.native = memory.client(self.hostname or "localhost", ctx.options)
    else
      error("the name of the server is needed to judge its certificate (newtls or set_ext_host_name)", 3)
    end
  end
  return self.native
end

--- Takes what came from the peer; what has to be sent to it, if anything. Raises when the handshake
--- is over or fails.
---@param data? string
---@return string?
function session:handshake(data)
  local own = native(self)
  if memory.finished(own) then
    error("handshake is finished", 2)
  end
  local first = memory.start(own)
  local plain, reply, reason = memory.open(own, data)
  if reason then
    error(reason, 2)
  end
  self.plain = self.plain .. plain
  reply = first .. reply
  if reply ~= "" then
    return reply
  end
end

--- Whether the handshake is over.
---@return boolean
function session:finished()
  return memory.finished(native(self))
end

--- Takes what came from the peer; its plaintext, which may be empty.
---@param data? string
---@return string
function session:read(data)
  local plain, _, reason = memory.open(native(self), data)
  if reason then
    error(reason, 2)
  end
  plain, self.plain = self.plain .. plain, ""
  return plain
end

--- What has to be sent for `data`.
---@param data? string
---@return string
function session:write(data)
  return memory.seal(native(self), data)
end

--- The name that the server's certificate has to have; before the handshake.
---@param hostname string
function session:set_ext_host_name(hostname)
  self.hostname = hostname
end

--- Ends the session.
function session:close()
  if self.native then
    memory.close(self.native)
  end
  self.closed = true
end

--- What sessions have in common.
---@param options? {verify?: boolean, ca?: string, certfile?: string, keyfile?: string}
---@return ltls.context
function ltls.newctx(options)
  local own = {}
  for key, value in pairs(options or {}) do
    own[key] = value
  end
  return setmetatable({ options = own }, context)
end

--- One end of a connection.
---@param method "client"|"server"
---@param ctx ltls.context
---@param hostname? string the server's name, for a client
---@return ltls.session
function ltls.newtls(method, ctx, hostname)
  if method ~= "client" and method ~= "server" then
    error(("invalid method:%s e.g[server, client]"):format(method), 2)
  end
  if getmetatable(ctx) ~= context then
    error("need sslctx", 2)
  end
  return setmetatable({ role = method, context = ctx, hostname = hostname, plain = "", closed = false }, session)
end

return ltls
