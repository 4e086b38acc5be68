//! Addresses as scripts write them, and delivering a message to one.
//!
//! Source: reference 2.2. A destination is a handle, `":hex"`, `".name"`, a global name, or the
//! text of a number.

use std::ffi::c_int;

use mlua::ffi;

use crate::kernel::registry::GLOBAL_NAME;
use crate::kernel::{Handle, Kind, Message, Payload, SendError, Session};
use crate::vm::Vm;
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Lossy, NativeResult, Outcome, Raise};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A service.
    Service(Handle),
    /// Whoever has or will have the global name at this stack index.
    Global(c_int),
    /// A name or address that nobody has.
    Nobody,
}

/// Reads the destination at `index`.
#[inline]
pub(crate) fn destination(call: &mut Call, index: c_int) -> Result<Destination, Raise> {
    if let Peek::Integer(number) = call.peek(index)
        && let Some(handle) = u32::try_from(number).ok().and_then(Handle::new)
    {
        return Ok(Destination::Service(handle));
    }
    uncommon_destination(call, index)
}

/// Anything but the number of a handle.
fn uncommon_destination(call: &mut Call, index: c_int) -> Result<Destination, Raise> {
    match call.kind(index) {
        ffi::LUA_TNUMBER => number(call, index),
        ffi::LUA_TSTRING => text(call, index),
        _ => {
            let name = call.type_name(index);
            Err(call.error(format_args!("dest address type ({name}) must be a string or number.")))
        }
    }
}

fn number(call: &mut Call, index: c_int) -> Result<Destination, Raise> {
    let number = call.check_integer(index)?;
    if number == 0 {
        return Err(call.error(format_args!("Invalid service address 0")));
    }
    // A handle is 32 bits wide; what does not fit belongs to nobody.
    Ok(match u32::try_from(number).ok().and_then(Handle::new) {
        Some(handle) => Destination::Service(handle),
        None => Destination::Nobody,
    })
}

fn text(call: &mut Call, index: c_int) -> Result<Destination, Raise> {
    let name: *const [u8] = call.string(index).unwrap_or_default();
    // SAFETY: the string stays on the stack.
    let name = unsafe { &*name };
    let found = match name.first() {
        Some(b':') => Handle::parse(name),
        Some(b'.') => call.vm().node.registry.find_name(&name[1..]),
        _ => {
            // SAFETY: reading a stack slot.
            if unsafe { ffi::lua_isnumber(call.state(), index) } != 0 {
                return self::number(call, index);
            }
            return Ok(Destination::Global(index));
        }
    };
    Ok(found.map_or(Destination::Nobody, Destination::Service))
}

/// Delivers a message of this service.
#[inline]
pub(crate) fn deliver(
    call: &mut Call,
    destination: Destination,
    kind: Kind,
    session: Session,
    payload: Payload,
) -> Result<(), SendError> {
    let source = Some(call.vm().handle());
    deliver_as(call, destination, Message { source, session, kind, payload })
}

/// Delivers a message under whatever source it names.
#[inline]
pub(crate) fn deliver_as(
    call: &mut Call,
    destination: Destination,
    message: Message,
) -> Result<(), SendError> {
    match destination {
        Destination::Service(handle) => {
            let Some((service, node)) = call.vm().route_with_node(handle) else {
                return call.vm().node.send_to(handle, message);
            };
            if message.kind != Kind::RESPONSE
                && message.kind != Kind::ERROR
                && node.is_full(service)
            {
                return Err(SendError::Full);
            }
            node.send(service, message)
        }
        Destination::Global(index) => {
            let name: *const [u8] = call.string(index).unwrap_or_default();
            // SAFETY: the string stays on the stack.
            let name = unsafe { &*name };
            let name = &name[..name.len().min(GLOBAL_NAME)];
            call.vm().node.send_to_global(name, message)
        }
        Destination::Nobody => Err(SendError::NoService),
    }
}

/// Takes the message part at `index` (a string, or a light userdata with its size at the next
/// index) as a payload. A light userdata is given away by the script.
pub(crate) fn payload(call: &mut Call, index: c_int) -> Result<Payload, Raise> {
    match call.kind(index) {
        ffi::LUA_TSTRING => Ok(Payload::copy_of(call.string(index).unwrap_or_default())),
        ffi::LUA_TLIGHTUSERDATA => block(call, index),
        _ => {
            let name = call.type_name(index);
            Err(call.error(format_args!("invalid param {name}")))
        }
    }
}

