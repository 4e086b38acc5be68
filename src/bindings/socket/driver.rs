//! `skynet.socketdriver`: sockets whose events come as messages of the type `socket`, for gates.

use std::ffi::c_int;
use std::net::SocketAddr;
use std::time::Duration;

use mlua::ffi;

use super::super::skynet::address::view;
use super::address::address;
use super::connection::{LISTEN, bound, close_any, listening};
use super::datagram::{self, Wanted, opened};
use super::lookup::{number_known, with_number};
use super::{any_socket, buffer, info, may_connect, open_error, owner, write};
use crate::codec::socket_event::Event;
use crate::net::socket::{CLOSE_LINGER, Mode, OpenError, StartError, message_of};
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Resumed, register};
use crate::{continuation, natives};

const FUNCTIONS: &[Entry] = natives![
    c"bind" => bind,
    c"buffer" => buffer::new,
    c"clear" => buffer::clear,
    c"close" => close,
    c"connect" => connect,
    c"drop" => buffer::drop_block,
    c"header" => write::header,
    c"info" => info::netstat,
    c"listen" => listen,
    c"lsend" => write::write_low,
    c"nodelay" => no_delay,
    c"pause" => pause,
    c"pop" => buffer::pop,
    c"push" => buffer::push,
    c"readall" => buffer::read_all,
    c"readline" => buffer::read_line,
    c"resolve" => info::resolve,
    c"send" => write::write,
    c"shutdown" => shutdown,
    c"start" => start,
    c"str2p" => buffer::string_to_block,
    c"udp" => udp,
    c"udp_address" => datagram::udp_address,
    c"udp_connect" => datagram::connect_udp,
    c"udp_dial" => udp_dial,
    c"udp_listen" => udp_listen,
    c"udp_send" => datagram::send_to,
    c"unpack" => unpack,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(in super::super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// `connect(host, port)`: the id of a connection being opened; an event tells how it went.
fn connect(call: &mut Call) -> NativeResult {
    let (host, port) = address(call, 1)?;
    if port == 0 {
        return Err(call.error(format_args!("Invalid port")));
    }
    let vm = call.vm();
    let (owner, allows) = (owner(vm), may_connect(vm));
    // SAFETY: the host is an argument.
    let to = (unsafe { &*host }, port);
    match vm.shared.sockets.connect(&vm.node, owner, Mode::Raw, to, allows, None) {
        Ok(socket) => {
            let id = socket.id().number();
            drop(socket);
            call.answer_integer(id.into())
        }
        Err(error) => Err(open_error(call, error, "socket: cannot connect", "connect")),
    }
}

/// `listen(host, port [, backlog])`: the id of a listening socket.
fn listen(call: &mut Call) -> NativeResult {
    with_number(call, 1, LISTEN, listen_at, continuation!(listen_later))
}

fn listen_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, LISTEN, listen_at)
}

fn listen_at(call: &mut Call, address: SocketAddr) -> NativeResult {
    let socket = listening(call, Mode::Raw, address)?;
    let id = socket.id().number();
    drop(socket);
    call.answer_integer(id.into())
}

/// `bind(descriptor)`: the id of a socket of a descriptor made elsewhere.
fn bind(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    match bound(call, number, Mode::Raw)? {
        Ok(socket) => {
            let id = socket.id().number();
            socket.tell_started();
            drop(socket);
            call.answer_integer(id.into())
        }
        Err(error) => Err(open_error(call, error, "socket: cannot bind", "native_modules")),
    }
}

/// `start(id)`: takes the socket over; events tell what arrives.
fn start(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let socket = any_socket(call, 1)?;
    let owner = owner(call.vm());
    let started = match &socket {
        Some(socket) => socket.start(owner, Mode::Raw).map_err(Some),
        None => Err(None),
    };
    drop(socket);
    let text = match started {
        Ok(()) => return NOTHING,
        Err(Some(StartError::TooMany(limit))) => {
            return Err(open_error(call, OpenError::TooMany(limit), "", "sockets"));
        }
        Err(Some(StartError::Closed)) => "socket closed",
        Err(None) => "invalid socket",
    };
    let id = i32::try_from(number).unwrap_or(0);
    let message = message_of(id, &Event::Error(text.as_bytes()));
    let vm = call.vm();
    let _ = vm.node.send(&vm.service, message);
    NOTHING
}

