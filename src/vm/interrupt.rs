//! Interrupts: making Lua code that runs too long say where it is, or stop.
//!
//! No hook is armed in normal operation: a permanent one slows Lua by half. Instead the watchdog
//! sends the worker's thread a signal, and the handler, on that very thread, arms a hook in the
//! coroutine that is running. Being on the thread itself, it can never touch a coroutine that
//! has been freed; `lua_sethook` is made to be called from signal handlers.
//!
//! Invariant: `ACTIVE` is the coroutine that runs on this thread, set before a resume and restored
//! before the coroutine can be collected.
//! Lua does not call hooks inside `__gc`, inside a hook, and in the message handler of an error
//! that a hook raised: it keeps a flag for that in the coroutine. A script could loop there for
//! ever, so the handler sets the flag back as well. Lua has no function for it; the layout of the
//! coroutine is written down here and compared when a state is made.
//! Limit: C functions do not look at hooks; the scheduler's replacement workers keep the node
//! going while one runs.

use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::Ordering;

use mlua::ffi;

use super::{Vm, layout};
use crate::kernel::Interrupt;

/// The signal: ignored by default and used by nothing else here.
const SIGNAL: c_int = libc::SIGURG;

thread_local! {
    static ACTIVE: Cell<*mut ffi::lua_State> = const { Cell::new(ptr::null_mut()) };
}

/// Notes the coroutine that runs on this thread; returns the one before.
#[inline(always)]
pub fn set_active(state: *mut ffi::lua_State) -> *mut ffi::lua_State {
    ACTIVE.replace(state)
}

/// Installs the signal handler. Once per process; doing it again changes nothing.
pub fn install() {
    // SAFETY: an all-zero `sigaction` is valid, and the handler has the right signature.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(SIGNAL, &raw const action, ptr::null_mut());
    }
}

/// Makes the code running on `thread` look at its service's requests.
pub fn poke(thread: libc::pthread_t) {
    // SAFETY: the caller holds the seat's lock, so the thread has not ended.
    unsafe { libc::pthread_kill(thread, SIGNAL) };
}

extern "C" fn on_signal(_signal: c_int) {
    let state = ACTIVE.get();
    if !state.is_null() {
        // SAFETY: it is the active coroutine of this thread (invariant).
        unsafe { arm(state) };
        layout::allow_hooks(state);
    }
}

/// Arms the hook in a coroutine: it runs before the next instruction.
///
/// # Safety
/// `state` is a live coroutine of a VM of ours that runs on this thread.
pub unsafe fn arm(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe { ffi::lua_sethook(state, Some(on_count), ffi::LUA_MASKCOUNT, 1) };
}

unsafe extern "C-unwind" fn on_count(state: *mut ffi::lua_State, _record: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls this with the running coroutine of a VM of ours. Nothing here has a
    // destructor when the error is raised.
    unsafe {
        ffi::lua_sethook(state, None, 0, 0);
        let vm = Vm::of(state).as_mut();
        let requests = vm.service.requests.swap(0, Ordering::SeqCst);
        let asked = |what: Interrupt| requests & what as u32 != 0;
        if asked(Interrupt::Overtime) {
            vm.interrupted = true;
        }
        if asked(Interrupt::Report) || asked(Interrupt::Overtime) {
            report(state);
        }
        let vm = Vm::of(state).as_mut();
        if vm.interrupted {
            // Stays armed, so that no `pcall` in the script can go on afterwards, nor the message
            // handler of an `xpcall`.
            arm(state);
            layout::allow_hooks(state);
            raise(
                state,
                c"message interrupted: it takes longer than its limit (sandbox.toml: message_time)",
            );
        } else if asked(Interrupt::Signal) {
            raise(state, c"signal 0");
        }
    }
}

unsafe fn raise(state: *mut ffi::lua_State, text: &'static std::ffi::CStr) {
    // SAFETY: as in `on_count`.
    unsafe {
        ffi::luaL_where(state, 0);
        ffi::lua_pushstring(state, text.as_ptr());
        ffi::lua_concat(state, 2);
        ffi::lua_error(state);
    }
}

/// Logs the traceback of the running code.
unsafe fn report(state: *mut ffi::lua_State) {
    // SAFETY: as in `on_count`; the string is on the stack while its bytes are read.
    unsafe {
        ffi::luaL_traceback(state, state, c"running for long:".as_ptr(), 0);
        let mut length = 0;
        let start = ffi::lua_tolstring(state, -1, &raw mut length);
        let text = std::slice::from_raw_parts(start.cast::<u8>(), length);
        let vm = Vm::of(state).as_ref();
        vm.node.log_bytes(Some(vm.handle()), text);
        ffi::lua_pop(state, 1);
    }
}
