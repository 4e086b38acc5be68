//! `bridge.core`: messages, sessions and machines of the bridge, for `lua/lib/bridge`. Not for scripts.
//!
//! Invariant: what a function works with is held by a userdata, never by its own frame while Lua may
//! run; and while a function uses it nobody else does, finalizers included.
//! Not here: what is decided (`src/bridge`), Redis and coroutines (`lua/lib/bridge`).

mod link;
mod transfer;
mod values;

use std::ffi::{CStr, c_int};

use mlua::ffi;

use crate::bridge::SCRIPT;
use crate::natives;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"adopt" => transfer::adopt,
    c"answer" => link::answer,
    c"cancel" => transfer::cancel,
    c"close" => link::close,
    c"expire" => link::expire,
    c"give" => transfer::give,
    c"id" => link::id,
    c"member" => link::member,
    c"new" => link::new,
    c"notice" => link::notice,
    c"open" => link::open,
    c"receive" => link::receive,
    c"record" => link::record,
    c"request" => link::request,
    c"resume" => transfer::resume,
    c"script" => script,
    c"session" => link::session,
    c"step" => transfer::step,
    c"take" => transfer::take,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        for (name, methods) in [(link::NAME, link::METHODS), (transfer::NAME, transfer::METHODS)] {
            ffi::luaL_newmetatable(state, name.as_ptr());
            register(state, methods);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
            ffi::lua_settop(state, -2);
        }
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// What a userdata of this module holds, in a box of its own.
struct Held<T> {
    /// A function works with it. A raise out of one leaves it so: it is of no use any more.
    busy: bool,
    value: T,
}

/// Makes an empty userdata of that kind on the stack; `fill` gives it its value.
fn make(call: &mut Call, name: &CStr) -> *mut *mut std::ffi::c_void {
    let state = call.state();
    // SAFETY: a native has free slots; may raise before there is a value.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<*mut std::ffi::c_void>());
        let place = place.cast::<*mut std::ffi::c_void>();
        place.write(std::ptr::null_mut());
        ffi::luaL_setmetatable(state, name.as_ptr());
        place
    }
}

/// Gives the userdata that `make` made its value.
fn fill<T>(place: *mut *mut std::ffi::c_void, value: T) {
    let held = Box::into_raw(Box::new(Held { busy: false, value }));
    // SAFETY: the userdata is on the stack of the native that made it; `release` frees the box.
    unsafe { place.write(held.cast()) };
}

/// Runs `body` with what the userdata at index 1 holds. The pointer is good for as long.
fn with<T>(
    call: &mut Call,
    name: &CStr,
    body: impl FnOnce(&mut Call, *mut T) -> NativeResult,
) -> NativeResult {
    let held = find::<T>(call, 1, name)?;
    // SAFETY: `find` answers a box that is alive as long as its userdata, which is on the stack.
    unsafe {
        if (*held).busy {
            return Err(call.error(format_args!("a bridge is used within its own function")));
        }
        (*held).busy = true;
        let result = body(call, &raw mut (*held).value);
        (*held).busy = false;
        result
    }
}

fn find<T>(call: &mut Call, index: c_int, name: &CStr) -> Result<*mut Held<T>, Raise> {
    // SAFETY: a userdata with this metatable was made by `make`, and filled with a `T`.
    let place = unsafe { ffi::luaL_testudata(call.state(), index, name.as_ptr()) };
    let held = if place.is_null() {
        std::ptr::null_mut()
    } else {
        // SAFETY: as above.
        unsafe { place.cast::<*mut Held<T>>().read() }
    };
    if held.is_null() {
        let found = call.type_name(index);
        let expected = name.to_str().unwrap_or_default();
        return Err(call.argument(index, format_args!("{expected} expected, got {found}")));
    }
    Ok(held)
}

/// Frees what the userdata at index 1 holds, and returns it.
fn release<T>(call: &mut Call, name: &CStr) -> Option<T> {
    let held = find::<T>(call, 1, name).ok()?;
    // SAFETY: the place holds a box of its own, which is taken out; nobody works with it, since a
    // userdata in use is not collected and `__metatable` hides this function.
    unsafe {
        let place = ffi::lua_touserdata(call.state(), 1).cast::<*mut Held<T>>();
        place.write(std::ptr::null_mut());
        Some(Box::from_raw(held).value)
    }
}

/// `script()`: the text of the script that Redis runs.
fn script(call: &mut Call) -> NativeResult {
    call.push_bytes(SCRIPT.as_bytes());
    Ok(Outcome::Values(1))
}
