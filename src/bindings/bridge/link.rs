//! One link: its messages, its open requests, its ids.
//!
//! Invariant: open requests count as message blocks of their service, against its memory limit.

use std::ffi::CStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

use super::{fill, make, release, values, with};
use crate::bridge::id::Ids;
use crate::bridge::record::{self, Mode, Record};
use crate::bridge::sessions::Sessions;
use crate::bridge::step::Pairs;
use crate::bridge::{about, is_short_name, sessions};
use crate::codec::bridge::{self as codec, Malformed, Parsed};
use crate::natives;
use crate::vm::native::{Call, Entry, Lossy, NativeResult, Outcome, Raise};

/// Name of the metatable of links.
pub(super) const NAME: &CStr = c"bridge.link";

pub(super) const METHODS: &[Entry] = natives![c"__gc" => collect];

/// What an open request costs, about: its entries in two tables.
const REQUEST: usize = 96;

/// What a link keeps.
pub(super) struct Link {
    pub(super) own: Vec<u8>,
    pub(super) plain: bool,
    pub(super) ids: Ids,
    sessions: Sessions,
    /// Fields and bytes on their way between Lua and the codec.
    pub(super) pairs: Pairs,
    bytes: Vec<u8>,
}

/// `new(own, peer, plain)`: a link of the system `own`.
pub(super) fn new(call: &mut Call) -> NativeResult {
    for index in [1, 2] {
        let bytes: *const [u8] = call.check_string(index)?;
        // SAFETY: the string stays on the stack.
        let bytes = unsafe { &*bytes };
        if !is_short_name(bytes) {
            let name = Lossy(bytes);
            let text = format_args!("short name `{name}` (1 to 16 letters and digits)");
            return Err(call.argument(index, text));
        }
    }
    if call.string(1) == call.string(2) {
        return Err(call.argument(2, format_args!("a system has no bridge to itself")));
    }
    let mut random = [0; 8];
    if SystemRandom::new().fill(&mut random).is_err() {
        return Err(call.error(format_args!("the system has no randomness to give")));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let plain = call.boolean(3);
    let place = make(call, NAME);
    let own = call.string(1).unwrap_or_default().to_vec();
    let ids = Ids::new(&own, u64::from_le_bytes(random), now.as_secs());
    let sessions = Sessions::default();
    fill(place, Link { own, plain, ids, sessions, pairs: Vec::new(), bytes: Vec::new() });
    Ok(Outcome::Values(1))
}

fn collect(call: &mut Call) -> NativeResult {
    if let Some(link) = release::<Link>(call, NAME) {
        call.vm().block_bytes -= link.sessions.len() * REQUEST;
    }
    Ok(Outcome::Values(0))
}

/// Runs `body` with the link at index 1.
pub(super) fn with_link(
    call: &mut Call,
    body: impl FnOnce(&mut Call, *mut Link) -> NativeResult,
) -> NativeResult {
    with::<Link>(call, NAME, body)
}

fn command(call: &mut Call, index: i32) -> Result<*const [u8], Raise> {
    let bytes: *const [u8] = call.check_string(index)?;
    // SAFETY: the string stays on the stack.
    if !codec::is_command(unsafe { &*bytes }) {
        // SAFETY: as above.
        let name = Lossy(unsafe { &*bytes });
        return Err(call.error(format_args!(
            "bridge: `{name}` cannot be a command (1 to 128 of A-Z a-z 0-9 _ . -)"
        )));
    }
    Ok(bytes)
}

/// Writes a message into the link's buffer: its fields are in `pairs`.
fn write(
    link: &mut Link,
    command: &[u8],
    uid: &[u8],
    session: Option<&[u8]>,
) -> Result<(), Malformed> {
    let mut fields = values::borrowed(&link.pairs);
    fields.push((b"uid", uid));
    fields.extend(session.map(|session| (&b"session"[..], session)));
    link.bytes.clear();
    codec::write(&mut link.bytes, command, &mut fields)
}

/// Pushes what `write` wrote.
fn push_message(call: &mut Call, link: *mut Link, written: Result<(), Malformed>) -> NativeResult {
    match written {
        // SAFETY: the link is in use by this native alone; Lua copies the bytes.
        Ok(()) => unsafe {
            call.push_bytes(&(&(*link)).bytes);
            Ok(Outcome::Values(1))
        },
        Err(why) => Err(call.error(format_args!("bridge: a message cannot be written: {why}"))),
    }
}

/// `request(link, uid, command, fields, deadline)`: the message and its session, which is open now.
pub(super) fn request(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let uid = values::name(call, 2, "a uid")?;
        let command = command(call, 3)?;
        let deadline = u64::try_from(call.check_integer(5)?).unwrap_or(0);
        // SAFETY: the link is in use by this native alone; Lua runs in `read_fields` and at the end.
        unsafe {
            values::read_fields(call, 4, &raw mut (*link).pairs)?;
            let session = (&mut (*link)).ids.session();
            let text = session.to_string();
            let written = write(&mut *link, &*command, uid, Some(text.as_bytes()));
            drop(text);
            if written.is_ok() {
                if !(&mut (*link)).sessions.open(session, uid, &*command, deadline) {
                    let most = sessions::MOST;
                    return Err(call.error(format_args!("bridge: {most} requests are open")));
                }
                call.vm().block_bytes += REQUEST;
            }
            push_message(call, link, written)?;
            call.push_integer(i64::try_from(session).unwrap_or(0));
        }
        Ok(Outcome::Values(2))
    })
}

