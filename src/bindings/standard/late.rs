//! Standard libraries that are opened when a service first touches them: `io`, `os`, `math`, `utf8`
//! and `debug`.
//!
//! Until then each is an empty table with a metatable; afterwards it is Lua's own, under the
//! policy's rules. Most services need one or two of them, and all five cost each 5 KiB.
//! Limit: before the first touch `rawget` and `next` find such a table empty. Indexing, assigning
//! and `pairs` are touches.

use std::ffi::CStr;

use mlua::ffi;

use super::{debug, files, process};
use crate::native;
use crate::sandbox::DebugAccess;
use crate::vm::native::{Call, NativeResult, Outcome};
use crate::vm::{LATE_LIBRARIES, Vm};

/// A library, the function that opens it, and the one that restricts its table, which is on top of
/// the stack and is popped.
struct Late {
    name: &'static CStr,
    open: ffi::lua_CFunction,
    restrict: Option<unsafe fn(*mut ffi::lua_State)>,
}

const LATE: [Late; LATE_LIBRARIES] = [
    Late { name: c"io", open: ffi::luaopen_io, restrict: Some(files::install) },
    Late { name: c"os", open: ffi::luaopen_os, restrict: Some(process::install) },
    Late { name: c"math", open: ffi::luaopen_math, restrict: None },
    Late { name: c"utf8", open: ffi::luaopen_utf8, restrict: None },
    Late { name: c"debug", open: ffi::luaopen_debug, restrict: Some(debug::install) },
];

/// Puts the empty tables in place.
///
/// # Safety
/// Runs protected in a fresh state.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, c"_LOADED".as_ptr());
        ffi::lua_createtable(state, 0, 3);
        for (event, function) in [
            (c"__index", native!(index)),
            (c"__newindex", native!(assign)),
            (c"__pairs", native!(pairs)),
        ] {
            ffi::lua_pushcfunction(state, function);
            ffi::lua_setfield(state, -2, event.as_ptr());
        }
        let absent = Vm::of(state).as_ref().policy.debug == DebugAccess::Absent;
        for (position, late) in LATE.iter().enumerate() {
            if absent && late.name == c"debug" {
                continue;
            }
            ffi::lua_createtable(state, 0, 0);
            ffi::lua_pushvalue(state, -2);
            ffi::lua_setmetatable(state, -2);
            ffi::lua_pushvalue(state, -1);
            ffi::lua_setglobal(state, late.name.as_ptr());
            ffi::lua_pushvalue(state, -1);
            ffi::lua_setfield(state, -4, late.name.as_ptr());
            let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            Vm::of(state).as_mut().late[position] = reference;
        }
        ffi::lua_pop(state, 2);
    }
}

/// Opens the library whose empty table is at index 1.
fn fill(call: &mut Call) {
    let state = call.state();
    // SAFETY: a native has free slots; may raise, nothing here has a destructor. The metatable
    // goes first, so a second try after an error finds a plain table.
    unsafe {
        for (position, late) in LATE.iter().enumerate() {
            let reference = call.vm().late[position];
            if reference == ffi::LUA_NOREF {
                // Opened already; a script calls our metamethods itself.
                continue;
            }
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
            let found = ffi::lua_rawequal(state, 1, -1) != 0;
            ffi::lua_pop(state, 1);
            if !found {
                continue;
            }
            ffi::lua_pushcfunction(state, late.open);
            ffi::lua_pushstring(state, late.name.as_ptr());
            ffi::lua_callk(state, 1, 1, 0, None);
            if let Some(restrict) = late.restrict {
                ffi::lua_pushvalue(state, -1);
                restrict(state);
            }
            let library = ffi::lua_gettop(state);
            ffi::lua_pushnil(state);
            ffi::lua_setmetatable(state, 1);
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, library) != 0 {
                ffi::lua_pushvalue(state, -2);
                ffi::lua_insert(state, -2);
                ffi::lua_rawset(state, 1);
            }
            ffi::lua_settop(state, library - 1);
            ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, reference);
            call.vm().late[position] = ffi::LUA_NOREF;
            return;
        }
    }
}

fn index(call: &mut Call) -> NativeResult {
    // Scripts can call these with whatever they like.
    call.check_type(1, ffi::LUA_TTABLE)?;
    fill(call);
    // SAFETY: table and key are the arguments.
    unsafe {
        ffi::lua_settop(call.state(), 2);
        ffi::lua_rawget(call.state(), 1);
    }
    Ok(Outcome::Values(1))
}

fn assign(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    fill(call);
    // SAFETY: table, key and value are the arguments; a bad key raises Lua's own error.
    unsafe {
        ffi::lua_settop(call.state(), 3);
        ffi::lua_settable(call.state(), 1);
    }
    Ok(Outcome::Values(0))
}

fn pairs(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    fill(call);
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(call.state(), 1);
        ffi::lua_getglobal(call.state(), c"next".as_ptr());
        ffi::lua_insert(call.state(), 1);
    }
    call.push_nil();
    Ok(Outcome::Values(3))
}
