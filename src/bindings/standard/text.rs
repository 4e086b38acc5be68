//! `string`: what would keep a worker busy for ages inside one C function, where no interrupt
//! reaches it.
//!
//! Not here: patterns that backtrack for ages. They need a matcher of our own.

use mlua::ffi;

use super::{Replacement, Stock, call_stock, replace};
use crate::native;
use crate::vm::native::{Call, NativeResult, Outcome};

const STRING: &[Replacement] = &[(c"rep", Some(Stock::Repeat), native!(repeat))];

/// # Safety
/// As for `standard::install`.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_getglobal(state, c"string".as_ptr());
        replace(state, STRING);
    }
}

/// `string.rep(text, count [, separator])`: nothing, repeated, is nothing at once.
fn repeat(call: &mut Call) -> NativeResult {
    let is_empty = call.string(1).is_some_and(<[u8]>::is_empty)
        && (call.is_none_or_nil(3) || call.string(3).is_some_and(<[u8]>::is_empty));
    if is_empty {
        call.check_integer(2)?;
        call.push_bytes(b"");
        return Ok(Outcome::Values(1));
    }
    call_stock(call, Stock::Repeat)
}
