//! The dispatcher: a message becomes a running coroutine.
//!
//! There is one way into a service, `LuaActor::run`, and one way to resume a coroutine,
//! `VmPointer::resume`. The order within a message is skynet's: the handler until it yields or
//! ends; then threads woken meanwhile and calls that failed; then forked threads, also those
//! forked by forks; then the next message.
//!
//! Invariant: whatever may raise happens inside a coroutine or a protected call. A payload is
//! unpacked by the coroutine that gets it, so bad bytes fail that coroutine alone.

use std::ffi::c_int;
use std::fmt::Write as _;
use std::sync::Arc;

use mlua::ffi;

use super::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Resumed};
use super::profile::Stopwatch;
use super::session::{NO_REFERENCE, Waiter};
use super::state::Shared;
use super::thread::{Request, ThreadId, Waiting};
use super::{Callback, Current, VmPointer, Wake, interrupt, loader, seri};
use crate::kernel::{Actor, Handle, Inbox, Kind, Message, Node, Payload, Service, Session};
use crate::{continuation, native};

/// A scratch buffer larger than this is given back after the message that needed it.
const SCRATCH_KEPT: usize = 64 << 10;

/// Most trace tags that wait for the request behind them. There is hardly ever more than one.
const MOST_TAGS: usize = 1024;

/// A Lua service as the kernel sees it.
pub struct LuaActor {
    state: ActorState,
}

enum ActorState {
    /// Not started: the state is made by the worker that gives the service its first turn.
    New { node: Arc<Node>, service: Arc<Service>, shared: Arc<Shared>, arguments: Box<str> },
    Running(VmPointer),
    Ended,
}

// SAFETY: a VM belongs to no thread; the kernel lets one thread at a time use the actor.
unsafe impl Send for LuaActor {}

impl LuaActor {
    /// The actor of a Lua service started with `arguments`, the first word being its script.
    pub fn new(node: &Arc<Node>, service: &Arc<Service>, shared: &Arc<Shared>, arguments: &str) -> Self {
        Self {
            state: ActorState::New {
                node: Arc::clone(node),
                service: Arc::clone(service),
                shared: Arc::clone(shared),
                arguments: arguments.into(),
            },
        }
    }

    fn boot(&mut self) {
        let ActorState::New { node, service, shared, arguments } =
            std::mem::replace(&mut self.state, ActorState::Ended)
        else {
            return;
        };
        let name = arguments.split_whitespace().next().unwrap_or("");
        let policy = shared.sandbox.policy_for(name);
        if let Some(limit) = policy.mailbox {
            service.limit_mailbox(limit);
        }
        if let Some(limit) = policy.memory.and_then(|bytes| usize::try_from(bytes).ok()) {
            service.limit_mailbox_bytes(limit);
        }
        if let Some(limit) = policy.message_time {
            service.limit_message_time(limit);
        }
        let failure = match VmPointer::new(&node, &service, &shared, policy) {
            Err(text) => Some(text),
            Ok(pointer) => {
                self.state = ActorState::Running(pointer);
                // SAFETY: the VM is fresh and belongs to this turn.
                unsafe { loader::boot(pointer, &arguments) }.err()
            }
        };
        if let Some(text) = failure {
            node.log(Some(service.handle), &format!("lua loader error : {text}"));
            report_to_launcher(&node, service.handle, b"ERROR");
            node.retire(service.handle);
        }
    }
}

/// Tells the launcher in its text protocol how a start ended.
fn report_to_launcher(node: &Node, from: Handle, text: &[u8]) {
    if let Some(launcher) = node.registry.find_name(b"launcher") {
        let message = Message {
            source: Some(from),
            session: Session::NONE,
            kind: Kind::TEXT,
            payload: Payload::copy_of(text),
        };
        let _ = node.send_to(launcher, message);
    }
}

