//! `skynet.socket` and `skynet.socketdriver`: datagrams.

use std::ffi::c_int;
use std::sync::Arc;

use super::address::address;
use super::connection::{add, function};
use super::write::with_bytes;
use super::{any_socket, may_connect, open_error, owner};
use crate::codec::udp_address as codec;
use crate::net::socket::{Datagrams, Mode, Socket};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};
use crate::vm::session::NO_REFERENCE;
use crate::vm::sockets::give_back;

/// Which socket of datagrams is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// With an address of its own, or any.
    Plain,
    /// With an address of its own.
    Listening,
    /// With one peer.
    Dialed,
}

/// Opens a socket with the address at `index`.
pub(super) fn opened(
    call: &mut Call,
    index: c_int,
    wanted: Wanted,
    mode: Mode,
) -> Result<Arc<Socket>, Raise> {
    let address = if wanted == Wanted::Plain && call.is_none_or_nil(index) {
        None
    } else {
        Some(address(call, index)?)
    };
    let vm = call.vm();
    let policy = Arc::clone(&vm.policy);
    let listens = |address| policy.listen.allows(address);
    // SAFETY: the host is an argument.
    let address = address.map(|(host, port)| (unsafe { &*host }, port));
    let (with, at, rule) = match (wanted, address) {
        (Wanted::Dialed, Some((host, port))) => {
            (Datagrams::Dialed(host, port), "udp dial host failed", "connect")
        }
        (Wanted::Listening, address) => {
            (Datagrams::Bound(address), "udp listen host failed", "listen")
        }
        (_, address) => (Datagrams::Bound(address), "udp init failed", "listen"),
    };
    let (owner, allows) = (owner(vm), may_connect(vm));
    let opened = vm.shared.sockets.udp(&vm.node, owner, mode, with, &listens, allows);
    drop(policy);
    opened.map_err(|error| open_error(call, error, at, rule))
}

/// Opens a socket whose datagrams the function at `function` gets.
fn with_callback(call: &mut Call, callback: c_int, at: c_int, wanted: Wanted) -> NativeResult {
    let reference = function(call, callback)?;
    let state = call.state();
    match opened(call, at, wanted, Mode::Buffered) {
        Ok(socket) => {
            let id = add(call, socket);
            if let Some(entry) = call.vm().sockets.entries.get_mut(&id) {
                entry.callback = reference;
            }
            call.answer_integer(id.into())
        }
        Err(raise) => {
            // SAFETY: nothing uses the reference.
            unsafe { give_back(state, &[reference]) };
            Err(raise)
        }
    }
}

/// `udp(f(bytes, from) [, host, port])`: a socket of datagrams.
pub(super) fn udp(call: &mut Call) -> NativeResult {
    with_callback(call, 1, 2, Wanted::Plain)
}

/// `udp_listen(host, port, f(bytes, from))`: one at an address of its own.
pub(super) fn udp_listen(call: &mut Call) -> NativeResult {
    with_callback(call, 3, 1, Wanted::Listening)
}

/// `udp_dial(host, port, f(bytes, from))`: one that talks to this peer alone.
pub(super) fn udp_dial(call: &mut Call) -> NativeResult {
    with_callback(call, 3, 1, Wanted::Dialed)
}

/// `udp_connect(id, host, port [, f])`: names the peer that `write` sends to.
pub(super) fn udp_connect(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let reference = function(call, 4)?;
    let state = call.state();
    let id = i32::try_from(number).unwrap_or(0);
    match call.vm().sockets.entries.get_mut(&id) {
        Some(entry) if entry.socket.is_udp() => {
            if reference != NO_REFERENCE {
                let before = std::mem::replace(&mut entry.callback, reference);
                // SAFETY: nothing uses the one before.
                unsafe { give_back(state, &[before]) };
            }
        }
        other => {
            let known = other.is_some();
            let socket = if known { None } else { any_socket(call, 1)? };
            match socket.filter(|socket| socket.is_udp()) {
                Some(socket) => {
                    let id = add(call, socket);
                    if let Some(entry) = call.vm().sockets.entries.get_mut(&id) {
                        entry.callback = reference;
                    }
                }
                None => {
                    // SAFETY: nothing uses the reference.
                    unsafe { give_back(state, &[reference]) };
                    return Err(call.plain_error(format_args!(
                        "assertion failed! (socket {number} is none of datagrams)"
                    )));
                }
            }
        }
    }
    connect_udp(call)
}

/// Names the peer at index 2 for the socket at index 1.
pub(super) fn connect_udp(call: &mut Call) -> NativeResult {
    let (host, port) = address(call, 2)?;
    let Some(socket) = any_socket(call, 1)? else {
        return Err(call.error(format_args!("udp connect failed (no such socket)")));
    };
    // SAFETY: the host is an argument.
    let connected = socket.udp_connect(unsafe { &*host }, port);
    drop(socket);
    match connected {
        Ok(()) => NOTHING,
        Err(error) => Err(open_error(call, error, "udp connect failed", "connect")),
    }
}

/// `sendto(id, from, data [, size])`: true unless it could not be sent.
pub(super) fn send_to(call: &mut Call) -> NativeResult {
    let socket_index = 1;
    call.check_integer(socket_index)?;
    let Some(target) = codec::decode(call.check_string(2)?) else {
        let _ = call.error(format_args!("Invalid udp address"));
        return Err(Raise::AtCaller);
    };
    let sent = with_bytes(call, 3, |call, bytes| {
        let socket = any_socket(call, socket_index).ok().flatten();
        socket.is_some_and(|socket| socket.send_to(target, bytes).is_ok())
    })?;
    call.answer_boolean(sent)
}

/// `udp_address(from)`: host and port of whoever sent a datagram.
pub(super) fn udp_address(call: &mut Call) -> NativeResult {
    let Some(address) = codec::decode(call.check_string(1)?) else {
        let _ = call.error(format_args!("Invalid udp address"));
        return Err(Raise::AtCaller);
    };
    call.push_text(format_args!("{}", address.ip()));
    call.push_integer(address.port().into());
    Ok(Outcome::Values(2))
}
