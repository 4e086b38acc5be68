//! One transfer: the machine of its giver or receiver, driven from Lua one event at a time.

use std::ffi::CStr;

use super::link::{Link, with_link};
use super::{fill, make, release, values, with};
use crate::bridge::giver::Giver;
use crate::bridge::record::{Mode, Record, State};
use crate::bridge::step::{Effect, Event, Outcome as End, Pairs, Purse, Reply};
use crate::bridge::taker::{Taker, Way};
use crate::natives;
use crate::vm::native::{Call, Entry, Lossy, NativeResult, Outcome, Raise};

/// Name of the metatable of transfers.
pub(super) const NAME: &CStr = c"bridge.transfer";

pub(super) const METHODS: &[Entry] = natives![c"__gc" => collect];

enum Machine {
    Giver(Giver),
    Taker(Taker),
}

/// A machine, what it wants, and what it is told.
struct Transfer {
    machine: Machine,
    effect: Effect,
    pairs: Pairs,
    list: Vec<Vec<u8>>,
}

fn collect(call: &mut Call) -> NativeResult {
    drop(release::<Transfer>(call, NAME));
    Ok(Outcome::Values(0))
}

/// The text at `index`.
fn text<'a>(call: &mut Call, index: i32) -> Result<&'a [u8], Raise> {
    let bytes: *const [u8] = call.check_string(index)?;
    // SAFETY: the string stays on the stack until the native ends, and nobody keeps it longer.
    Ok(unsafe { &*bytes })
}

fn purse(call: &mut Call, index: i32) -> Result<Purse, Raise> {
    match text(call, index)? {
        b"shared" => Ok(Purse::Shared),
        b"own" => Ok(Purse::Own),
        b"none" => Ok(Purse::None),
        other => Err(call.argument(index, format_args!("no purse: `{}`", Lossy(other)))),
    }
}

fn mode(call: &mut Call, index: i32) -> Result<Mode, Raise> {
    match text(call, index)? {
        b"pull" => Ok(Mode::Pull),
        b"push" => Ok(Mode::Push),
        other => Err(call.argument(index, format_args!("no mode: `{}`", Lossy(other)))),
    }
}

/// `"answer"`, or `"request"` or `"found"` with the member behind it.
fn way(call: &mut Call, index: i32) -> Result<Way, Raise> {
    let member = if call.is_none_or_nil(index + 1) { b"" } else { text(call, index + 1)? };
    match text(call, index)? {
        b"answer" => Ok(Way::Answer),
        b"request" => Ok(Way::Request(member.to_vec())),
        b"found" => Ok(Way::Found(member.to_vec())),
        other => Err(call.argument(index, format_args!("no way: `{}`", Lossy(other)))),
    }
}

/// Checks the texts first, since `build` makes what has a destructor. Pushes the new transfer.
fn push(call: &mut Call, build: impl FnOnce(&mut Call) -> Result<Machine, Raise>) -> NativeResult {
    let place = make(call, NAME);
    let machine = build(call)?;
    let (pairs, list) = (Vec::new(), Vec::new());
    fill(place, Transfer { machine, effect: Effect::Await, pairs, list });
    Ok(Outcome::Values(1))
}

/// `give(link, uid, id, command, session, mode, purse, at, amounts)`: a new transfer of the giver.
pub(super) fn give(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let uid = values::name(call, 2, "a uid")?;
        let id = values::name(call, 3, "an id")?;
        let command = text(call, 4)?;
        let session = values::name(call, 5, "a session")?;
        let (mode, purse) = (mode(call, 6)?, purse(call, 7)?);
        let at = u64::try_from(call.check_integer(8)?).unwrap_or(0);
        // SAFETY: the link is in use by this native alone.
        let pairs = unsafe { &raw mut (*link).pairs };
        match (purse, mode) {
            (Purse::None, _) => values::read_fields(call, 9, pairs)?,
            (_, Mode::Pull) => values::read_amounts(call, 9, pairs, 0)?,
            (_, Mode::Push) => values::read_amounts(call, 9, pairs, 1)?,
        }
        push(call, |_| {
            // SAFETY: as above.
            let link: &mut Link = unsafe { &mut *link };
            let mut pairs = std::mem::take(&mut link.pairs);
            pairs.sort();
            let (giver, command) = (link.own.clone(), command.to_vec());
            let session = session.to_vec();
            let record = Record { at, giver, command, mode, session, pairs };
            Ok(Machine::Giver(Giver::new(uid, id, record, purse, link.plain)))
        })
    })
}

