//! `skynet.stm`: a message that one service writes and others read.
//!
//! Source: reference 7. What `copy` gives is a number that names the cell; it can be sent to any
//! number of readers.
//!
//! Invariant: the bytes that a reader's function gets are a message block of its service for as
//! long as the function runs.

use std::ffi::{CStr, c_int};
use std::sync::Arc;

use mlua::ffi;

use super::super::skynet::address;
use crate::kernel::Payload;
use crate::shared::cell::Cell;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, Resumed, register};
use crate::{continuation, natives};

const FUNCTIONS: &[Entry] = natives![
    c"copy" => copy,
    c"new" => new,
    c"newcopy" => new_reader,
];

const WRITER_METHODS: &[Entry] = natives![c"__call" => write, c"__gc" => end_writer];
const READER_METHODS: &[Entry] = natives![c"__call" => read, c"__gc" => end_reader];

/// Names of the metatables.
const WRITER: &CStr = c"skynet.stm.writer";
const READER: &CStr = c"skynet.stm.reader";

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(crate) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        for (name, methods) in [(WRITER, WRITER_METHODS), (READER, READER_METHODS)] {
            ffi::luaL_newmetatable(state, name.as_ptr());
            register(state, methods);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// What a reader has: the cell, and the content it has seen last.
#[derive(Default)]
struct Reader {
    cell: Option<Arc<Cell<Box<[u8]>>>>,
    seen: Option<Arc<Box<[u8]>>>,
}

/// The number of the cell that the writer at index 1 writes.
fn writer(call: &mut Call) -> Result<*mut u64, Raise> {
    // SAFETY: a userdata with this metatable was made by `new`.
    let place = unsafe { ffi::luaL_testudata(call.state(), 1, WRITER.as_ptr()) };
    if place.is_null() {
        return Err(call.argument(1, format_args!("stm writer expected")));
    }
    Ok(place.cast())
}

/// The message at `index` and behind it, which is taken over.
fn content(call: &mut Call, index: c_int) -> Result<Box<[u8]>, Raise> {
    let payload = match call.kind(index) {
        ffi::LUA_TLIGHTUSERDATA => address::payload(call, index)?,
        _ => Payload::copy_of(call.check_string(index)?),
    };
    Ok(payload.as_slice().into())
}

/// `new(message [, size])`: a writer with its first message, which is taken over.
fn new(call: &mut Call) -> NativeResult {
    if call.kind(1) != ffi::LUA_TLIGHTUSERDATA {
        call.check_string(1)?;
    }
    let state = call.state();
    // SAFETY: a native has free slots; the cell is made when nothing can raise any more.
    let place = unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<u64>()).cast::<u64>();
        place.write(0);
        ffi::luaL_setmetatable(state, WRITER.as_ptr());
        place
    };
    let content = content(call, 1)?;
    match call.vm().shared.data.add_cell(content) {
        // SAFETY: the userdata is on top of the stack.
        Ok(number) => unsafe { place.write(number) },
        Err(error) => return Err(call.error(format_args!("stm object {error}"))),
    }
    Ok(Outcome::Values(1))
}

/// `writer(message [, size])`: replaces the message.
fn write(call: &mut Call) -> NativeResult {
    let place = writer(call)?;
    let content = content(call, 2)?;
    // SAFETY: see `writer`.
    if let Some(cell) = call.vm().shared.data.cell(unsafe { *place }) {
        cell.write(content);
    }
    NOTHING
}

fn end_writer(call: &mut Call) -> NativeResult {
    let place = writer(call)?;
    // SAFETY: see `writer`.
    let number = unsafe { place.replace(0) };
    call.vm().shared.data.remove_cell(number);
    NOTHING
}

/// `copy(writer)`: a light userdata from which other services make readers.
fn copy(call: &mut Call) -> NativeResult {
    let place = writer(call)?;
    // SAFETY: see `writer`; a light userdata is any address.
    unsafe {
        let number = std::ptr::without_provenance_mut(usize::try_from(*place).unwrap_or(0));
        ffi::lua_pushlightuserdata(call.state(), number);
    }
    Ok(Outcome::Values(1))
}

/// `newcopy(copy)`: a reader.
fn new_reader(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TLIGHTUSERDATA)?;
    let number = call.pointer(1).addr() as u64;
    let state = call.state();
    // SAFETY: a native has free slots; the reader is filled when nothing can raise any more.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<Reader>()).cast::<Reader>();
        place.write(Reader::default());
        ffi::luaL_setmetatable(state, READER.as_ptr());
        (*place).cell = call.vm().shared.data.cell(number);
    }
    Ok(Outcome::Values(1))
}

fn reader(call: &mut Call) -> Result<*mut Reader, Raise> {
    // SAFETY: a userdata with this metatable was made by `new_reader`.
    let place = unsafe { ffi::luaL_testudata(call.state(), 1, READER.as_ptr()) };
    if place.is_null() {
        return Err(call.argument(1, format_args!("stm reader expected")));
    }
    Ok(place.cast())
}

fn end_reader(call: &mut Call) -> NativeResult {
    let place = reader(call)?;
    // SAFETY: see `reader`; what is left can be dropped again.
    unsafe { *place = Reader::default() };
    NOTHING
}

/// `reader(f [, value])`: true and what `f(message, size, value)` returns, if there is a message
/// that was not read before; else false.
fn read(call: &mut Call) -> NativeResult {
    let place = reader(call)?;
    call.check_type(2, ffi::LUA_TFUNCTION)?;
    // SAFETY: see `reader`; nothing else refers to it.
    let reader = unsafe { &mut *place };
    let latest = reader.cell.as_ref().and_then(|cell| cell.read());
    let known = match (&latest, &reader.seen) {
        (Some(latest), Some(seen)) => Arc::ptr_eq(latest, seen),
        (None, _) => true,
        (Some(_), None) => false,
    };
    reader.seen = latest;
    let block = match &reader.seen {
        Some(content) if !known => Payload::copy_of(content),
        _ => return call.answer_boolean(false),
    };
    let state = call.state();
    // reader, f, value -> handler's place, f, message, size, value
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_settop(state, 3) };
    if let Err(raise) = address::push_owned(call, block) {
        // SAFETY: see `reader`: what could not be given was not read.
        unsafe { (*place).seen = None };
        return Err(raise);
    }
    let message = call.pointer(4).expose_provenance().cast_signed();
    // SAFETY: as above.
    unsafe { ffi::lua_rotate(state, 3, -1) };
    Ok(Outcome::ProtectedCall(3, 0, continuation!(after_read), message as ffi::lua_KContext))
}

/// Frees the block, and gives what the function gave.
fn after_read(call: &mut Call, resumed: Resumed) -> NativeResult {
    let message = std::ptr::with_exposed_provenance_mut(resumed.context.cast_unsigned());
    drop(call.vm().take_block(message));
    if !resumed.is_ok() {
        return Err(Raise::Top);
    }
    call.push_boolean(true);
    // SAFETY: the reader at index 1 makes place.
    unsafe { ffi::lua_replace(call.state(), 1) };
    Ok(Outcome::Values(call.top()))
}
