//! Sending and closing.

use mlua::ffi;

use super::{BINARY, TEXT, connection};
use crate::bindings::socket::nil_and;
use crate::vm::native::{Call, NativeResult};
use crate::websocket::Kind;
use crate::websocket::connection::SendError;

/// `send(connection, data, kind, mask, last)`: true, or nil and why not. `kind` is 1 for text, 2
/// for binary, 0 for the next part of a message; `last` is false when parts follow.
pub(super) fn send(call: &mut Call) -> NativeResult {
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
        Err(SendError::Closed) => nil_and(call, "the websocket is closed"),
        Err(SendError::Slow(bytes)) => {
            nil_and(call, format!("the peer is too slow: {bytes} bytes wait for it"))
        }
        Err(SendError::Illegal(text)) => Err(call.error(format_args!("websocket: {text}"))),
    }
}

/// `ping(connection, data, pong)`: true, or nil and why not.
pub(super) fn ping(call: &mut Call) -> NativeResult {
    let data: *const [u8] = call.string(2).unwrap_or_default();
    let pong = call.boolean(3);
    let connection = connection(call, 1)?;
    // SAFETY: the data is an argument.
    let sent = connection.ping(unsafe { &*data }, pong).map(|_| ());
    drop(connection);
    answer(call, sent)
}

/// `close(connection, code, reason)`: begins the closing handshake.
pub(super) fn close_connection(call: &mut Call) -> NativeResult {
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
pub(super) fn is_open(call: &mut Call) -> NativeResult {
    let open = connection(call, 1)?.is_open();
    call.answer_boolean(open)
}