/// `notice(link, uid, command, fields)`: a message that wants no answer.
pub(super) fn notice(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let uid = values::name(call, 2, "a uid")?;
        let command = command(call, 3)?;
        // SAFETY: as above.
        unsafe {
            values::read_fields(call, 4, &raw mut (*link).pairs)?;
            let written = write(&mut *link, &*command, uid, None);
            push_message(call, link, written)
        }
    })
}

/// `answer(link, uid, command, session, fields, error, prefix, id)`: the answer to a request, which is
/// `rsp_` unless a prefix says otherwise.
pub(super) fn answer(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let uid = values::name(call, 2, "a uid")?;
        let command = command(call, 3)?;
        let session =
            if call.is_none_or_nil(4) { None } else { Some(values::name(call, 4, "a session")?) };
        let mut optional: [Option<*const [u8]>; 3] = [None; 3];
        for (place, index) in optional.iter_mut().zip(6..) {
            if !call.is_none_or_nil(index) {
                *place = Some(call.check_string(index)?);
            }
        }
        // SAFETY: as above; the texts stay on the stack.
        unsafe {
            values::read_fields(call, 5, &raw mut (*link).pairs)?;
            let [error, prefix, id] = optional.map(|text| text.map(|text| &*text));
            let pairs = &mut (*link).pairs;
            pairs.extend(error.map(|text| (b"error".to_vec(), text.to_vec())));
            pairs.extend(id.map(|text| (b"id".to_vec(), text.to_vec())));
            let prefix = prefix.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("rsp_");
            let command = about(prefix, &*command);
            let written = write(&mut *link, &command, uid, session);
            drop(command);
            push_message(call, link, written)
        }
    })
}

/// `close(link, session)`: forgets an open request; true if it was open.
pub(super) fn close(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let session = u64::try_from(call.check_integer(2)?).unwrap_or(0);
        // SAFETY: as above.
        let closed = unsafe { (&mut (*link)).sessions.close(session) };
        if closed {
            call.vm().block_bytes -= REQUEST;
        }
        call.answer_boolean(closed)
    })
}

