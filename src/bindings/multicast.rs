//! `skynet.multicast.core`: one message to many services, whose bytes they share.
//!
//! `publication` and `deliver` are what our own multicast is made of: the first puts the channel in
//! front of a packed message, the second gives the bytes behind it to every subscriber. The others
//! are skynet's, for scripts that multicast by themselves: packages by number, passed on in messages
//! of 8 bytes.
//!
//! Not here: who subscribes to what (lua/service/multicastd.lua).

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

use mlua::ffi;

use super::skynet::address::{self, push_owned, view};
use crate::kernel::{Handle, Kind, Message, Payload, SendError, Session};
use crate::natives;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};
use crate::vm::packages::Refused;

const FUNCTIONS: &[Entry] = natives![
    c"bind" => bind,
    c"close" => close,
    c"deliver" => deliver,
    c"nextid" => next_id,
    c"pack" => pack,
    c"packremote" => pack_remote,
    c"publication" => publication,
    c"remote" => remote,
    c"unpack" => unpack,
];

/// Bytes of channel and publisher in front of a publication.
const HEAD: usize = 8;
/// Bytes of a message that names a package.
const NAME: usize = 8;
/// Channels of one node are so far apart; the rest of the number is the node's harbor id.
const CHANNELS_APART: u32 = 256;
/// Largest channel: it travels as a session.
const LARGEST_CHANNEL: u32 = 0x7fff_ffff;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// A number of 32 bits at `index`.
fn number(call: &mut Call, index: c_int) -> Result<u32, Raise> {
    let value = call.check_integer(index)?;
    match u32::try_from(value) {
        Ok(number) => Ok(number),
        Err(_) => Err(call.argument(index, format_args!("{value} is not within 32 bits"))),
    }
}

/// `nextid(channel)`: the next channel of the same node.
fn next_id(call: &mut Call) -> NativeResult {
    let channel = number(call, 1)?;
    call.answer_integer((channel.wrapping_add(CHANNELS_APART) & LARGEST_CHANNEL).into())
}

/// `publication(channel, publisher, message [, size])`: the message with both in front, as
/// pointer and size.
fn publication(call: &mut Call) -> NativeResult {
    let (channel, publisher) = (number(call, 1)?, number(call, 2)?);
    let message = address::payload(call, 3)?;
    let head = [channel.to_le_bytes(), publisher.to_le_bytes()];
    let made = Payload::of_pieces(&[head.as_flattened(), message.as_slice()]);
    drop(message);
    push_owned(call, made)
}

/// The parts of a publication.
fn split(bytes: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (channel, rest) = bytes.split_first_chunk()?;
    let (publisher, body) = rest.split_first_chunk()?;
    Some((u32::from_le_bytes(*channel), u32::from_le_bytes(*publisher), body))
}

/// `deliver(source, subscribers, message, size)`: gives the body of a publication to each service
/// in the list, in the name of its publisher or else of `source`. In the list `false` takes the
/// place of those who are gone. How many are.
///
/// With nil for the list: channel and publisher of the publication.
fn deliver(call: &mut Call) -> NativeResult {
    let source = number(call, 1)?;
    let bytes = view(call, 3)?;
    // SAFETY: the bytes live as long as the message or the block.
    let Some((channel, publisher, body)) = split(unsafe { &*bytes }) else {
        return Err(call.argument(3, format_args!("a publication has at least {HEAD} bytes")));
    };
    if call.is_none_or_nil(2) {
        call.push_integer(channel.into());
        call.push_integer(publisher.into());
        return Ok(Outcome::Values(2));
    }
    call.check_type(2, ffi::LUA_TTABLE)?;
    let state = call.state();
    // SAFETY: it is a table.
    let count = unsafe { ffi::lua_rawlen(state, 2) };
    let from = Handle::new(if publisher == 0 { source } else { publisher });
    let session = Session(i32::try_from(channel).unwrap_or(0));
    let shared: Arc<[u8]> = body.into();
    let mut gone = 0;
    for index in 1..=i64::try_from(count).unwrap_or(0) {
        // SAFETY: reading an element of a table neither raises nor runs Lua.
        let handle = unsafe {
            ffi::lua_rawgeti(state, 2, index);
            let handle = ffi::lua_tointegerx(state, -1, ptr::null_mut());
            ffi::lua_settop(state, -2);
            handle
        };
        let Some(handle) = u32::try_from(handle).ok().and_then(Handle::new) else { continue };
        let payload = Payload::shared(&shared);
        let message = Message { source: from, session, kind: Kind::MULTICAST, payload };
        if call.vm().node.send_to(handle, message) == Err(SendError::NoService) {
            gone += 1;
            // SAFETY: assigning to an element that is there allocates nothing.
            unsafe {
                ffi::lua_pushboolean(state, 0);
                ffi::lua_rawseti(state, 2, index);
            }
        }
    }
    drop(shared);
    call.answer_integer(gone)
}

