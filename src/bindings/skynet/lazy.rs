//! `skynet`: functions written in Lua, loaded when first called.

use std::ffi::CStr;

use mlua::ffi;

use crate::continuation;
use crate::vm::native::{Call, NativeResult, Outcome, Raise, Resumed};

/// Calls `require(module)[function]` with the arguments at hand.
pub(crate) fn call_lua(
    call: &mut Call,
    module: &'static CStr,
    function: &'static CStr,
) -> NativeResult {
    let count = call.top();
    push_field(call, module, function)?;
    // SAFETY: the function is on top.
    unsafe { ffi::lua_insert(call.state(), 1) };
    Ok(Outcome::Call(count, continuation!(all), 0))
}

/// Pushes `require(module)[field]`.
pub(super) fn push_field(
    call: &mut Call,
    module: &'static CStr,
    field: &'static CStr,
) -> Result<(), Raise> {
    call.reserve(4)?;
    let state = call.state();
    // SAFETY: room is reserved; `require` may raise, nothing here has a destructor.
    unsafe {
        ffi::lua_getglobal(state, c"require".as_ptr());
        ffi::lua_pushstring(state, module.as_ptr());
        ffi::lua_callk(state, 1, 1, 0, None);
        ffi::lua_getfield(state, -1, field.as_ptr());
        ffi::lua_remove(state, -2);
    }
    Ok(())
}

fn all(call: &mut Call, _resumed: Resumed) -> NativeResult {
    Ok(Outcome::Values(call.top()))
}

/// `request([req])`: an object that sends many requests and takes the answers as they come.
pub(super) fn request(call: &mut Call) -> NativeResult {
    call_lua(call, c"skynet.internal.request", c"new")
}
