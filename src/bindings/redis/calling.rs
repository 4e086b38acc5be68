//! Commands, and what else is asked of a connection.

use std::sync::Arc;

use mlua::ffi;

use super::arguments::{Parts, arguments};
use super::decode::{self, Origin, Pushed};
use super::held::{self, inner};
use super::{connection, origin};
use crate::bindings::skynet::thread::{check_yieldable, suspend};
use crate::codec::resp::command::{begin, put_part};
use crate::codec::resp::reply::{Item, Reader};
use crate::kernel::Session;
use crate::redis::{self, CallError, Connection, Effect, Effects, answer};
use crate::vm::Wake;
use crate::vm::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::thread::Waiting;
use crate::{continuation, native};

/// Commands after which a connection sends messages by itself, or none at all. There the next reply
/// would be the answer to somebody else's command.
const OF_WATCHES: [&[u8]; 9] = [
    b"MONITOR",
    b"PSUBSCRIBE",
    b"PSYNC",
    b"PUNSUBSCRIBE",
    b"SSUBSCRIBE",
    b"SUBSCRIBE",
    b"SUNSUBSCRIBE",
    b"SYNC",
    b"UNSUBSCRIBE",
];

/// What is special about a command; bits of the third upvalue of its function. The first: it has to do
/// with the database in use.
const TRACKED: i64 = 1;
const REFUSED: i64 = 2;
/// Some forms of it are as those of `OF_WATCHES`.
const CHECKED: i64 = 4;
/// Its answer is whether the reply is not 0.
const BOOLEAN: i64 = 8;
/// Above this bit is the number of arguments that count, if not all do.
const MOST: u32 = 8;

/// The replies that the thread was resumed with.
///
/// # Errors
/// What went wrong instead.
pub(super) fn answer_bytes(call: &mut Call, origin: Origin) -> Result<*const [u8], Raise> {
    if call.vm().wake != Wake::Answer {
        return Err(decode::failure(call, &"the call was ended", origin));
    }
    // SAFETY: the payload belongs to the message being handled.
    match answer::read(unsafe { &*call.vm().message.bytes }) {
        Ok(replies) => Ok(replies),
        Err(cause) => Err(decode::failure(call, &Lossy(cause), origin)),
    }
}

/// `close(db)`: ends a connection.
pub(super) fn close(call: &mut Call) -> NativeResult {
    let held = connection(call)?;
    inner(call, held)?.close();
    NOTHING
}

/// `overload(db)`: waits until the server begins to take less than it is sent, or takes it again;
/// true, false, or nil at the end. **Yields.**
pub(super) fn overload(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    let Some(held) = held::at::<Connection>(call, 1) else {
        return Err(call.argument(1, format_args!("a redis connection expected")));
    };
    let session = call.vm().sessions.allocate();
    inner(call, held)?.watch_overload(session);
    suspend(call, Waiting::Call { session, peer: None }, 0, continuation!(told), 0)
}

/// What has changed: an integer, or nil at the end.
pub(super) fn told(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let bytes = answer_bytes(call, Origin::default())?;
    // SAFETY: the bytes belong to the message being handled.
    match Reader::new(unsafe { &*bytes }).next_item() {
        Some(Item::Integer(value)) => call.answer_boolean(value != 0),
        _ => call.answer_nil(),
    }
}

/// `command(name [, boolean [, most]])`: the function of a command, a method of the tables that
/// scripts see. Its answer may be a boolean; `most` says how many of its arguments count.
pub(super) fn command(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    let mut flags = if call.boolean(2) { BOOLEAN } else { 0 };
    let most = call.integer(3).unwrap_or(0);
    let name = call.string(1).unwrap_or_default().to_ascii_uppercase();
    if OF_WATCHES.contains(&&*name) {
        flags |= REFUSED;
    }
    if Effect::is_of(&name) {
        flags |= TRACKED;
    }
    if matches!(&*name, b"CLIENT" | b"HELLO") {
        flags |= CHECKED;
    }
    let mut head = Vec::new();
    put_part(&mut head, &name);
    let vm = call.vm();
    vm.scratch.extend_from_slice(&name);
    vm.scratch.extend_from_slice(&head);
    let (names, length) = (name.len(), vm.scratch.len());
    drop((name, head));
    let both: *const [u8] = &raw const call.vm().scratch[..length];
    // SAFETY: the buffer belongs to the VM and is not touched by pushing.
    unsafe {
        call.push_bytes(&(&*both)[..names]);
        call.push_bytes(&(&*both)[names..]);
    }
    call.vm().scratch.clear();
    call.push_integer(flags | most << MOST);
    // SAFETY: the three upvalues are on top.
    unsafe { ffi::lua_pushcclosure(call.state(), native!(run), 3) };
    Ok(Outcome::Values(1))
}

/// The name of the running command.
fn name<'a>(call: &Call) -> &'a [u8] {
    let name: *const [u8] = call.string(ffi::lua_upvalueindex(1)).unwrap_or_default();
    // SAFETY: the function is running, so its upvalues are there.
    unsafe { &*name }
}

