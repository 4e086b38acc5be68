//! `skynet`: functions written in Lua, loaded when first called.

use std::ffi::CStr;

use mlua::ffi;

use crate::continuation;
use crate::vm::native::{Call, NativeResult, Outcome, Resumed};

/// Calls `require(module)[function]` with the arguments at hand.
pub(crate) fn call_lua(
    call: &mut Call,
    module: &'static CStr,
    function: &'static CStr,
) -> NativeResult {
    let state = call.state();
    let count = call.top();
    // SAFETY: room is reserved; `require` may raise, nothing here has a destructor.
    unsafe {
        call.reserve(4)?;
        ffi::lua_getglobal(state, c"require".as_ptr());
        ffi::lua_pushstring(state, module.as_ptr());
        ffi::lua_callk(state, 1, 1, 0, None);
        ffi::lua_getfield(state, -1, function.as_ptr());
        ffi::lua_remove(state, -2);
        ffi::lua_insert(state, 1);
    }
    Ok(Outcome::Call(count, continuation!(all), 0))
}

fn all(call: &mut Call, _resumed: Resumed) -> NativeResult {
    Ok(Outcome::Values(call.top()))
}

/// `request([req])`: an object that sends many requests and takes the answers as they come.
pub(super) fn request(call: &mut Call) -> NativeResult {
    call_lua(call, c"skynet.internal.request", c"new")
}
