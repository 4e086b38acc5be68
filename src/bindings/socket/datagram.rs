//! `skynet.socket` and `skynet.socketdriver`: datagrams.

use std::ffi::c_int;
use std::net::SocketAddr;
use std::sync::Arc;

use mlua::ffi;

use super::connection::{add, function};
use super::lookup::{Purpose, number_known, with_number};
use super::write::with_bytes;
use super::{any_socket, may_connect, open_error, owner};
use crate::codec::udp_address as codec;
use crate::continuation;
use crate::net::socket::{Datagrams, Mode, Socket};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::session::NO_REFERENCE;
use crate::vm::sockets::give_back;

/// Which socket of datagrams is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// With an address of its own, or any.
    Bound,
    /// With an address of its own.
    Listening,
    /// With one peer.
    Dialed,
}

impl Wanted {
    /// What its address is for.
    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Self::Bound => Purpose::own("udp init failed"),
            Self::Listening => Purpose::own("udp listen host failed"),
            Self::Dialed => Purpose::peer("udp dial host failed"),
        }
    }
}

/// Opens a socket with `address`.
pub(super) fn opened(
    call: &mut Call,
    address: Option<SocketAddr>,
    wanted: Wanted,
    mode: Mode,
) -> Result<Arc<Socket>, Raise> {
    let vm = call.vm();
    let policy = Arc::clone(&vm.policy);
    let listens = |address| policy.listen.allows(address);
    let (with, rule) = match (wanted, address) {
        (Wanted::Dialed, Some(peer)) => (Datagrams::Dialed(peer), "connect"),
        _ => (Datagrams::Bound(address), "listen"),
    };
    let (owner, allows) = (owner(vm), may_connect(vm));
    let opened = vm.shared.sockets.udp(&vm.node, owner, mode, with, &listens, allows);
    drop(policy);
    opened.map_err(|error| open_error(call, error, wanted.purpose().failure, rule))
}

/// Makes sure that there is a function at `index`, or nothing.
fn check_function(call: &mut Call, index: c_int) -> Result<(), Raise> {
    if call.is_none_or_nil(index) { Ok(()) } else { call.check_type(index, ffi::LUA_TFUNCTION) }
}

/// Opens a socket whose datagrams the function at `callback` gets.
fn with_callback(
    call: &mut Call,
    callback: c_int,
    address: Option<SocketAddr>,
    wanted: Wanted,
) -> NativeResult {
    let reference = function(call, callback)?;
    let state = call.state();
    match opened(call, address, wanted, Mode::Buffered) {
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

/// `udp(f(bytes, from) [, host, port])`: a socket of datagrams. **Yields** for a host name, as all
/// functions with one here.
pub(super) fn udp(call: &mut Call) -> NativeResult {
    check_function(call, 1)?;
    if call.is_none_or_nil(2) {
        return with_callback(call, 1, None, Wanted::Bound);
    }
    with_number(call, 2, Wanted::Bound.purpose(), bind, continuation!(bind_later))
}

fn bind_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, Wanted::Bound.purpose(), bind)
}

fn bind(call: &mut Call, address: SocketAddr) -> NativeResult {
    with_callback(call, 1, Some(address), Wanted::Bound)
}

/// `udp_listen(host, port, f(bytes, from))`: one at an address of its own.
pub(super) fn udp_listen(call: &mut Call) -> NativeResult {
    check_function(call, 3)?;
    with_number(call, 1, Wanted::Listening.purpose(), listen, continuation!(listen_later))
}

fn listen_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, Wanted::Listening.purpose(), listen)
}

fn listen(call: &mut Call, address: SocketAddr) -> NativeResult {
    with_callback(call, 3, Some(address), Wanted::Listening)
}

/// `udp_dial(host, port, f(bytes, from))`: one that talks to this peer alone.
pub(super) fn udp_dial(call: &mut Call) -> NativeResult {
    check_function(call, 3)?;
    with_number(call, 1, Wanted::Dialed.purpose(), dial, continuation!(dial_later))
}

fn dial_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, Wanted::Dialed.purpose(), dial)
}

fn dial(call: &mut Call, address: SocketAddr) -> NativeResult {
    with_callback(call, 3, Some(address), Wanted::Dialed)
}

/// `udp_connect(id, host, port [, f])`: names the peer that `write` sends to.
pub(super) fn udp_connect(call: &mut Call) -> NativeResult {
    take_over(call)?;
    connect_udp(call)
}

/// Makes the socket at index 1 one of the service's, with the function at index 4.
fn take_over(call: &mut Call) -> Result<(), Raise> {
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
    Ok(())
}

/// What a socket of datagrams needs the address of its peer for.
const PEER: Purpose = Purpose::peer("udp connect failed");

/// Names the peer at index 2 for the socket at index 1.
pub(super) fn connect_udp(call: &mut Call) -> NativeResult {
    call.check_integer(1)?;
    with_number(call, 2, PEER, connect_to, continuation!(connect_later))
}

fn connect_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, PEER, connect_to)
}

fn connect_to(call: &mut Call, peer: SocketAddr) -> NativeResult {
    let Some(socket) = any_socket(call, 1)? else {
        return Err(call.error(format_args!("udp connect failed (no such socket)")));
    };
    let connected = socket.udp_connect(peer);
    drop(socket);
    match connected {
        Ok(()) => NOTHING,
        Err(error) => Err(open_error(call, error, PEER.failure, "connect")),
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