/// `resume(link, uid, id, record, purse)`: a transfer of the giver that was found in Redis.
pub(super) fn resume(call: &mut Call) -> NativeResult {
    found(call, Giver::resume)
}

fn found(
    call: &mut Call,
    build: impl FnOnce(&[u8], &[u8], (State, Record), Purse, bool) -> Giver,
) -> NativeResult {
    with_link(call, |call, link| {
        let uid = values::name(call, 2, "a uid")?;
        let id = values::name(call, 3, "an id")?;
        let record = text(call, 4)?;
        let purse = purse(call, 5)?;
        push(call, |call| {
            let Some(found) = Record::parse_with_state(record) else {
                return Err(call.argument(4, format_args!("no record: `{}`", Lossy(record))));
            };
            // SAFETY: the link is in use by this native alone.
            let plain = unsafe { (*link).plain };
            Ok(Machine::Giver(build(uid, id, found, purse, plain)))
        })
    })
}

/// `cancel(link, uid, id, record, purse)`: gives back a transfer that was found in Redis.
pub(super) fn cancel(call: &mut Call) -> NativeResult {
    found(call, |uid, id, (_, record), purse, _| Giver::cancel(uid, id, record, purse))
}

/// `take(link, uid, id, command, session, purse, way, member)`: a transfer of the receiver.
pub(super) fn take(call: &mut Call) -> NativeResult {
    with_link(call, |call, _| {
        let uid = values::name(call, 2, "a uid")?;
        let id = values::name(call, 3, "an id")?;
        let command = text(call, 4)?;
        let session = if call.is_none_or_nil(5) { b"" } else { text(call, 5)? };
        let purse = purse(call, 6)?;
        text(call, 7)?;
        push(call, |call| {
            let way = way(call, 7)?;
            Ok(Machine::Taker(Taker::new(uid, id, command, session, way, purse)))
        })
    })
}

/// `adopt(link, uid, id, command, session, purse, way, member, giver, at, amounts)`: what a plain peer gave.
pub(super) fn adopt(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let uid = values::name(call, 2, "a uid")?;
        let id = values::name(call, 3, "an id")?;
        let command = text(call, 4)?;
        let session = if call.is_none_or_nil(5) { b"" } else { text(call, 5)? };
        let purse = purse(call, 6)?;
        text(call, 7)?;
        let giver = text(call, 9)?;
        let at = u64::try_from(call.check_integer(10)?).unwrap_or(0);
        // SAFETY: the link is in use by this native alone.
        let pairs = unsafe { &raw mut (*link).pairs };
        match purse {
            Purse::None => values::read_fields(call, 11, pairs)?,
            _ => values::read_amounts(call, 11, pairs, 1)?,
        }
        push(call, |call| {
            let way = way(call, 7)?;
            // SAFETY: as above.
            let mut pairs = unsafe { std::mem::take(&mut (*link).pairs) };
            pairs.sort();
            let (giver, command) = (giver.to_vec(), command.to_vec());
            let (session, mode) = (session.to_vec(), Mode::Push);
            let record = Record { at, giver, command, mode, session, pairs };
            Ok(Machine::Taker(Taker::adopt(uid, id, record, way, purse)))
        })
    })
}

/// `step(transfer, event, detail)`: tells the machine what has happened, and says what is to be done:
/// `"step", operation, id, purse, arguments`, `"send", message`, `"await"`, `"take", id, wanted`,
/// `"give", id, amounts`, `"done", outcome, …`.
pub(super) fn step(call: &mut Call) -> NativeResult {
    with::<Transfer>(call, NAME, |call, transfer| {
        let event: *const [u8] = call.check_string(2)?;
        // SAFETY: the string stays on the stack; the transfer is in use by this native alone, and what
        // has a destructor is in it while Lua runs.
        unsafe {
            match &*event {
                b"reply" => read_list(call, &raw mut (*transfer).list)?,
                b"taken" => {
                    values::read_amounts(call, 3, &raw mut (*transfer).pairs, 0)?;
                }
                b"given" => values::read_fields(call, 3, &raw mut (*transfer).pairs)?,
                b"refused" => (*transfer).list = vec![text(call, 3)?.to_vec()],
                _ => {}
            }
            let Some(event) = told(&mut *transfer, &*event) else {
                return Err(call.argument(2, format_args!("no event: `{}`", Lossy(&*event))));
            };
            (*transfer).effect = match &mut (*transfer).machine {
                Machine::Giver(giver) => giver.on(event),
                Machine::Taker(taker) => taker.on(event),
            };
            push_effect(call, &raw const (*transfer).effect)
        }
    })
}

