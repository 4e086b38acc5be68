//! `load`, `loadfile`, `dofile`: text, and bytecode only where the policy allows it.
//!
//! Files come through the code cache. Lua does not check bytecode: a crafted chunk reads and
//! writes any memory, so refusing it is what holds all other rules up.

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::{Replacement, Stock, call_stock, check_readable, files, replace};
use crate::bindings::codecache;
use crate::vm::loader;
use crate::vm::native::{Call, NativeResult, Outcome, Raise, Resumed};
use crate::{continuation, native};

/// First byte of bytecode.
const SIGNATURE: u8 = 0x1b;

const REPLACEMENTS: &[Replacement] = &[
    (c"dofile", Some(Stock::DoFile), native!(do_file)),
    (c"load", Some(Stock::Load), native!(load)),
    (c"loadfile", Some(Stock::LoadFile), native!(load_file)),
];

/// # Safety
/// As for `standard::install`.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        replace(state, REPLACEMENTS);
    }
}

/// `load(chunk [, name [, mode [, environment]]])`.
fn load(call: &mut Call) -> NativeResult {
    if !call.vm().policy.bytecode {
        restrict_mode(call)?;
    }
    call_stock(call, Stock::Load)
}

/// Takes bytecode out of the mode at index 3.
fn restrict_mode(call: &mut Call) -> Result<(), Raise> {
    let text = if call.is_none_or_nil(3) {
        true
    } else {
        let mode = call.check_string(3)?;
        // Lua looks at the mode up to its first zero.
        let mode = mode.split(|byte| *byte == 0).next().unwrap_or_default();
        if !mode.contains(&b'b') {
            return Ok(());
        }
        mode.contains(&b't')
    };
    let is_bytecode = call.string(1).is_some_and(|chunk| chunk.first() == Some(&SIGNATURE));
    if !text && !is_bytecode && call.kind(1) == ffi::LUA_TSTRING {
        // Text where bytecode is asked for: Lua's own refusal says so.
        return Ok(());
    }
    // What a function of the script will read is not known: nothing of it is accepted.
    let mode = if text || is_bytecode { c"t" } else { c"" };
    set_mode(call, mode);
    Ok(())
}

fn set_mode(call: &mut Call, mode: &'static CStr) {
    let state = call.state();
    // SAFETY: a native has free slots; what is above index 3 stays.
    unsafe {
        if ffi::lua_gettop(state) < 3 {
            ffi::lua_settop(state, 3);
        }
        ffi::lua_pushstring(state, mode.as_ptr());
        ffi::lua_replace(state, 3);
    }
}

/// `loadfile([name [, mode [, environment]]])`.
fn load_file(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        files::refuse_waiting_for_input(call)?;
        if !call.vm().policy.bytecode {
            set_mode(call, c"t");
        }
        return call_stock(call, Stock::LoadFile);
    }
    check_readable(call, 1)?;
    if call.vm().policy.bytecode {
        // It may be bytecode, which the cache does not keep.
        return call_stock(call, Stock::LoadFile);
    }
    let refuses_text = match call.is_none_or_nil(2) {
        true => false,
        false => !call.check_string(2)?.contains(&b't'),
    };
    let outcome = codecache::load_file(call)?;
    if refuses_text && call.kind(-1) == ffi::LUA_TFUNCTION {
        call.push_nil();
        let mode: *const [u8] = call.string(2).unwrap_or_default();
        // SAFETY: the mode stays on the stack.
        let mode = crate::vm::native::Lossy(unsafe { &*mode });
        call.push_text(format_args!("attempt to load a text chunk (mode is '{mode}')"));
        return Ok(Outcome::Values(2));
    }
    Ok(outcome)
}

/// `dofile([name])`: runs a file; what it returns.
fn do_file(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        files::refuse_waiting_for_input(call)?;
        return call_stock(call, Stock::DoFile);
    }
    check_readable(call, 1)?;
    if call.vm().policy.bytecode {
        return call_stock(call, Stock::DoFile);
    }
    // SAFETY: the file name is at index 1.
    unsafe {
        ffi::lua_settop(call.state(), 1);
        if loader::load_file(call, 1) != ffi::LUA_OK {
            return Err(Raise::Top);
        }
    }
    Ok(Outcome::Call(0, continuation!(done), 0))
}

fn done(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let count: c_int = call.top() - 1;
    Ok(Outcome::Values(count))
}
