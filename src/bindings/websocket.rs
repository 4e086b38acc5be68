//! `skynet.websocket`: WebSocket connections for `http.websocket` and `websocket`. Not for scripts.
//!
//! A connection is a userdata; the collector closes one that nobody has. What happens to it is
//! taken with `next`, which suspends the coroutine while there is nothing.
//! Invariant: what Lua copies bytes from is held by the userdata or the VM, so a raise loses
//! nothing.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use mlua::ffi;

use super::skynet::thread::{check_yieldable, suspend};
use crate::kernel::{self, Message, Node, Session};
use crate::net::socket::{Socket, SocketId};
use crate::vm::Wake;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, Resumed, register};
use crate::vm::thread::Waiting;
use crate::websocket::connection::{Next, Opening, Parts, SendError};
use crate::websocket::event::Headers;
use crate::websocket::handshake::{client, server};
use crate::websocket::socket::{Carrier, Feed};
use crate::websocket::{Closed, Connection, Event, How, Kind, Limits, close};
use crate::{continuation, native, natives};

const FUNCTIONS: &[Entry] = natives![
    c"accept" => accept,
    c"close" => close_connection,
    c"connect" => connect,
    c"is_open" => is_open,
    c"next" => next,
    c"ping" => ping,
    c"refuse" => refuse,
    c"release" => release,
    c"send" => send,
];

/// Name of the userdata's metatable.
const TYPE: &CStr = c"skynet.websocket";

/// Events taken in a row before others of the service get their turn.
const ROW: u32 = 64;

/// Kinds of events and messages as the Lua files know them.
const TEXT: i64 = 1;
const BINARY: i64 = 2;
const PING: i64 = 3;
const PONG: i64 = 4;
const OPEN: i64 = 5;
const CLOSED: i64 = 6;

/// What a userdata has.
struct Held {
    connection: Option<Arc<Connection>>,
    /// The event on its way to Lua.
    event: Option<Event>,
    /// Events taken without a pause.
    row: u32,
}

/// Answers whoever waits.
struct Answers(Arc<Node>);

