//! Replies to Lua values, and what they raise.
//!
//! Invariant: the bytes belong to the message being handled or to a userdata on the stack, so a
//! raise loses nothing.

use mlua::ffi;

use crate::codec::resp::reply::{Item, Reader};
use crate::vm::native::{Call, Lossy, NativeResult, Outcome, Raise};

/// Errors that say something about the server rather than about the command: the text gets the
/// server and the command behind it.
const OF_THE_SERVER: [&[u8]; 16] = [
    b"ASK",
    b"BUSY",
    b"CLUSTERDOWN",
    b"CROSSSLOT",
    b"LOADING",
    b"MASTERDOWN",
    b"MISCONF",
    b"MOVED",
    b"NOAUTH",
    b"NOPERM",
    b"NOREPLICAS",
    b"NOSCRIPT",
    b"OOM",
    b"READONLY",
    b"TRYAGAIN",
    b"WRONGPASS",
];

/// Whose answer it is: `server` and `command` are in the texts of errors if they are known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    /// The server, a text that outlives the call of the native.
    pub(super) server: Option<*const str>,
    /// The command, a string on the stack.
    pub(super) command: Option<*const [u8]>,
    /// A Lua file of ours is the caller, so that its line says nothing to the script.
    pub(super) by_library: bool,
}

impl Origin {
    fn raise(self) -> Raise {
        if self.by_library { Raise::Plain } else { Raise::At }
    }
}

/// Whether a pushed value was an error, or has one in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pushed {
    Good,
    /// The text is on the stack, or within the array there.
    Error,
}

/// Pushes the next value of a reply. May raise for lack of memory.
///
/// # Errors
/// When the stack is full, or the bytes are no reply.
pub(super) fn push_value(call: &mut Call, reader: &mut Reader<'_>) -> Result<Pushed, Raise> {
    match reader.next_item() {
        Some(Item::Bulk(bytes) | Item::Status(bytes)) => call.push_bytes(bytes),
        Some(Item::Integer(value)) => call.push_integer(value),
        Some(Item::Nil) => call.push_nil(),
        Some(Item::Error(text)) => {
            call.push_bytes(text);
            return Ok(Pushed::Error);
        }
        Some(Item::Array(count)) => return push_array(call, reader, count),
        None => return Err(call.error(format_args!("redis: an answer that is no reply"))),
    }
    Ok(Pushed::Good)
}

fn push_array(call: &mut Call, reader: &mut Reader<'_>, count: usize) -> Result<Pushed, Raise> {
    call.reserve(4)?;
    let state = call.state();
    let mut all = Pushed::Good;
    // SAFETY: room was reserved; the table is on the stack while it is filled.
    unsafe { ffi::lua_createtable(state, i32::try_from(count).unwrap_or(0), 0) };
    for place in 1..=i64::try_from(count).unwrap_or(i64::MAX) {
        if push_value(call, reader)? == Pushed::Error {
            all = Pushed::Error;
        }
        // SAFETY: the value is above the table.
        unsafe { ffi::lua_rawseti(state, -2, place) };
    }
    Ok(all)
}

/// The one reply that `bytes` hold, as the value of a call; an error is raised.
///
/// # Errors
/// The error that the reply is, or has in it.
pub(super) fn value(call: &mut Call, bytes: &[u8], origin: Origin) -> NativeResult {
    let mut reader = Reader::new(bytes);
    match push_value(call, &mut reader)? {
        Pushed::Good => Ok(Outcome::Values(1)),
        Pushed::Error => Err(reply_error(call, bytes, origin)),
    }
}

/// Raises the first error in a reply: the line of the script, as skynet has one in front, and the
/// server's own text.
#[cold]
pub(super) fn reply_error(call: &mut Call, bytes: &[u8], origin: Origin) -> Raise {
    let mut reader = Reader::new(bytes);
    let text = loop {
        match reader.next_item() {
            Some(Item::Error(text)) => break text,
            Some(_) => {}
            None => return call.error(format_args!("redis: an answer that is no reply")),
        }
    };
    let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    if OF_THE_SERVER.contains(&code)
        && let (Some(server), Some(command)) = (origin.server, origin.command)
    {
        // SAFETY: `Origin` promises both.
        let (server, command) = unsafe { (&*server, &*command) };
        let text = format_args!("{} (redis {server}, {})", Lossy(text), Lossy(command));
        call.error(text);
    } else {
        call.error(format_args!("{}", Lossy(text)));
    }
    origin.raise()
}

/// An error of ours: the server, the command, the cause.
#[cold]
pub(super) fn failure(call: &mut Call, cause: &dyn std::fmt::Display, origin: Origin) -> Raise {
    // SAFETY: `Origin` promises both.
    let (server, command) =
        unsafe { (origin.server.map(|text| &*text), origin.command.map(|bytes| Lossy(&*bytes))) };
    match (server, command) {
        (Some(server), Some(command)) => {
            call.error(format_args!("redis {server}: {command}: {cause}"))
        }
        (Some(server), None) => call.error(format_args!("redis {server}: {cause}")),
        _ => call.error(format_args!("redis: {cause}")),
    };
    origin.raise()
}
