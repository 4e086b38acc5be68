//! `lpeg`: parsing expression grammars, with the functions and texts of lpeg 1.0.
//!
//! Source: reference 17. Patterns are trees and programs of `codec/peg`; here they are put into
//! userdata, and captures become values.
//!
//! Invariant: a pattern's tree and program lie in userdata as plain bytes, so the service's memory
//! limit counts them, and an error leaves nothing behind.

mod captures;
mod make;
mod matching;
mod pattern;
mod rules;
mod text;
mod utf;

use std::ffi::c_int;

use mlua::ffi;

use crate::natives;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, register};

const FUNCTIONS: &[Entry] = natives![
    c"B" => make::behind,
    c"C" => make::simple,
    c"Carg" => make::argument,
    c"Cb" => make::back,
    c"Cc" => make::constant,
    c"Cf" => make::fold,
    c"Cg" => make::group,
    c"Cmt" => make::runtime,
    c"Cp" => make::position,
    c"Cs" => make::substitution,
    c"Ct" => make::table,
    c"P" => make::pattern,
    c"R" => make::range,
    c"S" => make::set,
    c"V" => make::variable,
    c"locale" => make::locale,
    c"match" => matching::run,
    c"pcode" => debug_only,
    c"ptree" => debug_only,
    c"setmaxstack" => matching::set_max_stack,
    c"type" => kind,
    c"utfR" => utf::range,
    c"version" => version,
];

const OPERATORS: &[Entry] = natives![
    c"__add" => make::choice,
    c"__div" => make::divide,
    c"__len" => make::and,
    c"__mul" => make::sequence,
    c"__pow" => make::power,
    c"__sub" => make::difference,
    c"__unm" => make::not,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::luaL_newmetatable(state, pattern::METATABLE.as_ptr());
        register(state, OPERATORS);
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
        ffi::lua_pushvalue(state, -1);
        ffi::lua_setfield(state, -3, c"__index".as_ptr());
    }
    1
}

/// `version()`
fn version(call: &mut Call) -> NativeResult {
    call.push_bytes(b"1.0.2");
    Ok(Outcome::Values(1))
}

/// `type(value)`: `"pattern"`, or nil.
fn kind(call: &mut Call) -> NativeResult {
    if pattern::at(call, 1).is_none() {
        return call.answer_nil();
    }
    call.push_bytes(b"pattern");
    Ok(Outcome::Values(1))
}

/// `ptree` and `pcode` print what is inside of a pattern, in an lpeg made for that.
fn debug_only(call: &mut Call) -> NativeResult {
    if pattern::at(call, 1).is_none() {
        pattern::convert(call, 1)?;
    }
    Err(call.error(format_args!("function only implemented in debug mode")))
}
