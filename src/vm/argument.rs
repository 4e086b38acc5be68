//! What a native is called in the error about a bad argument.
//!
//! Lua takes the name from the instruction that called. Where there is none (`pcall(md5.sum)`), its library
//! looks through the loaded modules and takes whatever comes first in a hash table: `md5.sum` today,
//! `md5.core.sum` tomorrow. Here it is always the shortest of the names.

use std::ffi::{CStr, c_char, c_int};

use mlua::ffi;

/// Where Lua's library keeps the loaded modules.
const LOADED: &CStr = c"_LOADED";

/// Stack slots that the search needs.
const SLOTS: c_int = 10;

/// Raises the error that argument `index` of the running native is bad for the reason in `text`.
///
/// # Safety
/// Called by Lua with the running state; `text` is that of a string on top of the stack; nothing with a destructor
/// is alive.
pub(super) unsafe fn raise(state: *mut ffi::lua_State, index: c_int, text: *const c_char) -> c_int {
    // SAFETY: the caller's promise; the record lives in this frame and has no destructor.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        if ffi::lua_getstack(state, 0, &raw mut record) == 0 {
            return ffi::luaL_argerror(state, index, text);
        }
        ffi::lua_getinfo(state, c"n".as_ptr(), &raw mut record);
        if !record.name.is_null() || !push_shortest_name(state, &mut record) {
            return ffi::luaL_argerror(state, index, text);
        }
        let name = ffi::lua_tostring(state, -1);
        ffi::luaL_error(state, c"bad argument #%d to '%s' (%s)".as_ptr(), index, name, text)
    }
}

/// Pushes the shortest name under which the modules know the function of `record`, of two of one length the
/// first by alphabet; nothing when they do not know it.
///
/// # Safety
/// As for `raise`.
unsafe fn push_shortest_name(state: *mut ffi::lua_State, record: &mut ffi::lua_Debug) -> bool {
    // SAFETY: the caller's promise; room is asked for, and the listing changes no table.
    unsafe {
        if ffi::lua_checkstack(state, SLOTS) == 0 {
            return false;
        }
        let function = ffi::lua_gettop(state) + 1;
        let (loaded, best) = (function + 1, function + 2);
        ffi::lua_getinfo(state, c"f".as_ptr(), record);
        if ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, LOADED.as_ptr()) != ffi::LUA_TTABLE {
            return false;
        }
        ffi::lua_pushnil(state);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, loaded) != 0 {
            if ffi::lua_type(state, -2) == ffi::LUA_TSTRING {
                if ffi::lua_rawequal(state, -1, function) != 0 {
                    ffi::lua_pushvalue(state, -2);
                    keep_shorter(state, best);
                } else if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
                    search_module(state, function, best);
                }
            }
            ffi::lua_pop(state, 1);
        }
        ffi::lua_type(state, best) == ffi::LUA_TSTRING
    }
}

/// Offers the names of the function in the module on top of the stack, whose own name is below it.
///
/// # Safety
/// As for `push_shortest_name`.
unsafe fn search_module(state: *mut ffi::lua_State, function: c_int, best: c_int) {
    // SAFETY: as above.
    unsafe {
        let module = ffi::lua_gettop(state);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, module) != 0 {
            let is_it = ffi::lua_rawequal(state, -1, function) != 0;
            ffi::lua_pop(state, 1);
            if is_it && ffi::lua_type(state, -1) == ffi::LUA_TSTRING {
                let name = CStr::from_ptr(ffi::lua_tostring(state, module - 1));
                if name == c"_G" {
                    ffi::lua_pushvalue(state, -1);
                } else {
                    ffi::lua_pushvalue(state, module - 1);
                    ffi::lua_pushstring(state, c".".as_ptr());
                    ffi::lua_pushvalue(state, -3);
                    ffi::lua_concat(state, 3);
                }
                keep_shorter(state, best);
            }
        }
    }
}

/// Pops a name, which becomes the best one if it is better than that.
///
/// # Safety
/// A string is on top, a string or nil at `best`.
unsafe fn keep_shorter(state: *mut ffi::lua_State, best: c_int) {
    // SAFETY: the caller's promise; Lua keeps both texts while they are compared.
    unsafe {
        let name = CStr::from_ptr(ffi::lua_tostring(state, -1)).to_bytes();
        let is_better = ffi::lua_type(state, best) == ffi::LUA_TNIL || {
            let before = CStr::from_ptr(ffi::lua_tostring(state, best)).to_bytes();
            (name.len(), name) < (before.len(), before)
        };
        if is_better {
            ffi::lua_replace(state, best);
        } else {
            ffi::lua_pop(state, 1);
        }
    }
}