impl Actor for LuaActor {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        if matches!(self.state, ActorState::New { .. }) && inbox.next_message().is_some() {
            self.boot();
        }
        let ActorState::Running(pointer) = self.state else { return };
        // SAFETY: this is the service's turn; no borrow is kept across Lua.
        unsafe { pointer.get().turn_began = Some(inbox.began()) };
        while let Some(message) = inbox.next_message() {
            // SAFETY: as above.
            unsafe {
                pointer.get().taken = inbox.taken();
                pointer.handle(message);
            }
        }
        // SAFETY: as above.
        unsafe { pointer.end_turn() };
    }
}

impl Drop for LuaActor {
    fn drop(&mut self) {
        if let ActorState::Running(pointer) = std::mem::replace(&mut self.state, ActorState::Ended) {
            // SAFETY: the service has ended; nothing of the VM is in use.
            unsafe {
                pointer.get().fail_open_requests();
                pointer.close();
            }
        }
    }
}

/// How a resumed thread came to rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Suspended,
    Finished,
    Failed,
}

impl VmPointer {
    /// Handles one message to its end.
    ///
    /// # Safety
    /// Called in the service's turn.
    unsafe fn handle(self, message: Message) {
        // SAFETY: no borrow is kept across Lua. The message, and so its bytes, stays alive until
        // this function returns.
        unsafe {
            let vm = self.get();
            vm.message = Current {
                kind: message.kind,
                session: message.session,
                source: message.source,
                bytes: message.payload.as_slice(),
            };
            match vm.callback {
                Callback::Native => self.dispatch(),
                Callback::Script { function, forward } => {
                    self.call_script(function, forward, message);
                    self.settle();
                    self.after_message();
                    return;
                }
                Callback::None => {
                    // Nobody will ever answer it.
                    vm.node.answer_with_error(message.source, message.session, vm.handle());
                }
            }
            self.settle();
            self.after_message();
        }
    }