/// The event of that name, with what was read for it.
fn told(transfer: &mut Transfer, name: &[u8]) -> Option<Event> {
    Some(match name {
        b"start" => Event::Start,
        b"reply" => {
            let mut list = std::mem::take(&mut transfer.list).into_iter();
            Event::Reply(Reply { word: list.next()?, rest: list.collect() })
        }
        b"sent" => Event::Sent,
        b"yes" => Event::Yes,
        b"no" => Event::No,
        b"silence" => Event::Silence,
        b"taken" => Event::Taken(std::mem::take(&mut transfer.pairs)),
        b"refused" => Event::Refused(transfer.list.pop()?),
        b"given" => Event::Given(std::mem::take(&mut transfer.pairs)),
        b"failed" => Event::Failed,
        _ => return None,
    })
}

/// Reads the list of texts at index 3: an answer of the script.
fn read_list(call: &mut Call, list: *mut Vec<Vec<u8>>) -> Result<(), Raise> {
    call.check_type(3, mlua::ffi::LUA_TTABLE)?;
    let state = call.state();
    // SAFETY: a table is at index 3; the list is held by a userdata in use. Raw access runs no Lua.
    unsafe {
        (*list).clear();
        for index in 1..=4 {
            if mlua::ffi::lua_rawgeti(state, 3, index) != mlua::ffi::LUA_TSTRING {
                break;
            }
            let top = call.top();
            (*list).push(call.string(top).unwrap_or_default().to_vec());
            mlua::ffi::lua_settop(state, top - 1);
        }
        if (*list).is_empty() {
            return Err(call.argument(3, format_args!("an answer of the script has no word")));
        }
    }
    Ok(())
}

/// # Safety
/// The effect is held by a userdata in use.
unsafe fn push_effect(call: &mut Call, effect: *const Effect) -> NativeResult {
    // SAFETY: the caller's promise: it stays as it is while Lua runs.
    match unsafe { &*effect } {
        Effect::Step(step) => {
            call.push_bytes(b"step");
            call.push_bytes(step.operation.as_bytes());
            call.push_bytes(&step.id);
            call.push_bytes(step.purse.as_text().as_bytes());
            values::push_list(call, &raw const step.arguments);
            Ok(Outcome::Values(5))
        }
        Effect::Send(message) => {
            call.push_bytes(b"send");
            call.push_bytes(message);
            Ok(Outcome::Values(2))
        }
        Effect::Await => {
            call.push_bytes(b"await");
            Ok(Outcome::Values(1))
        }
        Effect::Take(id, pairs) | Effect::Give(id, pairs) => {
            // SAFETY: as above.
            let take = matches!(unsafe { &*effect }, Effect::Take(..));
            call.push_bytes(if take { b"take" } else { b"give" });
            call.push_bytes(id);
            values::push(call, &raw const *pairs);
            Ok(Outcome::Values(3))
        }
        Effect::Done(end) => {
            call.push_bytes(b"done");
            let (word, texts): (&[u8], &[&[u8]]) = match end {
                End::Moved(pairs) => {
                    call.push_bytes(b"moved");
                    values::push(call, &raw const *pairs);
                    return Ok(Outcome::Values(3));
                }
                End::Stored => (b"stored", &[]),
                End::Returned => (b"returned", &[]),
                End::Nothing => (b"nothing", &[]),
                End::Elsewhere => (b"elsewhere", &[]),
                End::Left(why) => (b"left", &[why]),
                End::Refused(word, detail) => (b"refused", &[word, detail]),
            };
            call.push_bytes(word);
            for text in texts {
                call.push_bytes(text);
            }
            let count = i32::try_from(texts.len()).unwrap_or(0);
            Ok(Outcome::Values(2 + count))
        }
    }
}
