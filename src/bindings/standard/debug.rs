//! `debug`: as much of it as the policy says.
//!
//! Most of `debug` cannot do harm. What can, and is refused by "safe":
//! - values that C code holds and trusts: locals and upvalues of C functions, temporaries of Lua
//!   functions (the table of a constructor), the registry, the user value of a userdata;
//! - functions of C that are running: those of the framework trust what they are called with;
//! - metatables of userdata: Lua tells kinds of userdata apart by nothing else;
//! - `debug.debug`, which makes a worker wait for standard input.
//!
//! Reading locals and upvalues of C functions gives nothing, as if there were none, because tools
//! walk over all functions they find. Hooks are allowed: the watchdog needs none of its own
//! beforehand, and takes the place of a script's hook when it strikes (`vm/interrupt.rs`).

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::{Replacement, Stock, call_stock, refuse, replace};
use crate::native;
use crate::sandbox::DebugAccess;
use crate::vm::Vm;
use crate::vm::native::{Call, NOTHING, NativeResult, Raise};

/// How to get at the rest.
const FULL: &str = "debug = \"full\"";

const DEBUG: &[Replacement] = &[
    (c"debug", None, native!(refuse_console)),
    (c"getinfo", Some(Stock::GetInfo), native!(get_info)),
    (c"getlocal", Some(Stock::GetLocal), native!(get_local)),
    (c"getregistry", None, native!(refuse_registry)),
    (c"getupvalue", Some(Stock::GetUpvalue), native!(get_upvalue)),
    (c"setlocal", Some(Stock::SetLocal), native!(set_local)),
    (c"setmetatable", Some(Stock::SetMetatable), native!(set_metatable)),
    (c"setupvalue", Some(Stock::SetUpvalue), native!(set_upvalue)),
    (c"setuservalue", None, native!(refuse_user_value)),
];

/// # Safety
/// As for `standard::install`, with the library's table on top of the stack, which is popped.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        if Vm::of(state).as_ref().policy.debug == DebugAccess::Full {
            ffi::lua_pop(state, 1);
        } else {
            replace(state, DEBUG);
        }
    }
}

fn refuse_console(call: &mut Call) -> NativeResult {
    Err(refuse(call, format_args!("use debug.debug"), FULL))
}

fn refuse_registry(call: &mut Call) -> NativeResult {
    Err(refuse(call, format_args!("use debug.getregistry"), FULL))
}

fn refuse_user_value(call: &mut Call) -> NativeResult {
    Err(refuse(call, format_args!("use debug.setuservalue"), FULL))
}

/// `debug.getinfo([thread,] level | f [, what])`: without `func` for a C function on the stack.
fn get_info(call: &mut Call) -> NativeResult {
    let first = if call.kind(1) == ffi::LUA_TTHREAD { 2 } else { 1 };
    let given = call.kind(first) == ffi::LUA_TFUNCTION;
    let outcome = call_stock(call, Stock::GetInfo)?;
    if given || call.kind(-1) != ffi::LUA_TTABLE {
        return Ok(outcome);
    }
    let state = call.state();
    // SAFETY: the fresh table is on top; assigning nil to a key it has allocates nothing.
    unsafe {
        ffi::lua_pushstring(state, c"func".as_ptr());
        ffi::lua_rawget(state, -2);
        let hidden = ffi::lua_iscfunction(state, -1) != 0;
        ffi::lua_pop(state, 1);
        if hidden {
            ffi::lua_pushnil(state);
            ffi::lua_setfield(state, -2, c"func".as_ptr());
        }
    }
    Ok(outcome)
}

/// A local variable that `getlocal` or `setlocal` names.
enum Local {
    /// Of a Lua function, with its name if there is such a variable.
    OfLua(Option<&'static CStr>),
    /// Of a C function.
    OfC,
    /// Arguments for which Lua's own function finds the words.
    Odd,
}

/// Looks at the arguments `[thread,] level, index` as Lua's own functions read them.
fn find_local(call: &mut Call) -> Local {
    let state = call.state();
    let first = if call.kind(1) == ffi::LUA_TTHREAD { 2 } else { 1 };
    // SAFETY: reading stack slots; `lua_getlocal` pushes onto the stack it looks at, where room
    // is made first. The names are static or belong to a function that is running.
    unsafe {
        let target = if first == 2 { ffi::lua_tothread(state, 1) } else { state };
        let mut known = [0; 2];
        let level = ffi::lua_tointegerx(state, first, &raw mut known[0]);
        let index = ffi::lua_tointegerx(state, first + 1, &raw mut known[1]);
        if known != [1, 1] {
            return Local::Odd;
        }
        #[allow(clippy::cast_possible_truncation, reason = "as Lua's own functions cut them")]
        let (level, index) = (level as c_int, index as c_int);
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        if level < 0 || ffi::lua_getstack(target, level, &raw mut record) == 0 {
            return Local::Odd;
        }
        ffi::lua_getinfo(target, c"S".as_ptr(), &raw mut record);
        if CStr::from_ptr(record.what) == c"C" {
            return Local::OfC;
        }
        if ffi::lua_checkstack(target, 2) == 0 {
            return Local::OfC;
        }
        let name = ffi::lua_getlocal(target, &raw const record, index);
        if name.is_null() {
            return Local::OfLua(None);
        }
        ffi::lua_pop(target, 1);
        Local::OfLua(Some(CStr::from_ptr(name)))
    }
}

/// `debug.getlocal([thread,] level | f, index)`.
fn get_local(call: &mut Call) -> NativeResult {
    match find_local(call) {
        Local::OfC => call.answer_nil(),
        Local::OfLua(_) | Local::Odd => call_stock(call, Stock::GetLocal),
    }
}

/// `debug.setlocal([thread,] level, index, value)`.
fn set_local(call: &mut Call) -> NativeResult {
    let allowed = match find_local(call) {
        Local::OfC => false,
        Local::OfLua(Some(name)) => name == c"(*vararg)" || !name.to_bytes().starts_with(b"("),
        Local::OfLua(None) | Local::Odd => true,
    };
    if !allowed {
        return Err(refuse(call, format_args!("set values of C functions or temporaries"), FULL));
    }
    call_stock(call, Stock::SetLocal)
}

fn is_c_function(call: &Call, index: c_int) -> bool {
    // SAFETY: any index is acceptable.
    unsafe { ffi::lua_iscfunction(call.state(), index) != 0 }
}

/// `debug.getupvalue(f, index)`.
fn get_upvalue(call: &mut Call) -> NativeResult {
    if is_c_function(call, 1) {
        return NOTHING;
    }
    call_stock(call, Stock::GetUpvalue)
}

/// `debug.setupvalue(f, index, value)`.
fn set_upvalue(call: &mut Call) -> NativeResult {
    if is_c_function(call, 1) {
        return Err(refuse_upvalue(call));
    }
    call_stock(call, Stock::SetUpvalue)
}

#[cold]
fn refuse_upvalue(call: &mut Call) -> Raise {
    refuse(call, format_args!("set upvalues of C functions"), FULL)
}

/// `debug.setmetatable(value, metatable)`.
fn set_metatable(call: &mut Call) -> NativeResult {
    if matches!(call.kind(1), ffi::LUA_TUSERDATA | ffi::LUA_TLIGHTUSERDATA) {
        return Err(refuse(call, format_args!("change the metatable of a userdata"), FULL));
    }
    call_stock(call, Stock::SetMetatable)
}