    /// Logs what went wrong in the message and lets go of what it needed.
    unsafe fn after_message(self) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            if !vm.errors.is_empty() {
                self.log_errors();
            }
            if let Some(used) = vm.allocator.take_warning() {
                let megabytes = used as f64 / f64::from(1 << 20);
                vm.log(&format!("Memory warning {megabytes:.2} M"));
            }
            // A C function may have caught the interrupt and ended with it; the next message is
            // not over its time.
            vm.interrupted = false;
            vm.message = Current::NONE;
            vm.scratch.clear();
            vm.scratch.shrink_to(SCRATCH_KEPT);
        }
    }

    unsafe fn end_turn(self) {
        // SAFETY: as in `handle`.
        let vm = unsafe { self.get() };
        let memory = vm.allocator.used() + vm.block_bytes;
        vm.service.stats.memory.store(memory, std::sync::atomic::Ordering::Relaxed);
        vm.taken = 0;
        vm.turn_began = None;
    }

    /// Gives the current message to the thread that waits for it, or to a handler.
    ///
    /// # Safety
    /// Called in the service's turn, possibly from a native (`skynet.dispatch_message`).
    pub unsafe fn dispatch(self) {
        // SAFETY: as in `handle`.
        unsafe {
            let message = self.get().message;
            match message.kind {
                Kind::RESPONSE => self.on_response(message.session),
                Kind::ERROR => self.on_error(message.source, message.session),
                Kind::TRACE => self.on_trace(message),
                _ => self.start_handler(),
            }
        }
    }

    /// Runs what the current message has made ready: woken threads and failed calls first, then
    /// forks, until nothing is left.
    ///
    /// # Safety
    /// As for `dispatch`.
    pub unsafe fn settle(self) {
        // SAFETY: as in `handle`.
        unsafe {
            loop {
                let vm = self.get();
                if vm.exiting {
                    return;
                }
                if let Some(session) = vm.wakeups.pop_front() {
                    self.wake_sleeper(session);
                } else if let Some(session) = vm.failures.pop_front() {
                    self.fail_call(session);
                } else if let Some(id) = vm.forks.pop_front() {
                    vm.threads[id].waiting = Waiting::Nothing;
                    self.resume(id, Wake::Answer);
                } else {
                    return;
                }
            }
        }
    }

    unsafe fn wake_sleeper(self, session: Session) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            let Some(Waiter::Thread(id)) = vm.sessions.get(session) else { return };
            if matches!(vm.threads[id].waiting, Waiting::Sleep(_)) {
                // Its timer is still running; the late answer means nothing.
                vm.sessions.insert(session, Waiter::Swallow);
            } else {
                vm.sessions.remove(session);
            }
            self.resume(id, Wake::Woken);
        }
    }

    unsafe fn fail_call(self, session: Session) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            let Some(Waiter::Thread(id)) = vm.sessions.remove(session) else { return };
            self.resume(id, Wake::Failed);
        }
    }

    unsafe fn on_response(self, session: Session) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            match vm.sessions.remove(session) {
                Some(Waiter::Thread(id)) => {
                    let wake = match vm.threads[id].waiting {
                        Waiting::Call { .. } => Wake::Answer,
                        _ => {
                            vm.timers = vm.timers.saturating_sub(1);
                            Wake::Timer
                        }
                    };
                    self.resume(id, wake);
                }
                Some(Waiter::Swallow) => {
                    vm.timers = vm.timers.saturating_sub(1);
                }
                None => self.call_protected(native!(unknown_response)),
            }
        }
    }

    unsafe fn on_error(self, source: Option<Handle>, session: Session) {
        // SAFETY: as in `handle`.
        let vm = unsafe { self.get() };
        if session.expects_answer() {
            if let Some(Waiter::Thread(id)) = vm.sessions.get(session) {
                if matches!(vm.threads[id].waiting, Waiting::Call { .. }) {
                    vm.failures.push_back(session);
                }
            }
        } else if let Some(source) = source {
            vm.peer_gone(source);
        }
    }

    unsafe fn on_trace(self, message: Current) {
        // SAFETY: as in `handle`; the bytes live as long as the message.
        unsafe {
            if let Some(source) = message.source {
                let incoming = &mut self.get().trace.incoming;
                if incoming.len() >= MOST_TAGS {
                    // Tags whose request never came; their senders are made up or dead.
                    incoming.clear();
                }
                self.get().trace.incoming.insert(source, (&*message.bytes).into());
            }
        }
    }

    unsafe fn start_handler(self) {
        // SAFETY: as in `handle`.
        unsafe {
            let message = self.get().message;
            let request = Request { source: message.source, session: message.session };
            let Some(id) = self.take_thread() else {
                let vm = self.get();
                vm.node.answer_with_error(message.source, message.session, vm.handle());
                return;
            };
            let vm = self.get();
            let thread = &mut vm.threads[id];
            thread.context = Some(request);
            thread.request = request.session.expects_answer().then_some(request);
            if !vm.trace.is_idle() {
                vm.begin_traced(id, message);
            }
            ffi::lua_pushcfunction(vm.threads[id].state, native!(handle_request));
            self.resume(id, Wake::Answer);
        }
    }

    /// A thread ready for a function: a used one, or a new coroutine. `None` when there is no
    /// memory for one or the service has as many as it may; the reason is in the log.
    unsafe fn take_thread(self) -> Option<ThreadId> {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            if let Some(id) = vm.threads.reuse() {
                return Some(id);
            }
            if let Some(limit) = vm.policy.coroutines {
                if vm.threads.busy() >= limit {
                    let text = format!(
                        "too many coroutines: {limit}, the limit of {} (sandbox.toml: coroutines)",
                        vm.service.name
                    );
                    vm.note_error(&text);
                    return None;
                }
            }
            self.call_protected(native!(prepare_thread));
            self.get().threads.reuse()
        }
    }

    /// Runs a C function on the main state; an error goes to the errors of the message.
    unsafe fn call_protected(self, function: ffi::lua_CFunction) {
        // SAFETY: as in `handle`; the main stack always has room for a few values.
        unsafe {
            let state = self.get().state;
            let previous = interrupt::set_active(state);
            ffi::lua_pushcfunction(state, add_traceback);
            ffi::lua_pushcfunction(state, function);
            let handler = ffi::lua_gettop(state) - 1;
            let status = ffi::lua_pcall(state, 0, 0, handler);
            interrupt::set_active(previous);
            if status != ffi::LUA_OK {
                let text = self.take_error();
                self.get().note_error(&text);
            }
            ffi::lua_pop(state, 1);
        }
    }

    /// The one place where a coroutine is resumed from outside Lua.
    ///
    /// # Safety
    /// As for `dispatch`; the thread is not running and no session refers to it any more.
    unsafe fn resume(self, id: ThreadId, wake: Wake) {
        // SAFETY: as in `handle`; `threads` keeps the coroutine alive.
        unsafe {
            let vm = self.get();
            let coroutine = vm.threads[id].state;
            let main = vm.state;
            let before = vm.current.replace(id);
            vm.wake = wake;
            vm.threads[id].waiting = Waiting::Nothing;
            // A suspended coroutine gets its values from its continuation; a new one has its
            // function and arguments on its stack.
            let arguments = if ffi::lua_status(coroutine) == ffi::LUA_YIELD {
                0
            } else {
                ffi::lua_gettop(coroutine) - 1
            };
            if vm.profiling {
                vm.threads[id].stopwatch.iter_mut().for_each(Stopwatch::resume);
            }
            let active = interrupt::set_active(coroutine);
            // Lua counts nested C calls from whoever resumes: a native that dispatches, if it is.
            let resumer = if active.is_null() { main } else { active };
            let status = ffi::lua_resume_(coroutine, resumer, arguments);
            interrupt::set_active(active);
            let vm = self.get();
            vm.current = before;
            if vm.profiling {
                vm.threads[id].stopwatch.iter_mut().for_each(Stopwatch::rest);
            }
            let rest = match status {
                ffi::LUA_YIELD if std::mem::take(&mut vm.suspended) => Rest::Suspended,
                ffi::LUA_OK => Rest::Finished,
                _ => Rest::Failed,
            };
            match rest {
                Rest::Suspended => {}
                Rest::Finished => {
                    ffi::lua_settop(coroutine, 0);
                    self.finish_thread(id);
                }
                Rest::Failed => self.fail_thread(id, status),
            }
        }
    }

    #[inline]
    unsafe fn finish_thread(self, id: ThreadId) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            if let Some(request) = vm.threads[id].request {
                vm.log(&format!(
                    "Maybe forgot response session {} from {} : {}",
                    request.session,
                    request.source.map_or_else(|| ":00000000".to_owned(), |source| source.to_string()),
                    vm.service.name
                ));
            }
            if vm.threads[id].traced {
                vm.end_traced(id);
            }
            let state = vm.state;
            if !vm.threads.recycle(id) {
                vm.threads.release(state, id);
            }
        }
    }

    /// A coroutine has died of an error: tell whoever waits for it, note the traceback.
    unsafe fn fail_thread(self, id: ThreadId, status: c_int) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            let coroutine = vm.threads[id].state;
            let state = vm.state;
            vm.interrupted = false;
            if let Some(request) = vm.threads[id].request.take() {
                vm.node.answer_with_error(request.source, request.session, vm.handle());
            }
            if status == ffi::LUA_YIELD {
                vm.note_error("a coroutine of the framework yielded to nobody (coroutine.yield outside of a coroutine of the script's own)");
            }
            // Let the traceback function find the coroutine.
            vm.failed = coroutine;
            self.call_protected(native!(describe_failure));
            let vm = self.get();
            vm.failed = std::ptr::null_mut();
            vm.trace.tags.remove(&id);
            vm.threads.release(state, id);
        }
    }

    /// Gives the message to a function of the script, as `skynet.core.callback` asks.
    unsafe fn call_script(self, function: c_int, forward: bool, message: Message) {
        // SAFETY: as in `handle`.
        unsafe {
            let kind = message.kind;
            let session = message.session;
            let source = message.source;
            let mut kept = None;
            let (pointer, length) = if forward {
                // Owned by the script from now on, and freed with the VM if it forgets.
                let length = message.payload.len();
                (self.get().keep_block(message.payload), length)
            } else {
                let payload = &*kept.insert(message.payload);
                let bytes = payload.as_slice();
                self.get().message.bytes = bytes;
                (bytes.as_ptr().cast_mut().cast(), bytes.len())
            };
            if forward {
                self.get().message.bytes = std::ptr::slice_from_raw_parts(pointer.cast(), length);
            }
            let state = self.get().state;
            let previous = interrupt::set_active(state);
            ffi::lua_pushcfunction(state, add_traceback);
            let handler = ffi::lua_gettop(state);
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, function.into());
            ffi::lua_pushinteger(state, kind.0.into());
            if length == 0 {
                ffi::lua_pushnil(state);
            } else {
                ffi::lua_pushlightuserdata(state, pointer);
            }
            ffi::lua_pushinteger(state, i64::try_from(length).unwrap_or(0));
            ffi::lua_pushinteger(state, session.0.into());
            ffi::lua_pushinteger(state, source.map_or(0, Handle::number).into());
            let status = ffi::lua_pcall(state, 5, 0, handler);
            interrupt::set_active(previous);
            if status != ffi::LUA_OK {
                let text = self.take_error();
                self.get().note_error(&text);
            }
            ffi::lua_settop(state, handler - 1);
            drop(kept);
        }
    }

    /// Writes the errors of the current message as one log entry, in skynet's form, with who
    /// called behind it.
    unsafe fn log_errors(self) {
        // SAFETY: as in `handle`.
        let vm = unsafe { self.get() };
        let errors = std::mem::take(&mut vm.errors);
        let message = vm.message;
        let source = message.source.map_or(0, Handle::number);
        // SAFETY: only the length of the message's bytes is read.
        let size = message.bytes.len();
        let mut line = format!(
            "lua call [{source:x} to :{:x} : {} msgsz = {size}] error : \x1b[31m",
            vm.handle().number(),
            message.session,
        );
        let _ = write!(line, "{}\x1b[0m", Lossy(&errors));
        if source != 0 {
            let _ = write!(line, "\n\tcalled by {} ({})", vm.node.describe(source), message.kind);
        }
        vm.log(&line);
    }
}

