//! `skynet.socket`: events that no coroutine waits for: accepted connections, datagrams,
//! warnings, ends.

use std::ffi::c_int;
use std::time::Duration;

use mlua::ffi;

use crate::codec::socket_event::Event;
use crate::continuation;
use crate::net::socket::SocketId;
use crate::vm::Current;
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Resumed};
use crate::vm::session::NO_REFERENCE;
use crate::vm::sockets::give_back;

/// The message type's `unpack`: the handler reads the message itself.
pub(super) fn unpack(_call: &mut Call) -> NativeResult {
    NOTHING
}

/// The message type's handler. Runs in a coroutine of its own, as the script's functions do.
pub(super) fn dispatch(call: &mut Call) -> NativeResult {
    let message: Current = call.vm().message;
    // SAFETY: the bytes live until the message is handled, and nothing here yields before its
    // values are on the stack.
    let Some((id, event)) = Event::decode(unsafe { &*message.bytes }) else { return NOTHING };
    match event {
        Event::Accept { id: new, peer } => accepted(call, id, new, peer),
        Event::Close => closed(call, id),
        Event::Warning { kilobytes } => warned(call, id, kilobytes),
        Event::Udp { from, bytes } => {
            if !push_callback(call, id) {
                call.vm().log(&format!("socket: drop udp package from {id}"));
                return NOTHING;
            }
            call.push_bytes(bytes);
            call.push_bytes(from);
            Ok(Outcome::Call(2, continuation!(done), 0))
        }
        Event::Data(_) => {
            // Sent before this service took the socket over from its raw mode.
            call.vm().log(&format!("socket: drop package from {id}"));
            NOTHING
        }
        Event::Connect { .. } => NOTHING,
        Event::Error(text) => {
            let text = crate::vm::native::Lossy(text);
            call.vm().log(&format!("socket: error on {id} {text}"));
            NOTHING
        }
    }
}

fn done(_call: &mut Call, _resumed: Resumed) -> NativeResult {
    NOTHING
}

/// Pushes the function for accepted connections or datagrams; false when there is none.
fn push_callback(call: &mut Call, id: i32) -> bool {
    let callback = call.vm().sockets.entries.get(&id).map_or(NO_REFERENCE, |entry| entry.callback);
    push_reference(call, callback)
}

fn push_reference(call: &mut Call, reference: c_int) -> bool {
    if reference == NO_REFERENCE {
        return false;
    }
    // SAFETY: a native has free slots; the reference is live.
    unsafe { ffi::lua_rawgeti(call.state(), ffi::LUA_REGISTRYINDEX, reference.into()) };
    true
}

fn accepted(call: &mut Call, id: i32, new: i32, peer: &[u8]) -> NativeResult {
    if !push_callback(call, id) {
        // Nobody is there to take it.
        let vm = call.vm();
        if let Some(socket) = SocketId::new(new.into()).and_then(|new| vm.shared.sockets.get(new)) {
            socket.close(Duration::ZERO);
        }
        return NOTHING;
    }
    call.push_integer(new.into());
    call.push_bytes(peer);
    Ok(Outcome::Call(2, continuation!(done), 0))
}

fn closed(call: &mut Call, id: i32) -> NativeResult {
    let state = call.state();
    let Some(reference) = call.vm().sockets.onclose.remove(&id) else { return NOTHING };
    push_reference(call, reference);
    // SAFETY: the function is on the stack now.
    unsafe { give_back(state, &[reference]) };
    call.push_integer(id.into());
    Ok(Outcome::Call(1, continuation!(done), 0))
}

fn warned(call: &mut Call, id: i32, kilobytes: i32) -> NativeResult {
    let Some(entry) = call.vm().sockets.entries.get(&id) else { return NOTHING };
    let reference = entry.warning;
    if push_reference(call, reference) {
        call.push_integer(id.into());
        call.push_integer(kilobytes.into());
        return Ok(Outcome::Call(2, continuation!(done), 0));
    }
    call.vm().log(&format!("WARNING: {kilobytes} K bytes need to send out (fd = {id})"));
    NOTHING
}
