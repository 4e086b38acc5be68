---@meta skynet
-- LuaLS annotations of the native module `skynet`. Not loaded by the node; a test compares the
-- function names with src/bindings/skynet/mod.rs.
--
-- **Yields** means: only the calling coroutine waits; called where nothing can be suspended, it
-- raises `attempt to yield from outside a coroutine` or `attempt to yield across a C-call boundary`.

---@class skynet
---@field PTYPE_TEXT integer
---@field PTYPE_RESPONSE integer
---@field PTYPE_MULTICAST integer
---@field PTYPE_CLIENT integer
---@field PTYPE_SYSTEM integer
---@field PTYPE_HARBOR integer
---@field PTYPE_SOCKET integer
---@field PTYPE_ERROR integer
---@field PTYPE_QUEUE integer
---@field PTYPE_DEBUG integer
---@field PTYPE_LUA integer
---@field PTYPE_SNAX integer
---@field PTYPE_TRACE integer
---@field cache skynet.codecache
---@field pcall fun(f: function, ...): boolean, ...
local skynet = {}

--- A handle, `":hex"`, `".name"`, a global name, or the text of a number.
---@alias skynet.address integer|string

--- A message type by name or id.
---@alias skynet.type string|integer

--- A packed message: a string, or a light userdata whose size follows as the next argument.
---@alias skynet.message string|lightuserdata

---@class skynet.protocol
---@field name string
---@field id integer 0..255
---@field pack? fun(...): skynet.message, integer?
---@field unpack? fun(message: lightuserdata, size: integer): ...
---@field dispatch? fun(session: integer, source: integer, ...)
---@field trace? boolean

--- The text form of a handle, `:0000000a`; `tostring` of anything else.
---@param address any
---@return string
function skynet.address(address) end

--- Sends a request and waits for the answer. **Yields.**
--- Raises `call failed` when the service does not exist, ends, or fails in its handler.
---@param address skynet.address
---@param type skynet.type
---@param ... any
---@return any ...
function skynet.call(address, type, ...) end

--- Session and source of the request that the running thread handles.
---@return integer? session
---@return integer? source
function skynet.context() end

--- Sets the handler of a message type; without `f`, returns it.
---@param type skynet.type
---@param f? fun(session: integer, source: integer, ...)
---@return function? before
function skynet.dispatch(type, f) end

--- Handles a message as the node does; for callbacks set with `skynet.core.callback`.
---@param type integer
---@param message lightuserdata?
---@param size integer
---@param session integer
---@param source integer
function skynet.dispatch_message(type, message, size, session, source) end

--- Replaces what is done with a request that no handler takes.
---@param f fun(session: integer, source: integer, message: lightuserdata, size: integer, protocol: any)
---@return function? before
function skynet.dispatch_unknown_request(f) end

--- Replaces what is done with an answer that nobody waits for.
---@param f fun(session: integer, source: integer, message: lightuserdata, size: integer)
---@return function? before
function skynet.dispatch_unknown_response(f) end

--- Whether the watchdog has found this service in one message for too long; reading clears it.
---@return boolean
function skynet.endless() end

--- Writes its arguments to the log, joined by blanks.
---@param ... any
function skynet.error(...) end

--- Ends the service; does not return. Whoever waits for an answer of it gets `call failed`.
function skynet.exit() end

--- Runs `f` once the running handler yields or ends, before the next message.
--- Raises when the service has as many coroutines as it may.
---@param f function
---@param ... any
---@return thread
function skynet.fork(f, ...) end

--- A fresh session number.
---@return integer
function skynet.genid() end

--- A value of the config, always a string.
---@param key string
---@return string?
function skynet.getenv(key) end

--- The id of the node an address is on, and whether that is another one.
---@param address integer
---@return integer harbor
---@return boolean remote
function skynet.harbor(address) end

--- Nanoseconds of the monotonic clock.
---@return integer
function skynet.hpc() end

--- The handler of the current request does not answer it.
function skynet.ignoreret() end

--- Sets the function behind the debug command INFO.
---@param f fun(...): any
function skynet.info_func(f) end

--- Runs `f` before the start function, or when the module being required has been loaded.
---@param f function
function skynet.init(f) end

--- Runs the init functions and `f`, and tells the launcher; what `skynet.start` does.
---@param f function
function skynet.init_service(f) end

--- Ends a waiting thread: a coroutine, or the one whose traceback has the text.
---@param thread thread|string
---@return thread? killed
function skynet.killthread(thread) end

--- The handle behind a local name.
---@param name string with its dot
---@return integer?
function skynet.localname(name) end

--- Limits the memory of the service; only in its main chunk, and once.
---@param bytes integer
function skynet.memlimit(bytes) end

--- Messages waiting, the current one not counted.
---@return integer
function skynet.mqlen() end

--- Starts a Lua service and waits until its start function has returned. **Yields.**
--- Raises `call failed` when it fails; the reason is in the log.
---@param name string
---@param ... any turned into words
---@return integer address
function skynet.newservice(name, ...) end

--- Hundredths of a second since the node started.
---@return integer
function skynet.now() end

--- Runs `f`, which may block, when the process is asked to end; nil takes it back.
---@param f function?
function skynet.on_stop(f) end

--- Packs values into a block that has to be sent or freed (`skynet.trash`).
--- Raises for functions, threads, userdata, and tables deeper than 32.
---@param ... any
---@return lightuserdata message
---@return integer size
function skynet.pack(...) end

--- Packs values into a string. Raises as `skynet.pack`.
---@param ... any
---@return string
function skynet.packstring(...) end