impl super::Vm {
    /// Every pending call to `peer` fails, and answers owed to it are dropped.
    pub fn peer_gone(&mut self, peer: Handle) {
        let waiting = self.sessions.threads().filter(|(_, id)| {
            matches!(self.threads[*id].waiting, Waiting::Call { peer: Some(other), .. } if other == peer)
        });
        let mut sessions: Vec<Session> = waiting.map(|(session, _)| session).collect();
        sessions.sort_unstable();
        self.failures.extend(sessions);
        self.responses.requester_gone(peer);
    }

    /// Answers every request that is still open with an error, as a service does that ends.
    pub fn fail_open_requests(&mut self) {
        let mut open: Vec<Request> =
            self.responses.drain().map(|response| response.request).collect();
        let ids: Vec<ThreadId> = self.threads.iter().map(|(id, _)| id).collect();
        for id in ids {
            open.extend(self.threads[id].request.take());
        }
        for request in open {
            self.node.answer_with_error(request.source, request.session, self.handle());
        }
    }

    /// Adds to the errors of the message being handled.
    pub fn note_error(&mut self, text: &str) {
        self.note_error_bytes(text.as_bytes());
    }

    fn note_error_bytes(&mut self, text: &[u8]) {
        if !self.errors.is_empty() {
            self.errors.push(b'\n');
        }
        self.errors.extend_from_slice(text);
    }
}

