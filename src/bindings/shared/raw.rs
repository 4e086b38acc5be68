//! `next`, `rawget`, `rawlen`, `rawset` as views need them: what is shared shows as if it stood in
//! the table.
//!
//! Invariant: for every other table they do what Lua's own functions do.

use std::ffi::c_int;

use mlua::ffi;

use super::form::root_of;
use super::view::{self, View};
use crate::natives;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"next" => next,
    c"rawget" => get,
    c"rawlen" => length,
    c"rawset" => set,
];

/// Puts the functions in the place of Lua's own.
///
/// # Safety
/// Runs protected in a fresh state whose basic library is open.
pub(crate) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        register(state, FUNCTIONS);
        ffi::lua_pop(state, 1);
    }
}

/// Whether the table at index 1 is a view.
#[inline]
fn is_view(call: &mut Call) -> bool {
    root_of(call, 1).is_some()
}

fn check_any(call: &mut Call, index: c_int) -> Result<(), Raise> {
    if call.kind(index) == ffi::LUA_TNONE {
        return Err(call.argument(index, format_args!("value expected")));
    }
    Ok(())
}

fn next(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    let state = call.state();
    // SAFETY: two slots are there; `lua_next` may raise, nothing here has a destructor.
    unsafe { ffi::lua_settop(state, 2) };
    if is_view(call) {
        return view::next_known(call);
    }
    // SAFETY: as above.
    if unsafe { ffi::lua_next(state, 1) } != 0 {
        return Ok(Outcome::Values(2));
    }
    call.answer_nil()
}

fn get(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    check_any(call, 2)?;
    // SAFETY: two values are there.
    unsafe { ffi::lua_settop(call.state(), 2) };
    if is_view(call) {
        return view::index(call);
    }
    // SAFETY: as above.
    unsafe { ffi::lua_rawget(call.state(), 1) };
    Ok(Outcome::Values(1))
}

fn length(call: &mut Call) -> NativeResult {
    let kind = call.kind(1);
    if kind != ffi::LUA_TTABLE && kind != ffi::LUA_TSTRING {
        return Err(call.argument(1, format_args!("table or string expected")));
    }
    if kind == ffi::LUA_TTABLE && is_view(call) {
        return view::length(call);
    }
    // SAFETY: reading the value at index 1.
    let length = unsafe { ffi::lua_rawlen(call.state(), 1) };
    call.answer_integer(i64::try_from(length).unwrap_or(i64::MAX))
}

fn set(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    check_any(call, 2)?;
    check_any(call, 3)?;
    // SAFETY: three values are there.
    unsafe { ffi::lua_settop(call.state(), 3) };
    if is_view(call) {
        return view::refuse_table(call);
    }
    // SAFETY: as above; may raise for the key or for lack of memory.
    unsafe { ffi::lua_rawset(call.state(), 1) };
    Ok(Outcome::Values(1))
}

/// Like `lua_next` on the table at `index`, with views shown as what they stand for: takes the key
/// on top and gives the next one with its value; false, and nothing, at the end.
///
/// # Errors
/// When what a view shows is no more.
pub(crate) fn next_entry(call: &mut Call, index: c_int) -> Result<bool, Raise> {
    let state = call.state();
    // SAFETY: a table is at `index` and a key on top; both stay where they are.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        if View::at(call, index)?.is_none() {
            return Ok(ffi::lua_next(state, index) != 0);
        }
        call.reserve(12)?;
        ffi::lua_pushcfunction(state, crate::native!(view::next));
        ffi::lua_insert(state, -2);
        ffi::lua_pushvalue(state, index);
        ffi::lua_insert(state, -2);
        ffi::lua_callk(state, 2, 2, 0, None);
        if call.kind(-2) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 2);
            return Ok(false);
        }
    }
    Ok(true)
}
