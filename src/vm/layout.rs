//! What is read of Lua's own structures without asking its interface.
//!
//! Two fields the interface does not show: the one is needed to interrupt a loop inside a
//! finalizer, where Lua switches hooks off; the other tells a native whether its caller wants a
//! result, which spares making one nobody sees. And the values on the stack: what a message is made
//! of takes two or three calls a value otherwise, a tenth of its whole way.
//! The structures are those of Lua 5.3, which is compiled into this binary. But for the hook flag
//! they are only read.
//! Invariant: `is_known` has compared the layout with what Lua says of itself before anything here
//! is used; a state whose layout differs is refused.

use std::ffi::{c_int, c_short, c_uint, c_ushort, c_void};

use mlua::ffi;

/// A coroutine (`struct lua_State` in `lstate.h`) up to the last field that is needed here.
#[repr(C)]
struct State {
    next: *mut c_void,
    kind: u8,
    marked: u8,
    calls: c_ushort,
    status: u8,
    top: *mut Value,
    global: *mut c_void,
    call: *mut CallInfo,
    old_code: *const c_void,
    stack_last: *mut Value,
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
    function: *mut Value,
    top: *mut Value,
    neighbours: [*mut c_void; 2],
    union: [isize; 3],
    extra: isize,
    results: c_short,
    status: c_ushort,
}

/// A value (`TValue` in `lobject.h`).
#[repr(C)]
struct Value {
    content: Content,
    tag: c_int,
}

#[repr(C)]
union Content {
    integer: i64,
    float: f64,
    boolean: c_int,
    pointer: usize,
    string: *const StringHead,
}

/// What stands before the bytes of a string (`TString` in `lobject.h`).
#[repr(C)]
struct StringHead {
    next: *mut c_void,
    kind: u8,
    marked: u8,
    extra: u8,
    short_length: u8,
    hash: c_uint,
    long_length: usize,
}

/// Where a call of a Lua function keeps its next instruction, and the size of one.
const NEXT_INSTRUCTION: usize = 1;
const INSTRUCTION: isize = 4;

/// Second kind of a type: integers among the numbers, long ones among the strings.
const VARIANT: c_int = 1 << 4;
/// Mark of what the collector manages.
const COLLECTABLE: c_int = 1 << 6;
const INTEGER: c_int = ffi::LUA_TNUMBER | VARIANT;
const SHORT_STRING: c_int = ffi::LUA_TSTRING | COLLECTABLE;
const LONG_STRING: c_int = ffi::LUA_TSTRING | VARIANT | COLLECTABLE;
const TABLE: c_int = ffi::LUA_TTABLE | COLLECTABLE;

/// A value on the stack, as far as it can be told without a call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Peek {
    /// nil.
    Nil,
    /// A boolean.
    Boolean(bool),
    /// A light userdata.
    Pointer(usize),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// The bytes of a string, which live as long as it stands on the stack.
    String(*const [u8]),
    /// A table.
    Table,
    /// Anything else, and nothing.
    Other,
}

/// The value at `index`, which is not a pseudo-index.
///
/// # Safety
/// `state` runs a native, and its layout is known. A negative `index` is that of a value.
#[inline(always)]
pub(super) unsafe fn peek(state: *mut ffi::lua_State, index: c_int) -> Peek {
    // SAFETY: the caller's promise; between the function and the top are values, and each holds
    // what its tag says.
    unsafe {
        let layout = state.cast::<State>();
        let top = (*layout).top;
        let base = if index > 0 { (*(*layout).call).function } else { top };
        let value = base.wrapping_offset(index as isize);
        if value >= top {
            return Peek::Other;
        }
        let content = &(*value).content;
        match (*value).tag {
            ffi::LUA_TNIL => Peek::Nil,
            ffi::LUA_TBOOLEAN => Peek::Boolean(content.boolean != 0),
            ffi::LUA_TLIGHTUSERDATA => Peek::Pointer(content.pointer),
            INTEGER => Peek::Integer(content.integer),
            ffi::LUA_TNUMBER => Peek::Float(content.float),
            tag @ (SHORT_STRING | LONG_STRING) => {
                let head = content.string;
                let length = match tag {
                    SHORT_STRING => usize::from((*head).short_length),
                    _ => (*head).long_length,
                };
                Peek::String(std::ptr::slice_from_raw_parts(head.add(1).cast(), length))
            }
            TABLE => Peek::Table,
            _ => Peek::Other,
        }
    }
}

/// Number of values on the stack of the running function, or of an idle coroutine.
///
/// # Safety
/// `state` is live, and its layout is known.
#[inline(always)]
pub(super) unsafe fn values(state: *mut ffi::lua_State) -> c_int {
    let layout = state.cast::<State>();
    // SAFETY: the caller's promise; the function lies below the top of its stack, which has a
    // million slots at most.
    unsafe {
        let count = (*layout).top.offset_from((*(*layout).call).function) - 1;
        #[allow(clippy::cast_possible_truncation, reason = "see above")]
        let count = count as c_int;
        count
    }
}