/// Body of a thread that handles a request: finds the handler, unpacks, calls.
fn handle_request(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let message = vm.message;
    let source = message.source.map_or(0, Handle::number);
    let Some(position) = vm.protocols.by_kind(message.kind) else {
        return unknown_request(call);
    };
    let protocol = vm.protocols.at(position);
    let (native, dispatch, class) = (protocol.is_native(), protocol.dispatch, protocol.class);
    let state = call.state();
    // SAFETY: a native has 20 free slots; the references are the protocol's own.
    unsafe {
        if native {
            if dispatch == NO_REFERENCE {
                return if message.kind == Kind::DEBUG { load_debug(call) } else { unknown_request(call) };
            }
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, dispatch.into());
        } else {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, class.into());
            ffi::lua_getfield(state, -1, c"dispatch".as_ptr());
            if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
                ffi::lua_settop(state, 0);
                return unknown_request(call);
            }
            ffi::lua_insert(state, -2);
        }
        // dispatch [, class]
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, source.into());
        let count = if native {
            seri::unpack(call, &*message.bytes)?
        } else {
            ffi::lua_getfield(state, 2, c"unpack".as_ptr());
            ffi::lua_remove(state, 2);
            push_message(call, message);
            ffi::lua_callk(state, 2, ffi::LUA_MULTRET, 0, None);
            call.top() - 3
        };
        Ok(Outcome::Call(count + 2, continuation!(end_request), 0))
    }
}