impl crate::websocket::Wake for Answers {
    fn wake(&self, service: kernel::Handle, session: Session) {
        let answer = Message::empty(None, session, kernel::Kind::RESPONSE);
        let _ = self.0.send_to(service, answer);
    }
}

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected; nothing here has a destructor.
    unsafe {
        ffi::luaL_newmetatable(state, TYPE.as_ptr());
        ffi::lua_pushcfunction(state, native!(collect));
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_pop(state, 1);
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Pushes a userdata without a connection. May raise.
fn push_held(call: &mut Call) -> NonNull<Held> {
    let state = call.state();
    // SAFETY: a native has free slots; the block is as large as a `Held` and aligned for any
    // value, and the collector finds it filled.
    unsafe {
        let held = ffi::lua_newuserdata(state, size_of::<Held>()).cast::<Held>();
        held.write(Held { connection: None, event: None, row: 0 });
        ffi::luaL_setmetatable(state, TYPE.as_ptr());
        NonNull::new_unchecked(held)
    }
}

/// The userdata at `index`. It is used only while no Lua runs that could collect it, or stays on
/// the stack.
fn held(call: &mut Call, index: c_int) -> Result<NonNull<Held>, Raise> {
    // SAFETY: the test neither runs Lua nor raises: the metatable is a registry entry.
    let held = unsafe { ffi::luaL_testudata(call.state(), index, TYPE.as_ptr()) };
    match NonNull::new(held.cast::<Held>()) {
        Some(held) => Ok(held),
        None => Err(call.argument(index, format_args!("a connection expected"))),
    }
}

/// The connection at `index`.
fn connection(call: &mut Call, index: c_int) -> Result<Arc<Connection>, Raise> {
    let held = held(call, index)?;
    // SAFETY: the userdata is on the stack, and was filled by `push_held`.
    match unsafe { &held.as_ref().connection } {
        Some(connection) => Ok(Arc::clone(connection)),
        None => Err(call.argument(index, format_args!("the connection is collected"))),
    }
}

/// `__gc`: nobody can use the connection any more.
fn collect(call: &mut Call) -> NativeResult {
    let mut held = held(call, 1)?;
    // SAFETY: as in `connection`; nothing else borrows it.
    let held = unsafe { held.as_mut() };
    held.event = None;
    if let Some(connection) = held.connection.take() {
        let _ = connection.close(Some(close::AWAY), "");
    }
    NOTHING
}

/// nil and a text.
fn nil_and(call: &mut Call, text: String) -> NativeResult {
    let kept = call.vm().error_text.keep(&text);
    drop(text);
    call.push_nil();
    // SAFETY: the buffer belongs to the VM.
    call.push_bytes(unsafe { &*kept });
    Ok(Outcome::Values(2))
}

/// The bytes at `place` of the list at stack index `index`; runs no Lua.
fn element(call: &mut Call, index: c_int, place: i64) -> Option<Vec<u8>> {
    let state = call.state();
    // SAFETY: the list is a table; a native has free slots.
    unsafe {
        ffi::lua_rawgeti(state, index, place);
        let bytes = call.string(-1).map(<[u8]>::to_vec);
        ffi::lua_pop(state, 1);
        bytes
    }
}

/// The number at `place` of the list at stack index `index`.
fn number(call: &mut Call, index: c_int, place: i64) -> Option<f64> {
    let state = call.state();
    // SAFETY: as in `element`.
    unsafe {
        ffi::lua_rawgeti(state, index, place);
        let is_number = ffi::lua_type(state, -1) == ffi::LUA_TNUMBER;
        let number = is_number.then(|| ffi::lua_tonumber(state, -1));
        ffi::lua_pop(state, 1);
        number
    }
}

/// The truth at `place` of the list at stack index `index`, if it is said.
fn truth(call: &mut Call, index: c_int, place: i64) -> Option<bool> {
    let state = call.state();
    // SAFETY: as in `element`.
    unsafe {
        ffi::lua_rawgeti(state, index, place);
        let is_said = ffi::lua_type(state, -1) == ffi::LUA_TBOOLEAN;
        let truth = is_said.then(|| ffi::lua_toboolean(state, -1) != 0);
        ffi::lua_pop(state, 1);
        truth
    }
}

/// What the list of limits at `index` says: frame, message, write (bytes), handshake, close, ping
/// (seconds), accept_unmasked, mask_outgoing; the rest is as the config says.
fn limits(call: &mut Call, index: c_int, is_client: bool) -> (Limits, bool) {
    let mut limits = call.vm().shared.websockets.1;
    if is_client {
        limits = limits.of_client();
    }
    if call.kind(index) != ffi::LUA_TTABLE {
        return (limits, false);
    }
    // The Lua files have checked that they are positive.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let bytes = |number: f64| number as usize;
    let time = |number: f64| Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX / 4);
    for (place, limit) in [(1, &mut limits.frame), (2, &mut limits.message), (3, &mut limits.write)]
    {
        *limit = number(call, index, place).map_or(*limit, bytes);
    }
    for (place, limit) in
        [(4, &mut limits.handshake), (5, &mut limits.close), (6, &mut limits.ping)]
    {
        *limit = number(call, index, place).map_or(*limit, time);
    }
    limits.accept_unmasked = truth(call, index, 7).unwrap_or(limits.accept_unmasked);
    (limits, truth(call, index, 8).unwrap_or(false))
}

