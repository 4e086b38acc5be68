//! `skynet.socket`: writing. Never blocks.

use std::ffi::{c_int, c_void};

use mlua::ffi;

use super::super::skynet::address::is_current;
use crate::net::socket::SocketId;
use crate::vm::native::{Call, Lossy, NativeResult, Raise};

/// `write(id, data [, size])`: true unless the socket is gone.
pub(super) fn write(call: &mut Call) -> NativeResult {
    send(call, false)
}

/// `lwrite(id, data [, size])`: as `write`, behind all that `write` sends.
pub(super) fn write_low(call: &mut Call) -> NativeResult {
    send(call, true)
}

fn send(call: &mut Call, low: bool) -> NativeResult {
    let number = call.check_integer(1)?;
    let sent = with_bytes(call, 2, |call, bytes| {
        let vm = call.vm();
        let write = |socket: &crate::net::socket::Socket| {
            if low { socket.write_low(bytes) } else { socket.write(bytes) }.is_ok()
        };
        // Most sockets are the service's own.
        match i32::try_from(number).ok().and_then(|id| vm.sockets.entries.get(&id)) {
            Some(entry) => write(&entry.socket),
            None => SocketId::new(number)
                .and_then(|id| vm.shared.sockets.get(id))
                .is_some_and(|socket| write(&socket)),
        }
    })?;
    call.answer_boolean(sent)
}

/// Calls `with` with the bytes at `index`: a string, a table of strings, a userdata, or a light
/// userdata with its size, which the script gives away.
pub(super) fn with_bytes<R>(
    call: &mut Call,
    index: c_int,
    with: impl FnOnce(&mut Call, &[u8]) -> R,
) -> Result<R, Raise> {
    match call.kind(index) {
        ffi::LUA_TTABLE => {
            let start = gather(call, index)?;
            let scratch = std::mem::take(&mut call.vm().scratch);
            let result = with(call, &scratch[start..]);
            let vm = call.vm();
            vm.scratch = scratch;
            vm.scratch.truncate(start);
            Ok(result)
        }
        ffi::LUA_TLIGHTUSERDATA => {
            let pointer = call.pointer(index);
            let Some(length) = call.integer(index + 1).and_then(|size| usize::try_from(size).ok())
            else {
                return Err(call.argument(index + 1, format_args!("size of the block expected")));
            };
            with_block(call, index, pointer, length, with)
        }
        ffi::LUA_TUSERDATA => {
            let pointer: *const u8 = call.pointer(index).cast_const().cast();
            // SAFETY: the userdata is an argument, and of the length that Lua knows.
            let whole = unsafe { ffi::lua_rawlen(call.state(), index) };
            let length = call.integer(index + 1).map_or(Ok(whole), usize::try_from);
            match length {
                Ok(length) if length <= whole => {
                    // SAFETY: as above; nothing of Lua runs while the bytes are in use.
                    Ok(with(call, unsafe { std::slice::from_raw_parts(pointer, length) }))
                }
                _ => Err(call
                    .argument(index + 1, format_args!("size out of 0 to {whole} of the userdata"))),
            }
        }
        _ => {
            let bytes: *const [u8] = call.check_string(index)?;
            // SAFETY: the string stays on the stack.
            Ok(with(call, unsafe { &*bytes }))
        }
    }
}

fn with_block<R>(
    call: &mut Call,
    index: c_int,
    pointer: *mut c_void,
    length: usize,
    with: impl FnOnce(&mut Call, &[u8]) -> R,
) -> Result<R, Raise> {
    let vm = call.vm();
    if pointer.is_null() && length == 0 {
        return Ok(with(call, &[]));
    }
    if let Some(payload) = vm.take_block(pointer) {
        if length <= payload.len() {
            return Ok(with(call, &payload.as_slice()[..length]));
        }
        drop(payload);
    } else if is_current(vm, pointer, length) {
        // SAFETY: the bytes live as long as the message.
        return Ok(with(call, unsafe { std::slice::from_raw_parts(pointer.cast(), length) }));
    } else if vm.trusts_pointers {
        // SAFETY: a C module is loaded, whose blocks come from the C allocator; skynet's
        // contract makes the script give it away.
        let payload = unsafe { crate::kernel::Payload::from_raw(pointer, length) };
        return Ok(with(call, payload.as_slice()));
    }
    Err(call
        .argument(index, format_args!("not a message block of this service with {length} bytes")))
}

/// Adds the strings of the table at `index` to the VM's scratch buffer; where they begin.
fn gather(call: &mut Call, index: c_int) -> Result<usize, Raise> {
    let state = call.state();
    let start = call.vm().scratch.len();
    for position in 1.. {
        // SAFETY: a native has free slots; a metamethod may raise, nothing here has a destructor.
        let kind = unsafe { ffi::lua_geti(state, index, position) };
        if kind == ffi::LUA_TNIL {
            break;
        }
        let top = call.top();
        if !matches!(kind, ffi::LUA_TSTRING | ffi::LUA_TNUMBER) {
            let name = call.type_name(top);
            call.vm().scratch.truncate(start);
            return Err(call.argument(
                index,
                format_args!("table of strings expected, got {name} at {position}"),
            ));
        }
        let bytes: *const [u8] = call.check_string(top)?;
        // SAFETY: the string is on the stack.
        call.vm().scratch.extend_from_slice(unsafe { &*bytes });
        // SAFETY: the value is on top.
        unsafe { ffi::lua_pop(state, 1) };
    }
    // SAFETY: the nil that ended it is on top.
    unsafe { ffi::lua_pop(state, 1) };
    Ok(start)
}

/// `header(bytes)`: the number of a big-endian head of 1 to 4 bytes.
pub(super) fn header(call: &mut Call) -> NativeResult {
    let bytes = call.check_string(1)?;
    if bytes.is_empty() || bytes.len() > 4 {
        let bytes: *const [u8] = bytes;
        // SAFETY: the bytes stay on the stack.
        let _ = call.error(format_args!("Invalid read {}", Lossy(unsafe { &*bytes })));
        return Err(Raise::AtCaller);
    }
    let number = bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
    call.answer_integer(number)
}
