//! What happens to a connection, one event at a time.

use std::ffi::c_int;
use std::ptr::NonNull;

use mlua::ffi;

use super::{BINARY, CLOSED, Held, OPEN, PING, PONG, ROW, TEXT, connection, held};
use crate::bindings::http::add_fields;
use crate::bindings::skynet::thread::{check_yieldable, suspend};
use crate::continuation;
use crate::kernel::{self, Message, Session};
use crate::vm::Wake;
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Resumed};
use crate::vm::thread::Waiting;
use crate::websocket::connection::Next;
use crate::websocket::event::Headers;
use crate::websocket::{Closed, Event, How, Kind};

/// `next(connection)`: what happens next: its kind and what belongs to it; nothing when the end
/// was told before. **Yields.**
pub(super) fn next(call: &mut Call) -> NativeResult {
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
    let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let count = c_int::try_from(headers.len()).unwrap_or(0);
    // SAFETY: a native has free slots; the names and values belong to the held event.
    unsafe { ffi::lua_createtable(call.state(), 0, count) };
    let table = call.top();
    add_fields(call, table, fields);
}
