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

use mlua::ffi;

use super::native::Lossy;
use super::session::{NO_REFERENCE, Waiter};
use super::thread::{Request, ThreadId, Waiting};
use super::{Callback, Current, VmPointer, Wake, interrupt, request, resume};
use crate::kernel::{Handle, Kind, Message, Payload, Session};
use crate::native;

/// A scratch buffer larger than this is given back after the message that needed it.
const SCRATCH_KEPT: usize = 64 << 10;

/// Most trace tags that wait for the request behind them. There is hardly ever more than one.
const MOST_TAGS: usize = 1024;

impl VmPointer {
    /// Handles one message to its end.
    ///
    /// # Safety
    /// Called in the service's turn.
    #[inline]
    pub(super) unsafe fn handle(self, message: &mut Message) {
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
    #[inline]
    pub(super) unsafe fn after_message(self) {
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
            if vm.scratch.capacity() > SCRATCH_KEPT {
                vm.scratch.shrink_to(SCRATCH_KEPT);
                vm.table_sizes.shrink_to(SCRATCH_KEPT);
            }
            vm.table_sizes.clear();
        }
    }

    pub(super) unsafe fn end_turn(self) {
        // SAFETY: as in `handle`.
        let vm = unsafe { self.get() };
        vm.at_turn_end.drain(..).for_each(|gathered| gathered.at_turn_end());
        let memory = vm.allocator.used() + vm.block_bytes;
        vm.service.stats.memory.store(memory, std::sync::atomic::Ordering::Relaxed);
        vm.taken = 0;
        vm.turn_began = None;
        if !vm.pins.is_empty() {
            vm.release_pins();
        }
    }

    /// Gives the current message to the thread that waits for it, or to a handler.
    ///
    /// # Safety
    /// Called in the service's turn, possibly from a native (`skynet.dispatch_message`).
    #[inline]
    pub unsafe fn dispatch(self) {
        // SAFETY: as in `handle`.
        unsafe {
            let message = self.get().message;
            match message.kind {
                Kind::RESPONSE => self.on_response(message.session),
                Kind::ERROR if !self.get().protocols.handles_errors() => {
                    self.get().on_error(message.source, message.session);
                }
                Kind::TRACE => self.on_trace(message),
                Kind::SYSTEM if self.get().is_stop_request(message) => {
                    self.start_thread(native!(request::run_stop_function));
                }
                _ => self.start_handler(),
            }
        }
    }

