//! Opening: a connection on a socket, at either side.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use super::arguments::{element, headers, limits};
use super::{Answers, Held, push_held};
use crate::bindings::socket::nil_and;
use crate::net::socket::{Socket, SocketId};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};
use crate::websocket::connection::{Opening, Parts};
use crate::websocket::handshake::{client, server};
use crate::websocket::socket::{Carrier, Feed};
use crate::websocket::{Connection, Limits};

/// The socket with the number at index 1.
fn socket(call: &mut Call) -> Result<Option<Arc<Socket>>, Raise> {
    let number = call.check_integer(1)?;
    Ok(SocketId::new(number).and_then(|id| call.vm().shared.sockets.get(id)))
}

/// Makes the connection of a socket and puts it into `place`.
fn attach(
    call: &mut Call,
    socket: Arc<Socket>,
    (limits, mask_outgoing): (Limits, bool),
    opening: Opening,
    early: &[u8],
    mut place: NonNull<Held>,
) -> Result<(), String> {
    let vm = call.vm();
    let parts = Parts {
        transport: Arc::new(Carrier(Arc::clone(&socket))),
        wake: Arc::new(Answers(Arc::clone(&vm.node))),
        deadlines: Arc::clone(&vm.shared.websockets.0),
        limits,
        mask_outgoing,
    };
    let connection = Connection::new(parts, opening);
    if !early.is_empty() {
        connection.feed(early);
    }
    let attached = socket.attach(Box::new(Feed(Arc::clone(&connection))));
    if attached.is_err() {
        connection.ended("the socket is closed");
        return Err(format!("socket {} is closed", socket.id().number()));
    }
    // SAFETY: the userdata is on the stack.
    unsafe { place.as_mut() }.connection = Some(connection);
    Ok(())
}

/// `accept(id, limits, protocols, upgrade, early)`: the server's side of a connection on a socket
/// of this service, or nil and why not. `upgrade` is a request that has been read already:
/// method, url, then names and values; a refusal is `nil, reason, status`.
pub(super) fn accept(call: &mut Call) -> NativeResult {
    // SAFETY: fills up the arguments.
    unsafe { ffi::lua_settop(call.state(), 5) };
    let limits = limits(call, 2, false);
    let place = push_held(call);
    let mut offer = server::Offer::default();
    match call.string(3) {
        None => offer.any_protocol = true,
        Some(names) => {
            let names = String::from_utf8_lossy(names);
            offer.protocols = names.split_whitespace().map(str::to_owned).collect();
        }
    }
    let opening = if call.kind(4) == ffi::LUA_TTABLE {
        let text = |bytes: Option<Vec<u8>>| {
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let method = text(element(call, 4, 1));
        let url = text(element(call, 4, 2));
        let all = headers(call, 4, 3);
        let lower = |name: Vec<u8>| String::from_utf8_lossy(&name).to_ascii_lowercase();
        let headers = all.into_iter().map(|(name, value)| (lower(name), value)).collect();
        let request = server::Request { method, url, is_current: true, headers };
        match server::grant(&request, &offer) {
            Ok(answer) => Opening::Granted { answer, request },
            Err(refusal) => {
                let status = i64::from(refusal.status);
                drop((request, offer));
                let outcome = nil_and(call, refusal.reason);
                call.push_integer(status);
                return outcome.map(|_| Outcome::Values(3));
            }
        }
    } else {
        Opening::Server(offer)
    };
    finish(call, limits, opening, 5, place)
}

/// Attaches the connection and answers with it. `early`: where the bytes are that were read behind
/// the head.
fn finish(
    call: &mut Call,
    limits: (Limits, bool),
    opening: Opening,
    early: c_int,
    place: NonNull<Held>,
) -> NativeResult {
    let Some(socket) = socket(call)? else {
        drop(opening);
        return nil_and(call, "invalid socket");
    };
    let early: *const [u8] = call.string(early).unwrap_or_default();
    // SAFETY: the bytes are an argument.
    match attach(call, socket, limits, opening, unsafe { &*early }, place) {
        Ok(()) => Ok(Outcome::Values(1)),
        Err(text) => nil_and(call, text),
    }
}

/// `connect(id, limits, host, url, headers)`: the client's side of a connection on a socket of
/// this service, or nil and why not.
pub(super) fn connect(call: &mut Call) -> NativeResult {
    // SAFETY: fills up the arguments.
    unsafe { ffi::lua_settop(call.state(), 5) };
    let limits = limits(call, 2, true);
    call.check_type(3, ffi::LUA_TSTRING)?;
    call.check_type(4, ffi::LUA_TSTRING)?;
    let place = push_held(call);
    let text = |call: &Call, index| {
        String::from_utf8_lossy(call.string(index).unwrap_or_default()).into_owned()
    };
    let (host, url) = (text(call, 3), text(call, 4));
    let more = headers(call, 5, 1);
    let asked = client::request(&host, &url, &more);
    drop((host, url, more));
    match asked {
        Ok((request, asked)) => finish(call, limits, Opening::Client(request, asked), 6, place),
        Err(text) => nil_and(call, text),
    }
}

/// `refuse(id, status, reason)`: answers a request with an error of HTTP.
pub(super) fn refuse(call: &mut Call) -> NativeResult {
    let Some(socket) = socket(call)? else { return call.answer_boolean(false) };
    let status = u16::try_from(call.check_integer(2)?).unwrap_or(400);
    let reason = String::from_utf8_lossy(call.check_string(3)?).into_owned();
    let response = server::Refusal { status, reason }.response();
    let written = socket.write(&response).is_ok();
    drop((socket, response));
    call.answer_boolean(written)
}

/// `release(id)`: `skynet.socket` forgets the socket, which its connection closes.
pub(super) fn release(call: &mut Call) -> NativeResult {
    let id = call.check_integer(1)?;
    super::super::socket::connection::remove(call, i32::try_from(id).unwrap_or(0));
    NOTHING
}