/// `close(id)`: closes it; what is written still goes out.
fn close(call: &mut Call) -> NativeResult {
    close_any(call, CLOSE_LINGER)
}

/// `shutdown(id)`: closes it at once.
fn shutdown(call: &mut Call) -> NativeResult {
    close_any(call, Duration::ZERO)
}

/// `pause(id)`: takes nothing from the peer until the socket is started again.
fn pause(call: &mut Call) -> NativeResult {
    if let Some(socket) = any_socket(call, 1)? {
        socket.pause();
    }
    NOTHING
}

/// `nodelay(id)`: small writes go out at once.
fn no_delay(call: &mut Call) -> NativeResult {
    if let Some(socket) = any_socket(call, 1)? {
        socket.set_nodelay();
    }
    NOTHING
}

/// `udp([host, port])`: the id of a socket of datagrams.
fn udp(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        return udp_at(call, None, Wanted::Bound);
    }
    with_number(call, 1, Wanted::Bound.purpose(), bind_udp, continuation!(udp_later))
}

fn udp_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, Wanted::Bound.purpose(), bind_udp)
}

fn bind_udp(call: &mut Call, address: SocketAddr) -> NativeResult {
    udp_at(call, Some(address), Wanted::Bound)
}

/// `udp_listen(host, port)`: one at an address of its own.
fn udp_listen(call: &mut Call) -> NativeResult {
    with_number(call, 1, Wanted::Listening.purpose(), listen_udp, continuation!(udp_listen_later))
}

fn udp_listen_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, Wanted::Listening.purpose(), listen_udp)
}

fn listen_udp(call: &mut Call, address: SocketAddr) -> NativeResult {
    udp_at(call, Some(address), Wanted::Listening)
}

/// `udp_dial(host, port)`: one that talks to this peer alone.
fn udp_dial(call: &mut Call) -> NativeResult {
    with_number(call, 1, Wanted::Dialed.purpose(), dial_udp, continuation!(udp_dial_later))
}

fn udp_dial_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, Wanted::Dialed.purpose(), dial_udp)
}

fn dial_udp(call: &mut Call, address: SocketAddr) -> NativeResult {
    udp_at(call, Some(address), Wanted::Dialed)
}

fn udp_at(call: &mut Call, address: Option<SocketAddr>, wanted: Wanted) -> NativeResult {
    let socket = opened(call, address, wanted, Mode::Raw)?;
    let id = socket.id().number();
    drop(socket);
    call.answer_integer(id.into())
}

/// `unpack(message, size)`: type, id, number, then a block that the script owns (data, datagrams)
/// or a text; of a datagram also its sender.
fn unpack(call: &mut Call) -> NativeResult {
    let bytes = view(call, 1)?;
    // SAFETY: the bytes live as long as the message or the block.
    let Some((id, event)) = Event::decode(unsafe { &*bytes }) else {
        return Err(call.argument(1, format_args!("not a message of a socket")));
    };
    call.push_integer(event.kind().into());
    call.push_integer(id.into());
    let number = match event {
        Event::Data(bytes) | Event::Udp { bytes, .. } => {
            i64::try_from(bytes.len()).unwrap_or(i64::MAX)
        }
        Event::Connect { port, .. } => port.into(),
        Event::Accept { id, .. } => id.into(),
        Event::Warning { kilobytes } => kilobytes.into(),
        Event::Close | Event::Error(_) => 0,
    };
    call.push_integer(number);
    match event {
        Event::Data(bytes) => {
            buffer::push_block(call, bytes)?;
            Ok(Outcome::Values(4))
        }
        Event::Udp { from, bytes } => {
            buffer::push_block(call, bytes)?;
            call.push_bytes(from);
            Ok(Outcome::Values(5))
        }
        Event::Connect { text, .. } | Event::Accept { peer: text, .. } | Event::Error(text) => {
            call.push_bytes(text);
            Ok(Outcome::Values(4))
        }
        Event::Close | Event::Warning { .. } => {
            call.push_bytes(b"");
            Ok(Outcome::Values(4))
        }
    }
}
