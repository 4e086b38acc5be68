//! Threads of the dispatcher: taking one, the one place where a coroutine is resumed from outside
//! Lua, and what happens when it ends or dies.
//!
//! Invariant: whatever may raise runs in the coroutine or in a protected call.

use std::ffi::c_int;

use mlua::ffi;

use super::native::{Call, NOTHING, NativeResult};
use super::profile::Stopwatch;
use super::thread::{ThreadId, Waiting};
use super::{VmPointer, Wake, interrupt, layout};
use crate::native;

/// How a resumed thread came to rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Suspended,
    Finished,
    Failed,
}

impl VmPointer {
    /// A thread ready for a function: a used one, or a new coroutine. `None` when there is no
    /// memory for one or the service has as many as it may; the reason is in the log.
    #[inline]
    pub(super) unsafe fn take_thread(self) -> Option<ThreadId> {
        // SAFETY: as in `handle`.
        unsafe {
            match self.get().threads.reuse() {
                None => self.make_thread(),
                found => found,
            }
        }
    }

    #[cold]
    unsafe fn make_thread(self) -> Option<ThreadId> {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            if let Some(limit) = vm.policy.coroutines
                && vm.threads.busy() >= limit
            {
                let text = format!(
                    "too many coroutines: {limit}, the limit of {} (sandbox.toml: coroutines)",
                    vm.service.name
                );
                vm.note_error(&text);
                return None;
            }
            self.call_protected(native!(prepare_thread));
            self.get().threads.reuse()
        }
    }

    /// Runs a C function on the main state; an error goes to the errors of the message.
    pub(super) unsafe fn call_protected(self, function: ffi::lua_CFunction) {
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
    pub(super) unsafe fn resume(self, id: ThreadId, wake: Wake) {
        // SAFETY: as in `handle`; `threads` keeps the coroutine alive.
        unsafe {
            let vm = self.get();
            let coroutine = vm.threads[id].state;
            let main = vm.state;
            let before = vm.current.replace(id);
            vm.wake = wake;
            vm.threads[id].waiting = Waiting::Nothing;
            if std::mem::take(&mut vm.threads[id].stopped) {
                layout::unmend_stopped(coroutine);
            }
            // A suspended coroutine gets its values from its continuation; a new one has its
            // function and arguments on its stack.
            let arguments = if layout::status(coroutine) == ffi::LUA_YIELD {
                0
            } else {
                layout::values(coroutine) - 1
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
            if vm.profiling {
                vm.threads[id].stopwatch.iter_mut().for_each(Stopwatch::rest);
            }
            vm.current = before;
            // An overrun ends with the thread that overran, also where a native caught its error.
            vm.interrupted = false;
            if std::mem::take(&mut vm.stopped) && status == ffi::LUA_YIELD {
                layout::mend_stopped(coroutine);
                vm.threads[id].stopped = true;
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
                Rest::Failed => self.fail_thread(id),
            }
        }
    }

    #[inline]
    pub(super) unsafe fn finish_thread(self, id: ThreadId) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            if vm.threads[id].request.is_some_and(|request| request.session.expects_answer()) {
                self.warn_of_forgotten(id);
            }
            let vm = self.get();
            if vm.threads[id].traced {
                vm.end_traced(id);
            }
            let state = vm.state;
            if !vm.threads.recycle(id) {
                vm.threads.release(state, id);
            }
        }
    }

    /// A handler has ended without an answer: logs who waits and where the handler is written.
    #[cold]
    pub(super) unsafe fn warn_of_forgotten(self, id: ThreadId) {
        // SAFETY: as in `handle`; `lua_getinfo` of "S" does not raise, and the main stack has
        // room for the function.
        unsafe {
            let vm = self.get();
            let Some(request) = vm.threads[id].request else { return };
            let kind = vm.threads[id].kind;
            let mut handler = vm.service.name.to_string();
            let state = vm.state;
            if let Some(position) = vm.protocols.by_kind(kind) {
                let protocol = vm.protocols.at(position);
                if protocol.is_native() {
                    ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, protocol.dispatch.into());
                } else {
                    ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, protocol.class.into());
                    ffi::lua_pushstring(state, c"dispatch".as_ptr());
                    ffi::lua_rawget(state, -2);
                    ffi::lua_remove(state, -2);
                }
                if ffi::lua_type(state, -1) == ffi::LUA_TFUNCTION {
                    let mut record: ffi::lua_Debug = std::mem::zeroed();
                    ffi::lua_getinfo(state, c">S".as_ptr(), &raw mut record);
                    let source = std::ffi::CStr::from_ptr(record.source).to_string_lossy();
                    handler = format!("{source}:{}", record.linedefined);
                } else {
                    ffi::lua_pop(state, 1);
                }
            }
            vm.log(&format!(
                "Maybe forgot response session {} from {} : {handler}",
                request.session,
                request.source.map_or_else(|| ":00000000".to_owned(), |source| source.to_string()),
            ));
        }
    }

    /// A coroutine has died of an error: tell whoever waits for it, note the traceback.
    pub(super) unsafe fn fail_thread(self, id: ThreadId) {
        // SAFETY: as in `handle`.
        unsafe {
            let vm = self.get();
            let coroutine = vm.threads[id].state;
            let state = vm.state;
            vm.interrupted = false;
            if let Some(request) = vm.threads[id].request.take() {
                if request.session.expects_answer() {
                    vm.log_tag(id, "error");
                }
                vm.node.answer_with_error(request.source, request.session, vm.handle());
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
}

/// Makes a coroutine and puts it into the pool.
pub(super) fn prepare_thread(call: &mut Call) -> NativeResult {
    new_thread(call);
    NOTHING
}

/// Makes a coroutine in the pool. May raise for lack of memory.
pub(super) fn new_thread(call: &mut Call) {
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
pub(super) fn describe_failure(call: &mut Call) -> NativeResult {
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
        if status != ffi::LUA_YIELD {
            ffi::lua_xmove(failed, state, 1);
        } else if ffi::lua_gettop(failed) == 0 {
            ffi::lua_pushstring(
                state,
                c"coroutine.yield() outside of a coroutine of the script's own".as_ptr(),
            );
        } else {
            // A script's own `coroutine.yield` outside of a coroutine of its own.
            ffi::lua_xmove(failed, state, ffi::lua_gettop(failed));
            ffi::lua_settop(state, 1);
            ffi::lua_pushstring(state, c"Unknown command : ".as_ptr());
            ffi::luaL_tolstring(state, 1, std::ptr::null_mut());
            ffi::lua_concat(state, 2);
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