/// True when the running function may push `count` more values without asking.
///
/// # Safety
/// `state` runs a native, and its layout is known.
#[inline(always)]
pub(super) unsafe fn has_room(state: *mut ffi::lua_State, count: c_int) -> bool {
    let layout = state.cast::<State>();
    // SAFETY: the caller's promise; the limit of a call lies in its stack, not below the top.
    unsafe { (*(*layout).call).top.offset_from((*layout).top) >= count as isize }
}

/// The status of a coroutine that does not run.
///
/// # Safety
/// As for `values`.
#[inline(always)]
pub(super) unsafe fn status(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { c_int::from((*state.cast::<State>()).status) }
}

/// True when the running coroutine can yield.
///
/// # Safety
/// As for `values`.
#[inline(always)]
pub(super) unsafe fn is_yieldable(state: *mut ffi::lua_State) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*state.cast::<State>()).not_yieldable == 0 }
}

/// Compares the layout with what Lua itself says of a fresh state.
///
/// # Safety
/// `state` is a live main state that runs nothing, and has memory for one short string.
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
        known
            && (*layout).hook.is_none()
            && (*layout).hook_mask == 0
            && results_are_known(state)
            && values_are_known(state)
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

/// Compares what is read from the stack with what was pushed.
///
/// # Safety
/// As for `is_known`.
unsafe fn values_are_known(state: *mut ffi::lua_State) -> bool {
    unsafe extern "C-unwind" fn look(state: *mut ffi::lua_State) -> c_int {
        // Lua has this one in every state; the other is the shortest of the long ones.
        const SHORT: &[u8] = b"not enough memory";
        const LONG: &[u8] = &[b'l'; 41];
        // SAFETY: a native has 20 free slots, and the state the memory for what is pushed; the
        // first argument is the address of a local of the caller below.
        unsafe {
            let known: *mut bool = ffi::lua_touserdata(state, 1).cast();
            ffi::lua_pushnil(state);
            ffi::lua_pushboolean(state, 1);
            ffi::lua_pushinteger(state, i64::MIN + 7);
            ffi::lua_pushnumber(state, -0.5);
            ffi::lua_pushlstring(state, SHORT.as_ptr().cast(), SHORT.len());
            ffi::lua_pushlstring(state, LONG.as_ptr().cast(), LONG.len());
            ffi::lua_pushvalue(state, ffi::LUA_REGISTRYINDEX);
            ffi::lua_pushcfunction(state, look);
            let is = |index, bytes: &[u8]| matches!(peek(state, index), Peek::String(seen) if &*seen == bytes);
            *known = peek(state, 1) == Peek::Pointer(known as usize)
                && peek(state, 2) == Peek::Nil
                && peek(state, -8) == Peek::Nil
                && peek(state, 3) == Peek::Boolean(true)
                && peek(state, 4) == Peek::Integer(i64::MIN + 7)
                && peek(state, 5) == Peek::Float(-0.5)
                && is(6, SHORT)
                && is(7, LONG)
                && peek(state, 8) == Peek::Table
                && peek(state, 9) == Peek::Other
                && peek(state, -1) == Peek::Other
                && peek(state, 10) == Peek::Other
                && values(state) == 9
                && has_room(state, 12)
                && !has_room(state, 13)
                && is_yieldable(state) == (ffi::lua_isyieldable(state) != 0)
                && status(state) == ffi::LUA_OK;
        }
        0
    }
    let mut known = false;
    // SAFETY: the stack is put back. The function does not raise: the one string it makes is small
    // beside the state, which fitted.
    unsafe {
        ffi::lua_pushcfunction(state, look);
        ffi::lua_pushlightuserdata(state, (&raw mut known).cast());
        ffi::lua_callk(state, 1, 0, 0, None);
    }
    known
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

/// Makes a call that a hook has yielded from look as it did in the hook. Lua does so only when it is
/// resumed: until then it takes whatever stands on top of the stack for the function, and the
/// instruction before for the next one.
///
/// # Safety
/// A line hook of `state` has just yielded, and the layout is known.
pub(super) unsafe fn mend_stopped(state: *mut ffi::lua_State) {
    let layout = state.cast::<State>();
    // SAFETY: the caller's promise; the yield has noted where the function is, in bytes from the
    // start of the stack.
    unsafe {
        let call = (*layout).call;
        (*call).function = (*layout).stack.cast::<u8>().offset((*call).extra).cast();
        (*call).union[NEXT_INSTRUCTION] += INSTRUCTION;
    }
}

/// Makes ready for its resume what `mend_stopped` has changed.
///
/// # Safety
/// As for `mend_stopped`, which was called since `state` last ran.
pub(super) unsafe fn unmend_stopped(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe { (*(*state.cast::<State>()).call).union[NEXT_INSTRUCTION] -= INSTRUCTION };
}

/// Makes Lua call hooks where it would not.
pub(super) fn allow_hooks(state: *mut ffi::lua_State) {
    // SAFETY: the state runs on this thread, and its layout was compared when it was made. Lua
    // gives the flag its former value back when it leaves the place where it had cleared it.
    unsafe { (&raw mut (*state.cast::<State>()).allow_hook).write_volatile(1) };
}
