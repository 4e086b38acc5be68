//! `skynet.socketdriver`: buffers of scripts that put data together themselves, and the blocks
//! that events bring.
//!
//! A buffer is a userdata with one of our own behind it. The table of spare nodes that skynet
//! wants beside it is checked and left alone.

use std::ffi::CStr;

use mlua::ffi;

use super::super::skynet::address::view;
use crate::kernel::Payload;
use crate::native;
use crate::net::socket::incoming::Incoming;
use crate::net::socket::{Separator, Want};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};

/// Name of the metatable of buffers.
const BUFFER: &CStr = c"skynet.socketdriver.buffer";

type Slot = *mut Incoming;

/// `buffer()`: an empty one.
pub(super) fn new(call: &mut Call) -> NativeResult {
    let state = call.state();
    // SAFETY: a native has free slots. The slot is null until the metatable is in place, so that
    // a raise in between leaves nothing to free.
    unsafe {
        let slot: *mut Slot = ffi::lua_newuserdata(state, size_of::<Slot>()).cast();
        *slot = std::ptr::null_mut();
        if ffi::luaL_newmetatable(state, BUFFER.as_ptr()) != 0 {
            ffi::lua_pushcfunction(state, native!(collect));
            ffi::lua_setfield(state, -2, c"__gc".as_ptr());
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_setmetatable(state, -2);
        *slot = Box::into_raw(Box::default());
    }
    Ok(Outcome::Values(1))
}

/// `__gc` of buffers.
fn collect(call: &mut Call) -> NativeResult {
    // SAFETY: the test gives null for anything but a buffer; the slot is emptied, so that it is
    // freed once.
    unsafe {
        let slot: *mut Slot = ffi::luaL_testudata(call.state(), 1, BUFFER.as_ptr()).cast();
        if !slot.is_null() && !(*slot).is_null() {
            drop(Box::from_raw(std::mem::replace(&mut *slot, std::ptr::null_mut())));
        }
    }
    NOTHING
}

/// The buffer at index 1. Not to be used across anything that runs Lua.
fn buffer<'a>(call: &mut Call) -> Result<&'a mut Incoming, Raise> {
    // SAFETY: as above; the buffer lives as long as its userdata, which is an argument.
    unsafe {
        let slot: *mut Slot = ffi::luaL_testudata(call.state(), 1, BUFFER.as_ptr()).cast();
        if slot.is_null() || (*slot).is_null() {
            return Err(call.error(format_args!("Need buffer object at param 1")));
        }
        Ok(&mut **slot)
    }
}

fn check_pool(call: &mut Call) -> Result<(), Raise> {
    if call.kind(2) == ffi::LUA_TTABLE {
        return Ok(());
    }
    Err(call.error(format_args!("Need buffer_pool table at param 2")))
}

/// `push(buffer, pool, block, size)`: adds a block, which is freed; the bytes in the buffer.
pub(super) fn push(call: &mut Call) -> NativeResult {
    buffer(call)?;
    check_pool(call)?;
    let bytes = view(call, 3)?;
    let buffer = buffer(call)?;
    // SAFETY: the bytes live as long as the block.
    buffer.push(unsafe { &*bytes });
    let length = buffer.len();
    let block = call.pointer(3);
    drop(call.vm().take_block(block));
    call.answer_integer(i64::try_from(length).unwrap_or(i64::MAX))
}

/// `pop(buffer, pool, n)`: n bytes, or nil; and how many are left.
pub(super) fn pop(call: &mut Call) -> NativeResult {
    buffer(call)?;
    check_pool(call)?;
    let count = call.check_integer(3)?;
    let buffer = buffer(call)?;
    let wanted = usize::try_from(count).ok().filter(|count| *count > 0);
    let pool = &mut call.vm().sockets;
    let taken = wanted.is_some_and(|count| buffer.take(&Want::Bytes(count), &mut pool.bytes));
    let left = i64::try_from(buffer.len()).unwrap_or(i64::MAX);
    if taken {
        push_taken(call);
    } else {
        call.push_nil();
    }
    call.push_integer(left);
    Ok(Outcome::Values(2))
}

/// `readall(buffer, pool)`: everything.
pub(super) fn read_all(call: &mut Call) -> NativeResult {
    buffer(call)?;
    check_pool(call)?;
    let buffer = buffer(call)?;
    buffer.take_all(&mut call.vm().sockets.bytes);
    push_taken(call);
    Ok(Outcome::Values(1))
}

/// `readline(buffer, pool | nil, separator)`: a line; without a pool, true if there is one.
pub(super) fn read_line(call: &mut Call) -> NativeResult {
    buffer(call)?;
    let checks = call.kind(2) != ffi::LUA_TTABLE;
    let separator: *const [u8] = call.check_string(3)?;
    let buffer = buffer(call)?;
    // SAFETY: the separator stays on the stack.
    let want = Want::Line(Separator::new(unsafe { &*separator }));
    let found = if checks {
        buffer.satisfies(&want)
    } else {
        buffer.take(&want, &mut call.vm().sockets.bytes)
    };
    drop(want);
    match (found, checks) {
        (false, _) => return NOTHING,
        (true, true) => call.push_boolean(true),
        (true, false) => push_taken(call),
    }
    Ok(Outcome::Values(1))
}

/// `clear(buffer, pool)`: forgets everything.
pub(super) fn clear(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        return NOTHING;
    }
    buffer(call)?.clear();
    NOTHING
}

/// `drop(block, size)`: frees a block.
pub(super) fn drop_block(call: &mut Call) -> NativeResult {
    let block = call.pointer(1);
    call.check_integer(2)?;
    drop(call.vm().take_block(block));
    NOTHING
}

/// `str2p(text)`: a block with a copy, and its size.
pub(super) fn string_to_block(call: &mut Call) -> NativeResult {
    let bytes: *const [u8] = call.check_string(1)?;
    // SAFETY: the text stays on the stack.
    let bytes = unsafe { &*bytes };
    push_block(call, bytes)?;
    call.push_integer(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    Ok(Outcome::Values(2))
}

/// Pushes a block with a copy of `bytes`, which the script owns from now on.
pub(super) fn push_block(call: &mut Call, bytes: &[u8]) -> Result<(), Raise> {
    let vm = call.vm();
    let used = vm.allocator().used() + vm.block_bytes;
    if used.saturating_add(bytes.len()) > vm.allocator().limit() {
        return Err(call.plain_error(format_args!("not enough memory")));
    }
    let block = vm.keep_block(Payload::copy_of(bytes));
    // SAFETY: a native has free slots; pushing a light userdata allocates nothing.
    unsafe { ffi::lua_pushlightuserdata(call.state(), block) };
    Ok(())
}

fn push_taken(call: &mut Call) {
    let bytes: *const [u8] = call.vm().sockets.bytes.as_slice();
    // SAFETY: the buffer belongs to the VM. Pushing copies it before anything else can run.
    call.push_bytes(unsafe { &*bytes });
    call.vm().sockets.trim();
}
