//! What natives have in common that take bytes and give bytes.
//!
//! Invariant: results are written to the VM's buffer, so a raise from a push loses nothing; the
//! dispatcher clears and shrinks it between messages.

use std::ffi::c_int;
use std::fmt;

use mlua::ffi;

use crate::vm::layout::Peek;
use crate::vm::native::{Call, NativeResult, Outcome, Raise};

/// The bytes of a string argument; a number counts as its text. They are for the native's own
/// frame: the string stays on the stack until it ends.
#[inline]
pub(super) fn argument<'a>(call: &mut Call, index: c_int) -> Result<&'a [u8], Raise> {
    let bytes: *const [u8] = match call.peek(index) {
        Peek::String(bytes) => bytes,
        _ => call.check_string(index)?,
    };
    // SAFETY: arguments stay on the stack until the native ends, and nobody keeps it longer.
    Ok(unsafe { &*bytes })
}

/// An integer argument, or what it is when absent.
pub(super) fn integer_or(call: &mut Call, index: c_int, otherwise: i64) -> Result<i64, Raise> {
    if call.is_none_or_nil(index) { Ok(otherwise) } else { call.check_integer(index) }
}

/// Pushes what `write` appends to the VM's buffer; its refusal is the error.
pub(super) fn produce<E: fmt::Display>(
    call: &mut Call,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> NativeResult {
    let scratch = &mut call.vm().scratch;
    let start = scratch.len();
    if let Err(refusal) = write(scratch) {
        scratch.truncate(start);
        return Err(fail(call, format_args!("{refusal}")));
    }
    push_written(call, start);
    Ok(Outcome::Values(1))
}

/// Pushes what stands in the VM's buffer from `start` on, and takes it from there.
pub(super) fn push_written(call: &mut Call, start: usize) {
    let written: *const [u8] = &raw const call.vm().scratch[start..];
    // SAFETY: the buffer belongs to the VM and is not touched by the push.
    call.push_bytes(unsafe { &*written });
    call.vm().scratch.truncate(start);
}

/// One value: some bytes.
pub(super) fn answer(call: &mut Call, bytes: &[u8]) -> NativeResult {
    call.push_bytes(bytes);
    Ok(Outcome::Values(1))
}

/// An error as C functions of Lua raise it: with the line of the caller if that is a Lua function.
#[cold]
pub(super) fn fail(call: &mut Call, text: fmt::Arguments<'_>) -> Raise {
    let _ = call.error(text);
    Raise::AtCaller
}

/// Makes a module's table on top of the stack.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe fn module(
    state: *mut ffi::lua_State,
    functions: &[crate::vm::native::Entry],
) -> c_int {
    // SAFETY: called protected, with free slots.
    unsafe {
        ffi::lua_createtable(state, 0, c_int::try_from(functions.len()).unwrap_or(0));
        crate::vm::native::register(state, functions);
    }
    1
}
