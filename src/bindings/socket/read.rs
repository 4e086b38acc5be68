//! `skynet.socket`: reading. **Yields** only while what is asked for is not there.

use mlua::ffi;

use super::super::skynet::thread::{check_yieldable, suspend};
use super::own_id;
use crate::continuation;
use crate::kernel::Session;
use crate::net::socket::{Separator, Take, Want};
use crate::vm::native::{Call, NativeResult, Outcome, Raise, Resumed};
use crate::vm::session::Waiter;
use crate::vm::thread::Waiting;
use crate::vm::{Vm, Wake};

/// `read(id [, n])`: n bytes, or what there is; false and the rest when it is closed.
pub(super) fn read(call: &mut Call) -> NativeResult {
    let id = own_id(call, 1)?;
    let want = if call.is_none_or_nil(2) {
        Want::Any
    } else {
        let count = call.check_integer(2)?;
        match usize::try_from(count) {
            Ok(count) => Want::Bytes(count),
            Err(_) => return Err(call.argument(2, format_args!("{count} is negative"))),
        }
    };
    match take(call, id, want)? {
        Taken::Bytes => bytes(call),
        Taken::Rest => false_and_rest(call),
        Taken::Later(session) => wait(call, id, session, continuation!(read_later)),
    }
}

/// `readline(id [, separator])`: a line without its separator; false and the rest when closed.
pub(super) fn read_line(call: &mut Call) -> NativeResult {
    let id = own_id(call, 1)?;
    let separator = if call.is_none_or_nil(2) { b"\n" } else { call.check_string(2)? };
    let want = Want::Line(Separator::new(separator));
    match take(call, id, want)? {
        Taken::Bytes => bytes(call),
        Taken::Rest => false_and_rest(call),
        Taken::Later(session) => wait(call, id, session, continuation!(read_later)),
    }
}

/// `readall(id)`: everything until the peer closes; false when it has and nothing is left.
pub(super) fn read_all(call: &mut Call) -> NativeResult {
    let id = own_id(call, 1)?;
    match take(call, id, Want::All)? {
        Taken::Bytes => bytes(call),
        Taken::Rest if call.vm().sockets.bytes.is_empty() => call.answer_boolean(false),
        Taken::Rest => bytes(call),
        Taken::Later(session) => wait(call, id, session, continuation!(read_all_later)),
    }
}

/// `block(id)`: waits until there is something to read; false when it is closed.
pub(super) fn block(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let vm = call.vm();
    // What arrived before the peer closed can still be read, however soon that was.
    let id = i32::try_from(number).ok().filter(|id| vm.sockets.entries.contains_key(id));
    let Some(id) = id else { return call.answer_boolean(false) };
    match take(call, id, Want::Readable)? {
        Taken::Bytes => call.answer_boolean(true),
        Taken::Rest => call.answer_boolean(false),
        Taken::Later(session) => wait(call, id, session, continuation!(block_later)),
    }
}

enum Taken {
    /// What was asked for is in the VM's buffer.
    Bytes,
    /// The socket is closed; the rest is in the VM's buffer.
    Rest,
    /// It comes with the answer to this session.
    Later(Session),
}

fn take(call: &mut Call, id: i32, want: Want) -> Result<Taken, Raise> {
    let yields = check_yieldable(call).is_ok();
    let vm = call.vm();
    loop {
        let Vm { sockets, sessions, .. } = &mut *vm;
        let Some(entry) = sockets.entries.get(&id) else {
            return Err(super::not_own(call, id.into()));
        };
        if entry.socket.is_listener() || entry.socket.is_udp() {
            return Err(
                call.plain_error(format_args!("assertion failed! (socket {id} is no connection)"))
            );
        }
        let mut noted = None;
        let take = entry.socket.read(&want, &mut sockets.bytes, || {
            noted = yields.then(|| sessions.allocate());
            noted
        });
        return match (take, noted) {
            (Take::Done, _) => Ok(Taken::Bytes),
            (Take::Ended, _) => Ok(Taken::Rest),
            (Take::Wait, Some(session)) => Ok(Taken::Later(session)),
            (Take::Wait, None) => Err(check_yieldable(call).err().unwrap_or(Raise::Plain)),
            (Take::Busy(other), _) => {
                if matches!(sessions.get(other), Some(Waiter::Thread(_))) {
                    return Err(call.plain_error(format_args!(
                        "assertion failed! (another coroutine reads socket {id})"
                    )));
                }
                // It was killed while it waited.
                entry.socket.forget_reader(other);
                continue;
            }
        };
    }
}

fn wait(call: &mut Call, id: i32, session: Session, then: ffi::lua_KFunction) -> NativeResult {
    let context = isize::try_from(id).unwrap_or(0);
    suspend(call, Waiting::Call { session, peer: None }, 0, then, context)
}

/// What a reader that was resumed gets.
fn resume(call: &mut Call, resumed: Resumed) -> Result<Taken, Raise> {
    let id = i32::try_from(resumed.context).unwrap_or(0);
    let vm = call.vm();
    if vm.wake != Wake::Answer {
        return Err(call.error(format_args!("reading of socket {id} was ended")));
    }
    let answered = vm.message.session;
    let Vm { sockets, sessions, .. } = vm;
    let Some(entry) = sockets.entries.get(&id) else {
        // Abandoned: what is unread belongs to the next owner.
        sockets.bytes.clear();
        return Ok(Taken::Rest);
    };
    let mut again = None;
    let take = entry
        .socket
        .finish_read(answered, &mut sockets.bytes, || *again.insert(sessions.allocate()));
    Ok(match (take, again) {
        (Take::Done, _) => Taken::Bytes,
        (Take::Wait, Some(session)) => Taken::Later(session),
        _ => Taken::Rest,
    })
}

fn read_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    match resume(call, resumed)? {
        Taken::Bytes => bytes(call),
        Taken::Rest => false_and_rest(call),
        Taken::Later(session) => wait_again(call, resumed, session, continuation!(read_later)),
    }
}

fn read_all_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    match resume(call, resumed)? {
        Taken::Bytes | Taken::Rest => bytes(call),
        Taken::Later(session) => wait_again(call, resumed, session, continuation!(read_all_later)),
    }
}

fn block_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    match resume(call, resumed)? {
        Taken::Bytes => call.answer_boolean(true),
        Taken::Rest => call.answer_boolean(false),
        Taken::Later(session) => wait_again(call, resumed, session, continuation!(block_later)),
    }
}

/// Another coroutine has taken what this one was woken for.
fn wait_again(
    call: &mut Call,
    resumed: Resumed,
    session: Session,
    then: ffi::lua_KFunction,
) -> NativeResult {
    wait(call, i32::try_from(resumed.context).unwrap_or(0), session, then)
}

/// The bytes in the VM's buffer as a string.
fn bytes(call: &mut Call) -> NativeResult {
    let bytes: *const [u8] = call.vm().sockets.bytes.as_slice();
    // SAFETY: the buffer belongs to the VM. Pushing copies it before anything else can run.
    call.push_bytes(unsafe { &*bytes });
    call.vm().sockets.trim();
    Ok(Outcome::Values(1))
}

fn false_and_rest(call: &mut Call) -> NativeResult {
    call.push_boolean(false);
    bytes(call)?;
    Ok(Outcome::Values(2))
}