    /// Runs what the current message has made ready: woken threads and failed calls first, then
    /// forks, until nothing is left.
    ///
    /// # Safety
    /// As for `dispatch`.
    #[inline]
    pub unsafe fn settle(self) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            if !(vm.wakeups.is_empty() && vm.failures.is_empty() && vm.forks.is_empty()) {
                self.run_ready();
            }
        }
    }

    unsafe fn run_ready(self) {
        // SAFETY: as in `handle`.
        unsafe {
            loop {
                let vm = self.get();
                if vm.exiting {
                    return;
                }
                if let Some(wakeup) = vm.wakeups.pop_front() {
                    if let Some(session) = vm.session_to_wake(wakeup) {
                        self.wake_sleeper(session);
                    }
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

    pub(super) unsafe fn wake_sleeper(self, session: Session) {
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
            vm.log_tag(id, "resume");
            self.resume(id, Wake::Woken);
        }
    }

    pub(super) unsafe fn fail_call(self, session: Session) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            let Some(Waiter::Thread(id)) = vm.sessions.remove(session) else { return };
            self.resume(id, Wake::Failed);
        }
    }

    #[inline]
    pub(super) unsafe fn on_response(self, session: Session) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            match vm.sessions.remove(session) {
                Some(Waiter::Thread(id)) => {
                    vm.log_tag(id, "resume");
                    let wake = match vm.threads[id].waiting {
                        Waiting::Call { .. } => Wake::Answer,
                        _ => {
                            vm.timers = vm.timers.saturating_sub(1);
                            if !vm.trace.origins.is_empty() {
                                vm.trace.origins.remove(&id);
                            }
                            Wake::Timer
                        }
                    };
                    self.resume(id, wake);
                }
                Some(Waiter::Function(reference)) => {
                    vm.timers = vm.timers.saturating_sub(1);
                    self.start_timer(reference);
                }
                Some(Waiter::Swallow) => {
                    vm.timers = vm.timers.saturating_sub(1);
                }
                None => self.call_protected(native!(request::unknown_response)),
            }
        }
    }

    /// A timer without a coroutine is due.
    pub(super) unsafe fn start_timer(self, reference: c_int) {
        // SAFETY: as in `handle`; an idle coroutine has room for two values, and neither of them
        // allocates.
        unsafe {
            let Some(id) = self.take_thread() else { return };
            let coroutine = self.get().threads[id].state;
            ffi::lua_pushcfunction(coroutine, native!(request::run_timer));
            ffi::lua_pushinteger(coroutine, reference.into());
            self.resume(id, Wake::Timer);
        }
    }

    #[cold]
    pub(super) unsafe fn on_trace(self, message: Current) {
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

    #[inline]
    pub(super) unsafe fn start_handler(self) {
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
            thread.request = Some(request);
            thread.kind = message.kind;
            if !vm.trace.is_idle() {
                vm.begin_traced(id, message);
            }
            ffi::lua_pushcfunction(vm.threads[id].state, native!(request::handle_request));
            self.resume(id, Wake::Answer);
        }
    }

    /// Runs a native in a thread of its own.
    pub(super) unsafe fn start_thread(self, function: ffi::lua_CFunction) {
        // SAFETY: as in `handle`; an idle coroutine has room for a function.
        unsafe {
            if let Some(id) = self.take_thread() {
                ffi::lua_pushcfunction(self.get().threads[id].state, function);
                self.resume(id, Wake::Answer);
            }
        }
    }

    /// Gives the message to a function of the script, as `skynet.core.callback` asks.
    #[cold]
    pub(super) unsafe fn call_script(self, function: c_int, forward: bool, message: &mut Message) {
        // SAFETY: as in `handle`.
        unsafe {
            let kind = message.kind;
            let session = message.session;
            let source = message.source;
            let length = message.payload.len();
            let pointer = if forward {
                // Owned by the script from now on, and freed with the VM if it forgets.
                let payload = std::mem::replace(&mut message.payload, Payload::EMPTY);
                self.get().keep_block(payload)
            } else {
                message.payload.as_slice().as_ptr().cast_mut().cast()
            };
            self.get().message.bytes = std::ptr::slice_from_raw_parts(pointer.cast(), length);
            let state = self.get().state;
            let previous = interrupt::set_active(state);
            ffi::lua_pushcfunction(state, resume::add_traceback);
            let handler = ffi::lua_gettop(state);
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, function.into());
            ffi::lua_pushinteger(state, kind.0.into());
            let pointer = if length == 0 { std::ptr::null_mut() } else { pointer };
            ffi::lua_pushlightuserdata(state, pointer);
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
        }
    }

    /// Writes the errors of the current message as one log entry, in skynet's form, with who
    /// called behind it.
    #[cold]
    pub(super) unsafe fn log_errors(self) {
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
        vm.log(&line);
        // A line of its own: tools know skynet's by its ends.
        if source != 0 && message.kind != Kind::RESPONSE {
            let caller = vm.node.describe(source);
            vm.log(&format!(
                "the message was from {caller} ({})",
                vm.protocols.describe(message.kind)
            ));
        }
    }
}

impl super::Vm {
    /// An error message: the call of its session fails, or whoever sent it is gone.
    pub fn on_error(&mut self, source: Option<Handle>, session: Session) {
        if session.expects_answer() {
            if let Some(Waiter::Thread(id)) = self.sessions.get(session)
                && matches!(self.threads[id].waiting, Waiting::Call { .. })
            {
                self.failures.push_back(session);
            }
        } else if let Some(source) = source {
            self.peer_gone(source);
        }
    }

    /// True for the node's request to save, of a service that wants to (`skynet.on_stop`).
    pub(super) fn is_stop_request(&self, message: Current) -> bool {
        // SAFETY: the bytes live as long as the message.
        let bytes = unsafe { &*message.bytes };
        self.references.stop != NO_REFERENCE
            && message.source.is_none()
            && bytes == crate::kernel::stop::REQUEST
    }

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

    /// Every pending call to the global name `name` fails.
    pub fn name_gone(&mut self, name: &[u8]) {
        let pending = |session| self.sessions.get(session).is_some();
        let sessions = self.calls_by_name.take(name, pending);
        self.failures.extend(sessions);
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

    pub(super) fn note_error_bytes(&mut self, text: &[u8]) {
        if !self.errors.is_empty() {
            self.errors.push(b'\n');
        }
        self.errors.extend_from_slice(text);
    }
}
