//! Watches: subscriptions and what comes of them.

use std::ptr::NonNull;
use std::sync::Arc;

use super::calling::told;
use super::decode::{self, Origin};
use super::held::{Held, inner, origin};
use super::hosts::addresses;
use super::watch as held_watch;
use crate::bindings::skynet::thread::{check_yieldable, suspend};
use crate::codec::resp::reply::{Item, Reader};
use crate::continuation;
use crate::kernel::{Kind, Message, Session};
use crate::redis::Watch;
use crate::redis::watch::{Next, Verb, WatchError};
use crate::vm::Wake;
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Resumed};
use crate::vm::thread::Waiting;

/// Messages taken in a row before others of the service get their turn.
const ROW: u32 = 64;

/// `change(watch, verb, channel)`: 1 subscribes, 2 does so to a pattern, 3 and 4 end that.
pub(super) fn change(call: &mut Call) -> NativeResult {
    let (verb, name): (Verb, &[u8]) = match call.check_integer(2)? {
        1 => (Verb::Subscribe, b"SUBSCRIBE"),
        2 => (Verb::PatternSubscribe, b"PSUBSCRIBE"),
        3 => (Verb::Unsubscribe, b"UNSUBSCRIBE"),
        4 => (Verb::PatternUnsubscribe, b"PUNSUBSCRIBE"),
        _ => return Err(call.argument(2, format_args!("1 to 4 expected"))),
    };
    let channel: *const [u8] = call.check_string(3)?;
    let held = held_watch(call)?;
    // SAFETY: the userdata and the channel are arguments, and no Lua runs.
    let changed = unsafe {
        let Some(watch) = &held.as_ref().what else { return NOTHING };
        let changed = watch.change(verb, &*channel);
        if changed == Ok(true) {
            call.vm().at_turn_end.push(Arc::clone(watch) as Arc<_>);
        }
        changed
    };
    match changed {
        Ok(_) => NOTHING,
        Err(error) => {
            let origin = Origin { command: Some(name), ..origin(call, held) };
            Err(decode::failure(call, &error, origin))
        }
    }
}

/// `close_watch(watch)`: ends a watch.
pub(super) fn close(call: &mut Call) -> NativeResult {
    let held = held_watch(call)?;
    inner(call, held)?.close();
    NOTHING
}

/// `lost(watch)`: waits until the connection of a watch is lost or could not be made again; true, or
/// nil at the end. **Yields.**
pub(super) fn lost(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    let held = held_watch(call)?;
    let session = call.vm().sessions.allocate();
    inner(call, held)?.wait_for_loss(session);
    suspend(call, Waiting::Call { session, peer: None }, 0, continuation!(told), 0)
}

/// `renew_hosts(watch, hosts)`: these are the servers of which each will do.
pub(super) fn renew_hosts(call: &mut Call) -> NativeResult {
    let held = held_watch(call)?;
    let hosts = addresses(call, 2, "hosts")?;
    inner(call, held)?.renew_hosts(hosts);
    NOTHING
}

/// `message(watch)`: the next message: data, channel, and the pattern if it came by one. **Yields.**
pub(super) fn message(call: &mut Call) -> NativeResult {
    let held = held_watch(call)?;
    take(call, held)
}

fn take(call: &mut Call, mut held: NonNull<Held<Watch>>) -> NativeResult {
    let watch = inner(call, held)?;
    // SAFETY: the userdata is at index 1; the borrows end with the statements.
    if unsafe { held.as_ref() }.row < ROW {
        match watch.next(None) {
            Next::Reply(reply) => {
                // SAFETY: as above.
                unsafe {
                    held.as_mut().row += 1;
                    held.as_mut().reply = Some(reply);
                }
                return push_message(call, held);
            }
            Next::Closed => return closed(call, held),
            Next::Wait => {}
        }
    }
    check_yieldable(call)?;
    let session = call.vm().sessions.allocate();
    // SAFETY: as above.
    let row = std::mem::take(unsafe { &mut held.as_mut().row });
    if row >= ROW {
        // The others of the service get their turn.
        let vm = call.vm();
        let answer = Message::empty(None, session, Kind::RESPONSE);
        let _ = vm.node.send(&vm.service, answer);
    } else {
        match watch.next(Some(session)) {
            Next::Wait => {}
            Next::Closed => return closed(call, held),
            Next::Reply(reply) => {
                // SAFETY: as above.
                unsafe { held.as_mut().reply = Some(reply) };
                return push_message(call, held);
            }
        }
    }
    let context = isize::try_from(session.0).unwrap_or(0);
    suspend(call, Waiting::Call { session, peer: None }, 1, continuation!(arrived), context)
}

#[cold]
fn closed(call: &mut Call, held: NonNull<Held<Watch>>) -> NativeResult {
    let origin = origin(call, held);
    Err(decode::failure(call, &WatchError::Closed, origin))
}

fn arrived(call: &mut Call, resumed: Resumed) -> NativeResult {
    let held = held_watch(call)?;
    if call.vm().wake != Wake::Answer {
        let session = Session(i32::try_from(resumed.context).unwrap_or(0));
        inner(call, held)?.forget(session);
        let origin = origin(call, held);
        return Err(decode::failure(call, &"waiting for a message was ended", origin));
    }
    take(call, held)
}

/// Pushes what the held reply says.
fn push_message(call: &mut Call, held: NonNull<Held<Watch>>) -> NativeResult {
    // SAFETY: the userdata is at index 1, so what it holds stays where it is while Lua copies.
    let reply: &[u8] = unsafe { held.as_ref() }.reply.as_deref().unwrap_or_default();
    let mut reader = Reader::new(reply);
    let Some(Item::Array(_)) = reader.next_item() else {
        let origin = Origin { command: Some(b"SUBSCRIBE"), ..origin(call, held) };
        return Err(decode::reply_error(call, reply, origin));
    };
    let mut next = || match reader.next_item() {
        Some(Item::Bulk(bytes)) => bytes,
        _ => &[],
    };
    let kind = next();
    if kind == b"pmessage" {
        let (pattern, channel, data) = (next(), next(), next());
        call.push_bytes(data);
        call.push_bytes(channel);
        call.push_bytes(pattern);
        return Ok(Outcome::Values(3));
    }
    let (channel, data) = (next(), next());
    call.push_bytes(data);
    call.push_bytes(channel);
    Ok(Outcome::Values(2))
}