/// `expire(link, now)`: closes a request whose time is up; its session, or nil.
pub(super) fn expire(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let now = u64::try_from(call.check_integer(2)?).unwrap_or(0);
        // SAFETY: as above.
        let Some(session) = (unsafe { (&mut (*link)).sessions.expire(now) }) else {
            return call.answer_nil();
        };
        call.vm().block_bytes -= REQUEST;
        call.answer_integer(i64::try_from(session).unwrap_or(0))
    })
}

/// `open(link)`: how many requests are open.
pub(super) fn open(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        // SAFETY: as above.
        let count = unsafe { (&(*link)).sessions.len() };
        call.answer_integer(i64::try_from(count).unwrap_or(0))
    })
}

/// `session(link)`: the session of something that is not waited for by it.
pub(super) fn session(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        // SAFETY: as above.
        let session = unsafe { (&mut (*link)).ids.session() };
        call.answer_integer(i64::try_from(session).unwrap_or(0))
    })
}

/// `id(link)`: the id of a new transfer.
pub(super) fn id(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        // SAFETY: as above.
        unsafe {
            (*link).bytes = (&mut (*link)).ids.transfer();
            call.push_bytes(&(&(*link)).bytes);
        }
        Ok(Outcome::Values(1))
    })
}

/// Notes the fields of a message that are not the bridge's.
fn keep_fields(pairs: &mut Pairs, message: &Parsed<'_>, own: &[&[u8]]) {
    pairs.clear();
    let others = message.fields().filter(|(name, _)| !own.contains(name));
    pairs.extend(others.map(|(name, value)| (name.to_vec(), value.into_owned())));
}

/// Pushes the value of a field, or nil.
fn push_field(call: &mut Call, link: *mut Link, message: &[u8], name: &[u8]) {
    // SAFETY: the link is in use by this native alone; nothing with a destructor is alive in the push.
    unsafe {
        let found = codec::parse(message)
            .ok()
            .and_then(|parsed| parsed.field(name).map(|value| (*link).bytes = value.into_owned()));
        match found {
            Some(()) => call.push_bytes(&(&(*link)).bytes),
            None => call.push_nil(),
        }
    }
}

/// What came in.
enum Kind {
    Answer(u64),
    Word,
    Request,
}

/// `receive(link, bytes)`: what a message is: `"answer", session, fields`, `"request", command, uid, fields,
/// session, id, member` or, of what answers no open request, `"word", command, uid, fields, session, id`; nil and why it
/// is none.
pub(super) fn receive(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let bytes: *const [u8] = call.check_string(2)?;
        // SAFETY: the string stays on the stack; the link is in use by this native alone. What is
        // parsed is dropped before anything is pushed.
        let (bytes, kind) = unsafe {
            let bytes = &*bytes;
            let kind = take_apart(&mut *link, bytes);
            (bytes, kind.map_err(|why| (*link).bytes = why.into_bytes()))
        };
        match kind {
            Err(()) => {
                call.push_nil();
                // SAFETY: as above; Lua copies the text.
                unsafe { call.push_bytes(&(&(*link)).bytes) };
                Ok(Outcome::Values(2))
            }
            Ok(Kind::Answer(session)) => {
                call.vm().block_bytes -= REQUEST;
                call.push_bytes(b"answer");
                call.push_integer(i64::try_from(session).unwrap_or(0));
                // SAFETY: as above.
                values::push(call, unsafe { &raw const (*link).pairs });
                Ok(Outcome::Values(3))
            }
            Ok(kind) => {
                let request = matches!(kind, Kind::Request);
                call.push_bytes(if request { b"request" } else { b"word" });
                let end = memchr::memchr(b'@', bytes).unwrap_or(bytes.len());
                call.push_bytes(&bytes[..end]);
                push_field(call, link, bytes, b"uid");
                // SAFETY: as above.
                values::push(call, unsafe { &raw const (*link).pairs });
                push_field(call, link, bytes, b"session");
                push_field(call, link, bytes, b"id");
                if !request {
                    return Ok(Outcome::Values(6));
                }
                // SAFETY: as above.
                unsafe {
                    let member = codec::parse(bytes).and_then(|parsed| record::member(&parsed));
                    (*link).bytes = member.unwrap_or_default();
                    call.push_bytes(&(&(*link)).bytes);
                }
                Ok(Outcome::Values(7))
            }
        }
    })
}