fn end_request(_call: &mut Call, _resumed: Resumed) -> NativeResult {
    NOTHING
}

/// Pushes the bytes of a message as scripts see them: a light userdata and a size.
pub fn push_message(call: &mut Call, message: Current) {
    // SAFETY: a native has free slots; the pointer is only looked at while the message lives.
    unsafe {
        if message.bytes.is_empty() {
            ffi::lua_pushnil(call.state());
        } else {
            ffi::lua_pushlightuserdata(call.state(), message.bytes.cast::<std::ffi::c_void>().cast_mut());
        }
        ffi::lua_pushinteger(call.state(), i64::try_from(message.bytes.len()).unwrap_or(0));
    }
}

/// The first debug command of a service loads the module that serves them.
fn load_debug(call: &mut Call) -> NativeResult {
    let message = call.vm().message;
    let source = message.source.map_or(0, Handle::number);
    let state = call.state();
    // SAFETY: runs in a coroutine; `require` may raise, nothing here has a destructor.
    unsafe {
        ffi::lua_getglobal(state, c"require".as_ptr());
        ffi::lua_pushstring(state, c"skynet.debug".as_ptr());
        ffi::lua_callk(state, 1, 1, 0, None);
        ffi::lua_getfield(state, -1, c"dispatch".as_ptr());
        ffi::lua_pushvalue(state, -1);
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        let vm = call.vm();
        if let Some(position) = vm.protocols.by_kind(Kind::DEBUG) {
            vm.protocols.at_mut(position).dispatch = reference;
        }
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, source.into());
        let count = seri::unpack(call, &*message.bytes)?;
        Ok(Outcome::Call(count + 2, continuation!(end_request), 0))
    }
}

/// A request nobody handles: fail it, or report a message that was only sent.
fn unknown_request(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let message = vm.message;
    let reference = vm.references.unknown_request;
    if reference != NO_REFERENCE {
        // The script's own function takes care of the answer.
        if let Some(id) = vm.current {
            vm.threads[id].request = None;
        }
        let position = vm.protocols.by_kind(message.kind);
        let class = position.map_or(NO_REFERENCE, |position| vm.protocols.at(position).class);
        let state = call.state();
        // SAFETY: a native has free slots.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
            ffi::lua_pushinteger(state, message.session.0.into());
            ffi::lua_pushinteger(state, message.source.map_or(0, Handle::number).into());
            push_message(call, message);
            if class == NO_REFERENCE {
                ffi::lua_pushinteger(state, message.kind.0.into());
            } else {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, class.into());
            }
        }
        return Ok(Outcome::Call(5, continuation!(end_request), 0));
    }
    if message.session.expects_answer() {
        if let Some(request) = vm.current.and_then(|id| vm.threads[id].request.take()) {
            vm.node.answer_with_error(request.source, request.session, vm.handle());
        }
        return NOTHING;
    }
    // SAFETY: the bytes live as long as the message.
    let bytes = unsafe { &*message.bytes };
    vm.log(&format!("Unknown request ({}): {}", message.kind, Lossy(bytes)));
    let source = message.source.map_or(0, Handle::number);
    Err(call.error(format_args!("Unknown session : {} from {source:x}", message.session)))
}

