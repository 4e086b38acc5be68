//! Two fields of Lua's own structures that its interface does not show.
//!
//! The one is needed to interrupt a loop inside a finalizer, where Lua switches hooks off; the
//! other tells a native whether its caller wants a result, which spares making one nobody sees.
//! The structures are those of Lua 5.3, which is compiled into this binary.
//! Invariant: `is_known` has compared the layout with what Lua says of itself before anything here
//! is used; a state whose layout differs is refused.

use std::ffi::{c_int, c_short, c_ushort, c_void};

use mlua::ffi;

/// A coroutine (`struct lua_State` in `lstate.h`) up to the last field that is needed here.
#[repr(C)]
struct State {
    next: *mut c_void,
    kind: u8,
    marked: u8,
    calls: c_ushort,
    status: u8,
    top: *mut c_void,
    global: *mut c_void,
    call: *mut CallInfo,
    old_code: *const c_void,
    stack_last: *mut c_void,
    stack: *mut c_void,
    open_upvalues: *mut c_void,
    gray: *mut c_void,
    with_upvalues: *mut c_void,
    recover: *mut c_void,
    base_call: CallInfo,
    hook: Option<ffi::lua_Hook>,
    error_function: isize,
    stack_size: c_int,
    base_hook_count: c_int,
    hook_count: c_int,
    not_yieldable: c_ushort,
    c_calls: c_ushort,
    hook_mask: c_int,
    allow_hook: u8,
}

/// A call in progress (`CallInfo` in `lstate.h`).
#[repr(C)]
struct CallInfo {
    pointers: [*mut c_void; 4],
    union: [isize; 3],
    extra: isize,
    results: c_short,
    status: c_ushort,
}

/// Compares the layout with what Lua itself says of a fresh state.
///
/// # Safety
/// `state` is a live main state that runs nothing.
pub(super) unsafe fn is_known(state: *mut ffi::lua_State) -> bool {
    /// Any number that is unlikely to be there by chance.
    const MARK: c_int = 0x5f37_59df;
    let layout = state.cast::<State>();
    // SAFETY: the caller's promise; `lua_State` is larger than the layout in every Lua 5.3, and a
    // wrong layout is only compared.
    unsafe {
        ffi::lua_sethook(state, Some(no_hook), ffi::LUA_MASKCOUNT, MARK);
        let known =
            (*layout).hook.is_some_and(|hook| hook as usize == no_hook as *const () as usize)
                && (*layout).base_hook_count == MARK
                && (*layout).hook_mask == ffi::LUA_MASKCOUNT
                && (*layout).allow_hook == 1;
        ffi::lua_sethook(state, None, 0, 0);
        known && (*layout).hook.is_none() && (*layout).hook_mask == 0 && results_are_known(state)
    }
}

unsafe extern "C-unwind" fn no_hook(_state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {}

/// Compares the number of wanted results with what was asked for.
///
/// # Safety
/// As for `is_known`.
unsafe fn results_are_known(state: *mut ffi::lua_State) -> bool {
    unsafe extern "C-unwind" fn note(state: *mut ffi::lua_State) -> c_int {
        // SAFETY: the argument is the address of a local of the caller below.
        unsafe { *ffi::lua_touserdata(state, 1).cast::<c_int>() = wanted_results(state) };
        0
    }
    [0, 1, 3, ffi::LUA_MULTRET].into_iter().all(|wanted| {
        let mut seen = c_int::MIN;
        // SAFETY: the function neither raises nor allocates; the stack is put back.
        unsafe {
            ffi::lua_pushcfunction(state, note);
            ffi::lua_pushlightuserdata(state, (&raw mut seen).cast());
            ffi::lua_callk(state, 1, wanted, 0, None);
            ffi::lua_settop(state, 0);
        }
        seen == wanted
    })
}

/// How many results the caller of the running native wants; `LUA_MULTRET` for all.
///
/// # Safety
/// `state` runs a native, and its layout is known.
#[inline]
pub(super) unsafe fn wanted_results(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { c_int::from((*(*state.cast::<State>()).call).results) }
}

/// Makes Lua call hooks where it would not.
pub(super) fn allow_hooks(state: *mut ffi::lua_State) {
    // SAFETY: the state runs on this thread, and its layout was compared when it was made. Lua
    // gives the flag its former value back when it leaves the place where it had cleared it.
    unsafe { (&raw mut (*state.cast::<State>()).allow_hook).write_volatile(1) };
}