/// Takes over the block behind a light userdata.
fn block(call: &mut Call, index: c_int) -> Result<Payload, Raise> {
    let pointer = call.pointer(index);
    let length = call.check_integer(index + 1)?;
    let Ok(length) = usize::try_from(length) else {
        return Err(call.argument(index + 1, format_args!("size {length} is negative")));
    };
    if pointer.is_null() {
        return Ok(Payload::EMPTY);
    }
    let vm = call.vm();
    if let Some(payload) = vm.take_block(pointer) {
        if payload.len() == length {
            return Ok(payload);
        }
        if length < payload.len() {
            return Ok(Payload::copy_of(&payload.as_slice()[..length]));
        }
    } else if is_current(vm, pointer, length) {
        // The message stays with the dispatcher; what is passed on is a copy.
        // SAFETY: the bytes live as long as the message.
        return Ok(Payload::copy_of(unsafe { std::slice::from_raw_parts(pointer.cast(), length) }));
    } else if vm.trusts_pointers {
        // SAFETY: a C module is loaded, whose blocks come from the C allocator; skynet's
        // contract makes the script give it away.
        return Ok(unsafe { Payload::from_raw(pointer, length) });
    }
    Err(call
        .argument(index, format_args!("not a message block of this service with {length} bytes")))
}

/// True when the bytes lie inside the message being handled.
pub(crate) fn is_current(vm: &Vm, pointer: *const std::ffi::c_void, length: usize) -> bool {
    let start = vm.message.bytes.cast::<u8>() as usize;
    let pointer = pointer as usize;
    pointer >= start && pointer.saturating_add(length) <= start + vm.message.bytes.len()
}

/// The bytes of a string, or of a light userdata with its size at the next index, without taking
/// them over. They live as long as the string, the block or the message.
pub(crate) fn view(call: &mut Call, index: c_int) -> Result<*const [u8], Raise> {
    match call.kind(index) {
        ffi::LUA_TSTRING => Ok(call.string(index).unwrap_or_default()),
        ffi::LUA_TLIGHTUSERDATA | ffi::LUA_TUSERDATA => {
            let pointer = call.pointer(index);
            let length = usize::try_from(call.check_integer(index + 1)?).unwrap_or(usize::MAX);
            let vm = call.vm();
            let known = pointer.is_null() && length == 0
                || vm.trusts_pointers
                || is_current(vm, pointer, length)
                || vm.blocks.get(&(pointer as usize)).is_some_and(|block| block.len() >= length);
            if !known {
                return Err(call.argument(
                    index,
                    format_args!("not a message block of this service with {length} bytes"),
                ));
            }
            if length == 0 {
                return Ok(&[]);
            }
            Ok(std::ptr::slice_from_raw_parts(pointer.cast(), length))
        }
        _ => {
            let name = call.type_name(index);
            Err(call.error(format_args!("invalid param {name}")))
        }
    }
}

/// Gives a payload to the script as `lightuserdata, size`; the script sends or frees it.
pub(crate) fn push_owned(call: &mut Call, payload: Payload) -> NativeResult {
    let length = payload.len();
    let vm = call.vm();
    let used = vm.allocator().used() + vm.block_bytes;
    if used.saturating_add(length) > vm.allocator().limit() {
        drop(payload);
        return Err(call.plain_error(format_args!("not enough memory")));
    }
    let pointer = vm.keep_block(payload);
    // SAFETY: a native has free slots; pushing a light userdata allocates nothing.
    unsafe { ffi::lua_pushlightuserdata(call.state(), pointer) };
    call.push_integer(i64::try_from(length).unwrap_or(i64::MAX));
    Ok(Outcome::Values(2))
}

/// The text of a destination for an error message.
pub(crate) fn address_text(call: &mut Call, index: c_int) -> String {
    match call.integer(index).and_then(|number| u32::try_from(number).ok()) {
        Some(number) => format!(":{number:08x}"),
        None => Lossy(call.string(index).unwrap_or_default()).to_string(),
    }
}