/// An answer that nobody waits for.
fn unknown_response(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let message = vm.message;
    let reference = vm.references.unknown_response;
    let source = message.source.map_or(0, Handle::number);
    if reference == NO_REFERENCE {
        // SAFETY: the bytes live as long as the message.
        let bytes = unsafe { &*message.bytes };
        vm.log(&format!("Response message : {}", Lossy(bytes)));
        return Err(call.error(format_args!("Unknown session : {} from {source:x}", message.session)));
    }
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, source.into());
        push_message(call, message);
        ffi::lua_callk(state, 4, 0, 0, None);
    }
    NOTHING
}

/// Makes a coroutine and puts it into the pool.
fn prepare_thread(call: &mut Call) -> NativeResult {
    new_thread(call);
    NOTHING
}

/// Makes a coroutine in the pool. May raise for lack of memory.
fn new_thread(call: &mut Call) {
    let state = call.state();
    // SAFETY: a native has free slots; `adopt` changes nothing if it raises.
    unsafe {
        ffi::lua_newthread(state);
        let id = call.vm().threads.adopt(state);
        call.vm().threads.recycle(id);
    }
}

/// A thread for a native that starts one (`fork`, `timeout`, `start`).
///
/// # Errors
/// When the service has as many coroutines as it may.
pub fn thread_for(call: &mut Call) -> Result<ThreadId, super::native::Raise> {
    if let Some(id) = call.vm().threads.reuse() {
        return Ok(id);
    }
    let vm = call.vm();
    if let Some(limit) = vm.policy.coroutines.filter(|limit| vm.threads.busy() >= *limit) {
        return Err(call.error(format_args!(
            "too many coroutines: the limit is {limit} (sandbox.toml: coroutines)"
        )));
    }
    loop {
        if let Some(id) = call.vm().threads.reuse() {
            return Ok(id);
        }
        new_thread(call);
    }
}

/// Notes the error of the coroutine `Vm::failed` with its traceback.
fn describe_failure(call: &mut Call) -> NativeResult {
    let failed = std::mem::replace(&mut call.vm().failed, std::ptr::null_mut());
    let state = call.state();
    if failed.is_null() {
        // A script has found this function on the stack and called it itself.
        return NOTHING;
    }
    // SAFETY: the failed coroutine is anchored until this is over; its error, if it has one, is
    // on top of its stack. Everything may raise; nothing has a destructor.
    unsafe {
        let status = ffi::lua_status(failed);
        if status == ffi::LUA_YIELD {
            ffi::lua_pushstring(state, c"coroutine.yield".as_ptr());
        } else {
            ffi::lua_xmove(failed, state, 1);
        }
        let mut length = 0;
        let message = ffi::luaL_tolstring(state, -1, &raw mut length);
        ffi::luaL_traceback(state, failed, message, 0);
        let text = ffi::lua_tolstring(state, -1, &raw mut length);
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length);
        call.vm().note_error_bytes(bytes);
    }
    NOTHING
}

/// Message handler of protected calls: adds a traceback to the error.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn add_traceback(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with the error on the stack.
    unsafe {
        let message = ffi::luaL_tolstring(state, 1, std::ptr::null_mut());
        ffi::luaL_traceback(state, state, message, 1);
    }
    1
}