fn refused(call: &mut Call, why: Refused, number: usize) -> Raise {
    match why {
        Refused::Unknown => {
            call.error(format_args!("Invalid multicast package reference {number}"))
        }
        Refused::Bound => call.error(format_args!("Can't bind a multicast package more than once")),
        Refused::TooMany => call.error(format_args!("too many multicast packages")),
    }
}

/// The number in the 8 bytes of a message at `index`.
fn named(call: &mut Call, index: c_int) -> Result<usize, Raise> {
    let pointer = call.pointer(index);
    let vm = call.vm();
    let bytes: &[u8] = match vm.blocks.get(&(pointer as usize)) {
        Some(block) => block.as_slice(),
        None => {
            // SAFETY: the bytes live as long as the message being handled.
            let current = unsafe { &*vm.message.bytes };
            if std::ptr::eq(current.as_ptr().cast(), pointer) { current } else { &[] }
        }
    };
    let name = bytes.first_chunk::<NAME>().map(|name| u64::from_le_bytes(*name));
    match name.and_then(|name| usize::try_from(name).ok()) {
        Some(number) => Ok(number),
        None => Err(call.argument(index, format_args!("message of a multicast package expected"))),
    }
}

fn add_package(call: &mut Call) -> NativeResult {
    let message = address::payload(call, 1)?;
    let added = call.vm().shared.packages.add(message.as_slice());
    drop(message);
    match added {
        Ok(number) => {
            let name = u64::try_from(number).unwrap_or(0).to_le_bytes();
            push_owned(call, Payload::copy_of(&name))
        }
        Err(why) => Err(refused(call, why, 0)),
    }
}

/// `pack(message, size)`: a message of 8 bytes that names the package made of it.
fn pack(call: &mut Call) -> NativeResult {
    add_package(call)
}

/// `packremote(message, size)`: as `pack`, of bytes that came from another node.
fn pack_remote(call: &mut Call) -> NativeResult {
    add_package(call)
}

/// `bind(message, references)`: how many services will close the package, which is returned. The
/// message is freed: those services get copies of its text.
fn bind(call: &mut Call) -> NativeResult {
    let number = named(call, 1)?;
    let references = call.check_integer(2)?;
    if let Err(why) = call.vm().shared.packages.bind(number, references) {
        return Err(refused(call, why, number));
    }
    let message = call.pointer(1);
    drop(call.vm().take_block(message));
    push_package(call, number);
    Ok(Outcome::Values(1))
}

fn push_package(call: &mut Call, number: usize) {
    // SAFETY: a native has free slots; a light userdata allocates nothing.
    unsafe { ffi::lua_pushlightuserdata(call.state(), ptr::without_provenance_mut(number)) };
}

/// A copy of a package's bytes as a block of this service.
fn push_bytes_of(call: &mut Call, number: usize) -> NativeResult {
    let Some(bytes) = call.vm().shared.packages.bytes(number) else {
        return Err(refused(call, Refused::Unknown, number));
    };
    let payload = Payload::copy_of(&bytes);
    drop(bytes);
    push_owned(call, payload)
}

/// `remote(message)`: bytes and size of the package, for another node. Message and package end.
fn remote(call: &mut Call) -> NativeResult {
    let number = named(call, 1)?;
    let outcome = push_bytes_of(call, number)?;
    let message = call.pointer(1);
    let vm = call.vm();
    drop(vm.take_block(message));
    // Nobody has been told of it, so there is nothing to count.
    let _ = vm.shared.packages.bind(number, 0);
    Ok(outcome)
}

/// `unpack(message, size)`: the package, its bytes and their size. The bytes are there until the
/// package is closed.
fn unpack(call: &mut Call) -> NativeResult {
    let number = named(call, 1)?;
    push_package(call, number);
    push_bytes_of(call, number)?;
    let bytes = call.pointer(-2);
    let vm = call.vm();
    if let Some(before) = vm.unpacked.insert(number, bytes as usize) {
        drop(vm.take_block(ptr::without_provenance_mut(before)));
    }
    Ok(Outcome::Values(3))
}

/// `close(package)`: this service needs it no more.
fn close(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TLIGHTUSERDATA)?;
    let number = call.pointer(1) as usize;
    let vm = call.vm();
    if let Some(bytes) = vm.unpacked.remove(&number) {
        drop(vm.take_block(ptr::without_provenance_mut(bytes)));
    }
    match vm.shared.packages.close(number) {
        Ok(()) => NOTHING,
        Err(why) => Err(refused(call, why, number)),
    }
}