/// Reads a message, matches it with the open requests, and notes its fields.
fn take_apart(link: &mut Link, bytes: &[u8]) -> Result<Kind, String> {
    let message = codec::parse(bytes).map_err(|why| why.to_string())?;
    let Some(uid) =
        message.field(b"uid").filter(|uid| (1..=codec::LONGEST_NAME).contains(&uid.len()))
    else {
        return Err("no uid, or one that is empty or too long".to_owned());
    };
    for name in [&b"session"[..], b"id"] {
        let length = message.field(name).map_or(1, |value| value.len());
        if !(1..=codec::LONGEST_NAME).contains(&length) {
            return Err(format!("field `{}` of {length} bytes", String::from_utf8_lossy(name)));
        }
    }
    if let Some(session) = message.field(b"session")
        && let Some(session) = link.sessions.answer(message.command, &uid, &session)
    {
        keep_fields(&mut link.pairs, &message, &[b"uid", b"session"]);
        return Ok(Kind::Answer(session));
    }
    keep_fields(&mut link.pairs, &message, &[b"uid", b"session", b"id"]);
    let word = [&b"rsp_"[..], b"ack_", b"nak_"];
    let word = word.iter().any(|prefix| message.command.starts_with(prefix));
    Ok(if word { Kind::Word } else { Kind::Request })
}

/// `member(link, bytes)`: command, fields, session and id of a stored member; nil and why it is none.
pub(super) fn member(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let bytes: *const [u8] = call.check_string(2)?;
        // SAFETY: as in `receive`.
        unsafe {
            let bytes = &*bytes;
            let parsed = codec::parse(bytes).map(|message| {
                keep_fields(&mut (*link).pairs, &message, &[b"uid", b"session", b"id"]);
            });
            if let Err(why) = parsed {
                call.push_nil();
                call.push_text(format_args!("{why}"));
                return Ok(Outcome::Values(2));
            }
            let end = memchr::memchr(b'@', bytes).unwrap_or(bytes.len());
            call.push_bytes(&bytes[..end]);
            values::push(call, &raw const (*link).pairs);
            push_field(call, link, bytes, b"session");
            push_field(call, link, bytes, b"id");
        }
        Ok(Outcome::Values(4))
    })
}

/// `record(link, bytes)`: state, giver, command, mode, time, amounts and session of a record; nil if it is none.
pub(super) fn record(call: &mut Call) -> NativeResult {
    with_link(call, |call, link| {
        let bytes: *const [u8] = call.check_string(2)?;
        // SAFETY: as in `receive`; the texts go through the link's buffer.
        unsafe {
            let Some((state, record)) = Record::parse_with_state(&*bytes) else {
                return call.answer_nil();
            };
            let Record { at, giver, command, mode, session, pairs } = record;
            let (ends, mut all) = ([giver.len(), giver.len() + command.len()], giver);
            all.extend_from_slice(&command);
            all.extend_from_slice(&session);
            (*link).bytes = all;
            (*link).pairs = pairs;
            drop((command, session));
            let all = &raw const (*link).bytes;
            call.push_bytes(state.name().as_bytes());
            call.push_bytes(&(&(*all))[..ends[0]]);
            call.push_bytes(&(&(*all))[ends[0]..ends[1]]);
            call.push_bytes(if mode == Mode::Pull { b"pull" } else { b"push" });
            call.push_integer(i64::try_from(at).unwrap_or(0));
            values::push(call, &raw const (*link).pairs);
            call.push_bytes(&(&(*all))[ends[1]..]);
        }
        Ok(Outcome::Values(7))
    })
}
