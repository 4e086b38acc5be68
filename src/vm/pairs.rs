//! Walking what a `__pairs` metamethod says is in an object, while bytes are being written.
//!
//! Invariant: the bytes are in the VM's buffer, and what metamethods leave there is cut off before
//! anything more is written.

use std::ffi::c_int;

use mlua::ffi;

use super::native::{Call, Raise};

/// Runs what may call metamethods, and cuts off what they leave in the buffer.
#[inline(always)]
pub fn with_buffer<T>(call: &mut Call, run: impl FnOnce(&mut Call) -> T) -> T {
    let mark = call.vm().scratch.len();
    let result = run(call);
    let scratch = &mut call.vm().scratch;
    if scratch.len() > mark {
        scratch.truncate(mark);
    }
    result
}

/// Calls `entry` with each key and value, on top of the stack, that the metamethod on top of the
/// stack gives for the object at `object`; takes the metamethod away. There is room for six values.
///
/// # Errors
/// Those of `entry`.
#[inline]
pub fn each_pair(
    call: &mut Call,
    object: c_int,
    mut entry: impl FnMut(&mut Call) -> Result<(), Raise>,
) -> Result<(), Raise> {
    let state = call.state();
    let below = call.top() - 1;
    with_buffer(call, |_| {
        // SAFETY: the caller has room; the metamethod may raise.
        unsafe {
            ffi::lua_pushvalue(state, object);
            ffi::lua_callk(state, 1, 3, 0, None);
        }
    });
    loop {
        with_buffer(call, |_| {
            // SAFETY: iterator, state and key are on top; the iterator may raise.
            unsafe {
                ffi::lua_pushvalue(state, -3);
                ffi::lua_pushvalue(state, -3);
                ffi::lua_pushvalue(state, -3);
                ffi::lua_callk(state, 2, 2, 0, None);
            }
        });
        if call.kind(-2) == ffi::LUA_TNIL {
            break;
        }
        entry(call)?;
        // SAFETY: the value goes, and the new key takes the old one's place.
        unsafe {
            ffi::lua_settop(state, -2);
            ffi::lua_remove(state, -2);
        }
    }
    // SAFETY: what was pushed here, and the metamethod.
    unsafe { ffi::lua_settop(state, below) };
    Ok(())
}