/// The list of names and values at `index`, from `place` on.
fn headers(call: &mut Call, index: c_int, mut place: i64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    if call.kind(index) != ffi::LUA_TTABLE {
        return all;
    }
    while let (Some(name), Some(value)) =
        (element(call, index, place), element(call, index, place + 1))
    {
        all.push((name, value));
        place += 2;
    }
    all
}

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
fn accept(call: &mut Call) -> NativeResult {
    // SAFETY: fills up the arguments.
    unsafe { ffi::lua_settop(call.state(), 5) };
    let limits = limits(call, 2, false);
    let Some(socket) = socket(call)? else {
        return nil_and(call, "invalid socket".to_owned());
    };
    drop(socket);
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
        return nil_and(call, "invalid socket".to_owned());
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
fn connect(call: &mut Call) -> NativeResult {
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
fn refuse(call: &mut Call) -> NativeResult {
    let status = u16::try_from(call.check_integer(2)?).unwrap_or(400);
    let reason = String::from_utf8_lossy(call.check_string(3)?).into_owned();
    let response = server::Refusal { status, reason }.response();
    let written = match SocketId::new(call.integer(1).unwrap_or(0))
        .and_then(|id| call.vm().shared.sockets.get(id))
    {
        Some(socket) => socket.write(&response).is_ok(),
        None => false,
    };
    drop(response);
    call.answer_boolean(written)
}

/// `release(id)`: `skynet.socket` forgets the socket, which its connection closes.
fn release(call: &mut Call) -> NativeResult {
    let id = call.check_integer(1)?;
    super::socket::connection::remove(call, i32::try_from(id).unwrap_or(0));
    NOTHING
}

/// `next(connection)`: what happens next: its kind and what belongs to it; nothing when the end
/// was told before. **Yields.**
fn next(call: &mut Call) -> NativeResult {
    let place = held(call, 1)?;
    take(call, place)
}

fn take(call: &mut Call, mut place: NonNull<Held>) -> NativeResult {
    let connection = connection(call, 1)?;
    // SAFETY: the userdata is at index 1; the borrows end with the statements.
    let row = unsafe { place.as_ref().row };
    if row < ROW {
        let got = connection.next(None);
        match got {
            Next::Event(event) => {
                drop(connection);
                // SAFETY: as above.
                unsafe {
                    place.as_mut().row += 1;
                    place.as_mut().event = Some(event);
                }
                return push_event(call, place);
            }
            Next::Over => return NOTHING,
            Next::Wait | Next::Busy => {}
        }
    }
    drop(connection);
    check_yieldable(call)?;
    wait(call, place)
}

/// Suspends the coroutine until there is something, or, after a long row, until the others of the
/// service have had their turn.
fn wait(call: &mut Call, mut place: NonNull<Held>) -> NativeResult {
    let connection = connection(call, 1)?;
    let vm = call.vm();
    let (session, handle) = (vm.sessions.allocate(), vm.handle());
    // SAFETY: as in `take`.
    let row = std::mem::take(unsafe { &mut place.as_mut().row });
    if row >= ROW {
        let answer = Message::empty(None, session, kernel::Kind::RESPONSE);
        let _ = vm.node.send(&vm.service, answer);
    } else {
        match connection.next(Some((handle, session))) {
            Next::Wait => {}
            Next::Busy => {
                drop(connection);
                let text = format_args!("another coroutine reads this websocket");
                return Err(call.error(text));
            }
            Next::Over => return NOTHING,
            Next::Event(event) => {
                drop(connection);
                // SAFETY: as in `take`.
                unsafe { place.as_mut() }.event = Some(event);
                return push_event(call, place);
            }
        }
    }
    drop(connection);
    let context = isize::try_from(session.0).unwrap_or(0);
    suspend(call, Waiting::Call { session, peer: None }, 1, continuation!(arrived), context)
}

fn arrived(call: &mut Call, resumed: Resumed) -> NativeResult {
    if call.vm().wake != Wake::Answer {
        let session = Session(i32::try_from(resumed.context).unwrap_or(0));
        connection(call, 1)?.forget_waiter(session);
        return Err(call.error(format_args!("waiting for a websocket was ended")));
    }
    let place = held(call, 1)?;
    take(call, place)
}

/// Pushes the held event.
fn push_event(call: &mut Call, mut place: NonNull<Held>) -> NativeResult {
    // SAFETY: the userdata is at index 1, so what it holds stays where it is while Lua copies.
    let count = match unsafe { place.as_ref() }.event.as_ref() {
        None => 0,
        Some(Event::Message(kind, bytes)) => {
            call.push_integer(if *kind == Kind::Text { TEXT } else { BINARY });
            call.push_bytes(bytes);
            2
        }
        Some(Event::Ping(bytes)) => {
            call.push_integer(PING);
            call.push_bytes(bytes);
            2
        }
        Some(Event::Pong(bytes)) => {
            call.push_integer(PONG);
            call.push_bytes(bytes);
            2
        }
        Some(Event::Open { url, headers }) => {
            call.push_integer(OPEN);
            call.push_bytes(url.as_bytes());
            push_headers(call, headers);
            3
        }
        Some(Event::Closed(Closed { how, code, reason })) => {
            call.push_integer(CLOSED);
            let how: &[u8] = match how {
                How::Clean => b"clean",
                How::Refused => b"refused",
                How::Failed => b"failed",
                How::Lost => b"lost",
            };
            call.push_bytes(how);
            match code {
                Some(code) => call.push_integer((*code).into()),
                None => call.push_nil(),
            }
            call.push_bytes(reason.as_bytes());
            4
        }
    };
    // SAFETY: as above.
    unsafe { place.as_mut() }.event = None;
    Ok(Outcome::Values(count))
}

/// Pushes a head as a table: a name that is there more than once has a list.
fn push_headers(call: &mut Call, headers: &Headers) {
    let state = call.state();
    // SAFETY: a native has free slots; the names and values belong to the held event.
    unsafe {
        ffi::lua_createtable(state, 0, c_int::try_from(headers.len()).unwrap_or(0));
        for (name, value) in headers {
            call.push_bytes(name.as_bytes());
            ffi::lua_pushvalue(state, -1);
            match ffi::lua_rawget(state, -3) {
                ffi::LUA_TNIL => {
                    ffi::lua_pop(state, 1);
                    call.push_bytes(value);
                    ffi::lua_rawset(state, -3);
                    continue;
                }
                ffi::LUA_TTABLE => {}
                _ => {
                    ffi::lua_createtable(state, 2, 0);
                    ffi::lua_insert(state, -2);
                    ffi::lua_rawseti(state, -2, 1);
                    ffi::lua_pushvalue(state, -2);
                    ffi::lua_pushvalue(state, -2);
                    ffi::lua_rawset(state, -5);
                }
            }
            call.push_bytes(value);
            let length = i64::try_from(ffi::lua_rawlen(state, -2)).unwrap_or(0);
            ffi::lua_rawseti(state, -2, length + 1);
            ffi::lua_pop(state, 2);
        }
    }
}

/// `send(connection, data, kind, mask, last)`: true, or nil and why not. `kind` is 1 for text, 2
/// for binary, 0 for the next part of a message; `last` is false when parts follow.
fn send(call: &mut Call) -> NativeResult {
    let connection = connection(call, 1)?;
    let sent = {
        let data: *const [u8] = match call.check_string(2) {
            Ok(data) => data,
            Err(raise) => {
                drop(connection);
                return Err(raise);
            }
        };
        let kind = match call.integer(3) {
            Some(TEXT) => Some(Kind::Text),
            Some(BINARY) => Some(Kind::Binary),
            _ => None,
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32 bits")]
        let mask = call.integer(4).map(|mask| (mask as u32).to_be_bytes());
        let last = call.kind(5) != ffi::LUA_TBOOLEAN || call.boolean(5);
        // SAFETY: the data is an argument.
        let data = unsafe { &*data };
        if kind == Some(Kind::Text) && last && str::from_utf8(data).is_err() {
            Err(SendError::Illegal("a text message has to be UTF-8 (send it as \"binary\")"))
        } else {
            connection.send_part(kind, last, data, mask)
        }
    };
    drop(connection);
    answer(call, sent.map(|_| ()))
}

/// true, or nil and why not. Breaking the protocol is an error of the script.
fn answer(call: &mut Call, done: Result<(), SendError>) -> NativeResult {
    match done {
        Ok(()) => call.answer_boolean(true),
        Err(SendError::Closed) => nil_and(call, "the websocket is closed".to_owned()),
        Err(SendError::Slow(bytes)) => {
            nil_and(call, format!("the peer is too slow: {bytes} bytes wait for it"))
        }
        Err(SendError::Illegal(text)) => Err(call.error(format_args!("websocket: {text}"))),
    }
}

/// `ping(connection, data, pong)`: true, or nil and why not.
fn ping(call: &mut Call) -> NativeResult {
    let data: *const [u8] = call.string(2).unwrap_or_default();
    let pong = call.boolean(3);
    let connection = connection(call, 1)?;
    // SAFETY: the data is an argument.
    let sent = connection.ping(unsafe { &*data }, pong).map(|_| ());
    drop(connection);
    answer(call, sent)
}

/// `close(connection, code, reason)`: begins the closing handshake.
fn close_connection(call: &mut Call) -> NativeResult {
    let code = if call.is_none_or_nil(2) { None } else { Some(call.check_integer(2)?) };
    let Ok(code) = code.map(u16::try_from).transpose() else {
        return Err(call.error(format_args!("websocket: no close frame has this code")));
    };
    let connection = connection(call, 1)?;
    let done = {
        let reason = String::from_utf8_lossy(call.string(3).unwrap_or_default());
        connection.close(code, &reason)
    };
    drop(connection);
    answer(call, done)
}

/// `is_open(connection)`: whether messages can be sent.
fn is_open(call: &mut Call) -> NativeResult {
    let open = connection(call, 1)?.is_open();
    call.answer_boolean(open)
}