--- The address of a unique service, once it runs. **Yields.**
---@param global boolean|string `true` for the whole network, then the name follows
---@param ... string
---@return integer address
function skynet.queryservice(global, ...) end

--- `call` with a message packed already; the answer is valid until the next yield. **Yields.**
---@param address skynet.address
---@param type skynet.type
---@param message skynet.message
---@param size? integer
---@return lightuserdata message
---@return integer size
function skynet.rawcall(address, type, message, size) end

--- `send` of a message packed already.
---@param address skynet.address
---@param type skynet.type
---@param message skynet.message
---@param size? integer
---@return integer|false|nil
function skynet.rawsend(address, type, message, size) end

--- Sends a message in the name of `source`.
---@param address skynet.address
---@param source integer
---@param type skynet.type
---@param session integer
---@param message skynet.message
---@param size? integer
---@return integer|false|nil
function skynet.redirect(address, source, type, session, message, size) end

--- Adds a message type. Raises when name or id are taken.
---@param class skynet.protocol
function skynet.register_protocol(class) end

--- Several requests at once, taken in the order of their answers (`skynet.request`).
---@param ... any
---@return table
function skynet.request(...) end

--- A closure that answers the current request later: `f(true, ...)`, `f(false)`, `f("TEST")`.
---@param pack? fun(...): skynet.message, integer?
---@return fun(ok: boolean|"TEST", ...): boolean
function skynet.response(pack) end

--- Answers the current request. Raises `No session` when there is none or it has been answered.
---@param message? skynet.message
---@param size? integer
---@return boolean delivered
function skynet.ret(message, size) end

--- `ret(pack(...))`. Raises as both.
---@param ... any
---@return boolean delivered
function skynet.retpack(...) end

--- The service's own handle.
---@return integer
function skynet.self() end

--- Sends a message that needs no answer: 0, nothing when nobody is there, `false` when the
--- mailbox is full.
---@param address skynet.address
---@param type skynet.type
---@param ... any
---@return integer|false|nil
function skynet.send(address, type, ...) end

--- Sets a value of the config for the whole node. Raises when the key has one.
---@param key string
---@param value string|boolean
function skynet.setenv(key, value) end

--- Waits; `"BREAK"` when woken early. **Yields.**
--- Raises when the service has as many timers as it may, or the token is in use.
---@param centiseconds integer
---@param token? any the running coroutine by default
---@return "BREAK"?
function skynet.sleep(centiseconds, token) end

--- Takes messages from now on, and runs `f` as the first of them.
---@param f function
function skynet.start(f) end

--- Seconds of the wall clock when the node started.
---@return integer
function skynet.starttime() end

--- A statistic of this service.
---@param what "mqlen"|"endless"|"cpu"|"time"|"message"
---@return number?
function skynet.stat(what) end

--- Number of waiting threads, the traceback of one, or all of them into a table.
---@param what? integer|"init"|thread|table
---@return any
function skynet.task(what) end

--- Treats a service as gone: pending calls to it fail.
---@param address integer
function skynet.term(address) end

--- Wall clock in seconds, with hundredths.
---@return number
function skynet.time() end

--- Runs `f` later. Raises when the service has as many timers or coroutines as it may.
---@param centiseconds integer
---@param f fun(ok: true, message: lightuserdata, size: integer) the timer's message is empty
---@return thread
function skynet.timeout(centiseconds, f) end

--- The bytes of a message.
---@param message skynet.message
---@param size? integer
---@return string
function skynet.tostring(message, size) end

--- Traces the current request in the log.
---@param info? string
function skynet.trace(info) end

--- Logs calls that take longer than `centiseconds`; nil turns it off.
---@param centiseconds? integer
function skynet.trace_timeout(centiseconds) end

--- `rawcall` under a trace tag. **Yields.**
---@param tag string
---@param address skynet.address
---@param type skynet.type
---@param message skynet.message
---@param size? integer
---@return lightuserdata message
---@return integer size
function skynet.tracecall(tag, address, type, message, size) end

--- Logs one event of a trace.
---@param tag string
---@param text string
---@param ... any
function skynet.tracelog(tag, text, ...) end

--- Traces every request of a type, or stops it.
---@param type skynet.type
---@param on boolean?
function skynet.traceproto(type, on) end

--- The trace tag of the running thread.
---@return string?
function skynet.tracetag() end

--- Frees a block; strings are left alone.
---@param message skynet.message
---@param size? integer
function skynet.trash(message, size) end

--- Waiting threads with the same traceback, counted together.
---@return table
function skynet.uniqtask() end

--- Starts a service of which there is one, or finds it. **Yields.** Raises its failure text.
---@param global boolean|string `true` for the whole network, then the name follows
---@param ... any
---@return integer address
function skynet.uniqueservice(global, ...) end

--- The values of a message. Raises for bytes that are none.
---@param message skynet.message
---@param size? integer
---@return any ...
function skynet.unpack(message, size) end

--- Has `f` run when the process is asked to end, so that the service can save; `f` may block. The
--- node waits for it as long as the config's `stop_deadline` says.
---@param f? fun() nil takes it back
function skynet.on_stop(f) end

--- Waits until woken. **Yields.**
---@param token? any the running coroutine by default
function skynet.wait(token) end

--- Wakes whoever sleeps or waits under a token, once the running handler yields or ends.
---@param token any
---@return true? woken
function skynet.wakeup(token) end

--- Lets other messages run first: `sleep(0)`. **Yields.**
---@return "BREAK"?
function skynet.yield() end

return skynet
