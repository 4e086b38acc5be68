//! `skynet.codecache`: the cache of compiled scripts.

use mlua::ffi;

use crate::natives;
use crate::vm::cache::Mode;
use crate::vm::loader;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, register};

const FUNCTIONS: &[Entry] = natives![
    c"clear" => clear,
    c"loadfile" => load_file,
    c"mode" => mode,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> std::ffi::c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, 4);
        register(state, FUNCTIONS);
    }
    1
}

/// `clear()`: scripts are read and parsed again.
fn clear(call: &mut Call) -> NativeResult {
    call.vm().shared.cache.clear();
    NOTHING
}

/// `mode(["ON" | "OFF" | "EXIST"])`: sets the mode, or tells it.
fn mode(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        let name = match call.vm().shared.cache.mode() {
            Mode::On => "ON",
            Mode::Off => "OFF",
            Mode::Exist => "EXIST",
        };
        call.push_text(format_args!("{name}"));
        return Ok(Outcome::Values(1));
    }
    let mode = match call.check_string(1)? {
        b"ON" => Mode::On,
        b"OFF" => Mode::Off,
        b"EXIST" => Mode::Exist,
        _ => return Err(call.argument(1, format_args!("ON, OFF or EXIST expected"))),
    };
    call.vm().shared.cache.set_mode(mode);
    NOTHING
}

/// `loadfile(name [, mode [, environment]])` through the cache.
pub(super) fn load_file(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    super::standard::check_readable(call, 1)?;
    let has_environment = call.kind(3) != ffi::LUA_TNONE;
    // SAFETY: the file name is at index 1.
    let status = unsafe { loader::load_file(call, 1) };
    if status != ffi::LUA_OK {
        call.push_nil();
        // SAFETY: the error text is below.
        unsafe { ffi::lua_insert(call.state(), -2) };
        return Ok(Outcome::Values(2));
    }
    if has_environment {
        // SAFETY: the first upvalue of a main function is its environment.
        unsafe {
            ffi::lua_pushvalue(call.state(), 3);
            if ffi::lua_setupvalue(call.state(), -2, 1).is_null() {
                ffi::lua_settop(call.state(), -2);
            }
        }
    }
    Ok(Outcome::Values(1))
}