/// A command: the table of the connection, then its arguments. **Yields.**
fn run(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    let held = connection(call)?;
    let flags = call.integer(ffi::lua_upvalueindex(3)).unwrap_or(0);
    let most = usize::try_from(flags >> MOST).ok().filter(|most| *most > 0);
    let parts = arguments(call, name(call), most.unwrap_or(usize::MAX))?;
    let mut effect = None;
    if flags & (TRACKED | REFUSED | CHECKED) != 0 {
        let first = parts.text(call, 0);
        if flags & REFUSED != 0 || flags & CHECKED != 0 && is_refused(name(call), first.as_deref())
        {
            drop(first);
            let name = name(call);
            return Err(refuse(call, name));
        }
        if flags & TRACKED != 0 {
            effect = Effect::of(name(call), first);
        }
    }
    let head: *const [u8] = call.string(ffi::lua_upvalueindex(2)).unwrap_or_default();
    let session = call.vm().sessions.allocate();
    let posted = {
        let effects = Effects::of(std::iter::once(effect));
        let asked = redis::Call { session, replies: 1, effects };
        // SAFETY: the userdata is in the table at index 1, and no Lua runs.
        let Some(connection) = (unsafe { &held.as_ref().what }) else { return NOTHING };
        let posted = connection.call(asked, |out| write(call, out, head, parts));
        if posted == Ok(true) {
            call.vm().at_turn_end.push(Arc::clone(connection) as Arc<_>);
        }
        posted
    };
    if let Err(error) = posted {
        let name = name(call);
        return Err(not_taken(call, error, name));
    }
    let mode = isize::from(flags & BOOLEAN != 0);
    suspend(call, Waiting::Call { session, peer: None }, 1, continuation!(replied), mode)
}

fn write(call: &Call, out: &mut Vec<u8>, head: *const [u8], parts: Parts) {
    begin(out, 1 + parts.count());
    // SAFETY: an upvalue of the running function.
    out.extend_from_slice(unsafe { &*head });
    parts.write(call, out);
}

/// Forms of a command that change what the connection sends.
pub(super) fn is_refused(name: &[u8], first: Option<&[u8]>) -> bool {
    let first = first.unwrap_or_default();
    let upper = name.to_ascii_uppercase();
    match &*upper {
        b"CLIENT" => first.eq_ignore_ascii_case(b"REPLY"),
        // RESP2 is spoken here, whatever the server could.
        b"HELLO" => first == b"3",
        name => OF_WATCHES.contains(&name),
    }
}

#[cold]
pub(super) fn refuse(call: &mut Call, name: &[u8]) -> Raise {
    let origin = Origin { command: Some(name), ..origin(call) };
    let why = "not on a connection for commands, where every reply answers one (messages: \
               redis.watch)";
    decode::failure(call, &why, origin)
}

#[cold]
pub(super) fn not_taken(call: &mut Call, error: CallError, name: &[u8]) -> Raise {
    let origin = Origin { command: Some(name), ..origin(call) };
    decode::failure(call, &error, origin)
}

fn replied(call: &mut Call, resumed: Resumed) -> NativeResult {
    let vm = call.vm();
    let bytes = vm.message.bytes;
    // SAFETY: the bytes belong to the message being handled.
    let first = unsafe { &*bytes }.first();
    if vm.wake != Wake::Answer || !matches!(first, Some(b'+' | b'$' | b':' | b'*')) {
        return failed(call);
    }
    // SAFETY: as above.
    let mut reader = Reader::new(unsafe { &*bytes });
    if resumed.context != 0 {
        return call.answer_boolean(reader.next_item() != Some(Item::Integer(0)));
    }
    match decode::push_value(call, &mut reader)? {
        Pushed::Good => Ok(Outcome::Values(1)),
        Pushed::Error => failed(call),
    }
}

/// The thread was resumed with an error, whosever it is.
#[cold]
fn failed(call: &mut Call) -> NativeResult {
    let origin = Origin { command: Some(name(call)), ..origin(call) };
    let bytes = answer_bytes(call, origin)?;
    // SAFETY: the bytes belong to the message being handled.
    Err(decode::reply_error(call, unsafe { &*bytes }, origin))
}

/// A session for a call of several replies, whose commands `write` appends and have these effects;
/// used by pipelines.
pub(super) fn post(
    call: &mut Call,
    replies: usize,
    effects: Effects,
    write: impl FnOnce(&Call, &mut Vec<u8>),
) -> Result<Session, Raise> {
    let held = connection(call)?;
    let session = call.vm().sessions.allocate();
    let replies = u32::try_from(replies).unwrap_or(u32::MAX);
    let posted = {
        let asked = redis::Call { session, replies, effects };
        // SAFETY: as in `run`.
        let Some(connection) = (unsafe { &held.as_ref().what }) else {
            return Err(call.argument(1, format_args!("the connection is collected")));
        };
        let posted = connection.call(asked, |out| write(call, out));
        if posted == Ok(true) {
            call.vm().at_turn_end.push(Arc::clone(connection) as Arc<_>);
        }
        posted
    };
    match posted {
        Ok(_) => Ok(session),
        Err(error) => Err(not_taken(call, error, b"pipeline")),
    }
}
