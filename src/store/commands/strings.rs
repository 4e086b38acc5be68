//! Strings and counters.

use crate::codec::resp::request::integer;
use crate::store::call::{Call, span, words};
use crate::store::extended::Extended;
use crate::store::number::integer_text;
use crate::store::reply::{
    Answer, Failure, NO_FLOAT, NO_INTEGER, OVERFLOW, Reply, SYNTAX, WRONG_TYPE,
};
use crate::store::table::{ALL, Command, DENYOOM, FAST, Keys, ONE, READONLY, WRITE, command};
use crate::store::value::{Kind, Text};

use super::expiry::{Unit, end_of};

const GROWS: u16 = WRITE | DENYOOM;
const PAIRS: Keys = Keys::Range(1, -1, 2);

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("get", 2, READONLY | FAST, ONE, get),
    command("set", -3, GROWS, ONE, set),
    command("setnx", 3, GROWS | FAST, ONE, setnx),
    command("setex", 4, GROWS, ONE, setex),
    command("psetex", 4, GROWS, ONE, psetex),
    command("getset", 3, GROWS | FAST, ONE, getset),
    command("getex", -2, WRITE | FAST, ONE, getex),
    command("getdel", 2, WRITE | FAST, ONE, getdel),
    command("mget", -2, READONLY | FAST, ALL, mget),
    command("mset", -3, GROWS, PAIRS, mset),
    command("msetnx", -3, GROWS, PAIRS, msetnx),
    command("append", 3, GROWS | FAST, ONE, append),
    command("strlen", 2, READONLY | FAST, ONE, strlen),
    command("setrange", 4, GROWS, ONE, setrange),
    command("getrange", 4, READONLY, ONE, getrange),
    command("substr", 4, READONLY, ONE, getrange),
    command("incr", 2, GROWS | FAST, ONE, incr),
    command("decr", 2, GROWS | FAST, ONE, decr),
    command("incrby", 3, GROWS | FAST, ONE, incrby),
    command("decrby", 3, GROWS | FAST, ONE, decrby),
    command("incrbyfloat", 3, GROWS | FAST, ONE, incrbyfloat),
];

const NOT_FINITE: Failure = Failure::new("ERR increment would produce NaN or Infinity");
const NO_DECREMENT: Failure = Failure::new("ERR decrement would overflow");
const NEGATIVE_OFFSET: Failure = Failure::new("ERR offset is out of range");
/// A string would become too long.
pub(super) const TOO_LONG: Failure =
    Failure::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

fn value_of(call: &mut Call<'_>, key: &[u8]) -> Answer {
    Ok(call.read::<Text>(key)?.map_or(Reply::Nil, |text| Reply::bulk(text.bytes())))
}

fn get(call: &mut Call<'_>) -> Answer {
    value_of(call, call.arg(1))
}

/// The options of `SET` and `GETEX`.
#[derive(Default)]
struct Options {
    absent_only: bool,
    present_only: bool,
    get: bool,
    keep_end: bool,
    persist: bool,
    end: Option<u64>,
}

/// Reads them from `at` on.
fn options(call: &Call<'_>, at: usize, is_set: bool) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut time = None;
    let mut at = at;
    while at < call.args.len() {
        let word = call.arg(at).to_ascii_uppercase();
        let free = time.is_none() && !options.keep_end && !options.persist;
        let unit = match &*word {
            b"EX" => Some(Unit::SECONDS),
            b"PX" => Some(Unit::MILLISECONDS),
            b"EXAT" => Some(Unit::AT_SECONDS),
            b"PXAT" => Some(Unit::AT_MILLISECONDS),
            _ => None,
        };
        match (&*word, unit) {
            (b"NX", _) if is_set && !options.present_only => options.absent_only = true,
            (b"XX", _) if is_set && !options.absent_only => options.present_only = true,
            (b"GET", _) if is_set => options.get = true,
            (b"KEEPTTL", _) if is_set && time.is_none() => options.keep_end = true,
            (b"PERSIST", _) if !is_set && time.is_none() => options.persist = true,
            (_, Some(unit)) if free && at + 1 < call.args.len() => {
                time = Some((at + 1, unit));
                at += 1;
            }
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    if let Some((at, unit)) = time {
        options.end = Some(end_of(call, at, unit)?);
    }
    Ok(options)
}

fn set(call: &mut Call<'_>) -> Answer {
    let options = options(call, 3, true)?;
    let (key, value) = (call.arg(1), call.arg(2));
    let old = if options.get { Some(value_of(call, key)?) } else { None };
    let refused = (options.absent_only || options.present_only)
        && call.store.keys.contains(call.db(), key) == options.absent_only;
    if refused {
        return Ok(old.unwrap_or(Reply::Nil));
    }
    let end = if options.keep_end { end_before(call, key) } else { options.end };
    store(call, key, value, end);
    Ok(old.unwrap_or(Reply::OK))
}

fn end_before(call: &mut Call<'_>, key: &[u8]) -> Option<u64> {
    call.store.keys.peek(call.client.db, key).and_then(|entry| entry.expires)
}

/// Sets a string with an end in absolute time, and writes it down so.
fn store(call: &mut Call<'_>, key: &[u8], value: &[u8], end: Option<u64>) {
    let db = call.db();
    call.store.keys.set(db, key, Text::new(value).into(), end);
    if !call.store.journal.enabled {
        return;
    }
    match end {
        Some(end) => {
            let end = integer_text(i64::try_from(end).unwrap_or(i64::MAX));
            call.record(&[b"SET", key, value, b"PXAT", &end]);
        }
        None => call.record(&[b"SET", key, value]),
    }
}

fn setnx(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    if call.store.keys.contains(call.db(), key) {
        return Ok(Reply::Integer(0));
    }
    store(call, key, call.arg(2), None);
    Ok(Reply::Integer(1))
}

fn setex(call: &mut Call<'_>) -> Answer {
    set_for(call, Unit::SECONDS)
}

fn psetex(call: &mut Call<'_>) -> Answer {
    set_for(call, Unit::MILLISECONDS)
}

fn set_for(call: &mut Call<'_>, unit: Unit) -> Answer {
    let end = end_of(call, 2, unit)?;
    store(call, call.arg(1), call.arg(3), Some(end));
    Ok(Reply::OK)
}

fn getset(call: &mut Call<'_>) -> Answer {
    let old = value_of(call, call.arg(1))?;
    store(call, call.arg(1), call.arg(2), None);
    Ok(old)
}

fn getex(call: &mut Call<'_>) -> Answer {
    let options = options(call, 2, false)?;
    let key = call.arg(1);
    let value = value_of(call, key)?;
    if value == Reply::Nil {
        return Ok(value);
    }
    let db = call.db();
    if let Some(end) = options.end {
        super::expiry::set_end(call, key, end);
    } else if options.persist && end_before(call, key).is_some() {
        call.store.keys.set_end(db, key, None);
        call.record(&[b"PERSIST", key]);
    }
    Ok(value)
}

fn getdel(call: &mut Call<'_>) -> Answer {
    let value = value_of(call, call.arg(1))?;
    if call.remove(call.arg(1)) {
        call.record(&[b"DEL", call.arg(1)]);
    }
    Ok(value)
}

fn mget(call: &mut Call<'_>) -> Answer {
    let values = call.rest(1).iter().map(|key| {
        let text = call.get(key).and_then(|entry| Text::of(&entry.value));
        text.map_or(Reply::Nil, |text| Reply::bulk(text.bytes()))
    });
    Ok(Reply::Array(values.collect()))
}

fn mset(call: &mut Call<'_>) -> Answer {
    if call.args.len().is_multiple_of(2) {
        return Err(call.arity());
    }
    for pair in call.rest(1).chunks_exact(2) {
        call.set(pair[0], Text::new(pair[1]));
    }
    Ok(Reply::OK)
}

fn msetnx(call: &mut Call<'_>) -> Answer {
    if call.args.len().is_multiple_of(2) {
        return Err(call.arity());
    }
    let db = call.db();
    let mut keys = call.rest(1).iter().step_by(2);
    if keys.any(|key| call.store.keys.contains(db, key)) {
        return Ok(Reply::Integer(0));
    }
    mset(call)?;
    Ok(Reply::Integer(1))
}

/// Whether a string may have so many bytes.
pub(super) fn check_length(call: &Call<'_>, length: u64) -> Result<(), Failure> {
    if i64::try_from(length).is_ok_and(|length| length <= call.store.config.bulk_limit) {
        Ok(())
    } else {
        Err(TOO_LONG)
    }
}

fn append(call: &mut Call<'_>) -> Answer {
    let (key, more) = (call.arg(1), call.arg(2));
    let Some(length) = call.read::<Text>(key)?.map(Text::len) else {
        call.set(key, Text::new(more));
        return Ok(Reply::count(more.len()));
    };
    check_length(call, (length + more.len()) as u64)?;
    if let Some(text) = call.edit::<Text>(key)? {
        text.edit().extend_from_slice(more);
    }
    call.changed(key);
    Ok(Reply::count(length + more.len()))
}

fn strlen(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.read::<Text>(call.arg(1))?.map_or(0, Text::len)))
}

fn setrange(call: &mut Call<'_>) -> Answer {
    let (key, part) = (call.arg(1), call.arg(3));
    let offset = u64::try_from(call.integer(2)?).map_err(|_| NEGATIVE_OFFSET)?;
    let length = call.read::<Text>(key)?.map_or(0, Text::len);
    if part.is_empty() {
        return Ok(Reply::count(length));
    }
    check_length(call, offset.saturating_add(part.len() as u64))?;
    let offset = usize::try_from(offset).map_err(|_| TOO_LONG)?;
    let bytes = call.make::<Text>(key)?.edit();
    if bytes.len() < offset + part.len() {
        bytes.resize(offset + part.len(), 0);
    }
    bytes[offset..offset + part.len()].copy_from_slice(part);
    let length = bytes.len();
    call.changed(key);
    Ok(Reply::count(length))
}

fn getrange(call: &mut Call<'_>) -> Answer {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    let Some(text) = call.read::<Text>(call.arg(1))? else { return Ok(Reply::bulk("")) };
    let bytes = text.bytes();
    let part = span(start, stop, bytes.len()).map(|(start, end)| &bytes[start..end]);
    Ok(Reply::bulk(part.unwrap_or_default()))
}

fn incr(call: &mut Call<'_>) -> Answer {
    add(call, 1)
}

fn decr(call: &mut Call<'_>) -> Answer {
    add(call, -1)
}

fn incrby(call: &mut Call<'_>) -> Answer {
    add(call, call.integer(2)?)
}

fn decrby(call: &mut Call<'_>) -> Answer {
    let by = call.integer(2)?.checked_neg().ok_or(NO_DECREMENT)?;
    add(call, by)
}

fn add(call: &mut Call<'_>, by: i64) -> Answer {
    let key = call.arg(1);
    let Some(text) = call.edit::<Text>(key)? else {
        call.set(key, Text::counter(by));
        return Ok(Reply::Integer(by));
    };
    let before = text.integer().ok_or(NO_INTEGER)?;
    let value = before.checked_add(by).ok_or(OVERFLOW)?;
    *text = Text::counter(value);
    call.changed(key);
    Ok(Reply::Integer(value))
}

/// The sum of two floats as texts.
///
/// # Errors
/// When one is no float, which for the first of them is `failure`, or the sum is not finite.
pub(super) fn sum(before: &[u8], by: &[u8], failure: Failure) -> Result<Vec<u8>, Failure> {
    let is_infinite = |text: &[u8]| crate::store::number::float(text).is_some_and(f64::is_infinite);
    let read = |text: &[u8], failure: Failure| match integer(text) {
        Some(value) => Ok(Some(Extended::integer(value))),
        None if is_infinite(text) => Ok(None),
        None => Extended::parse(text).map(Some).ok_or(failure),
    };
    let (before, by) = (read(before, failure)?, read(by, NO_FLOAT)?);
    let (Some(before), Some(by)) = (before, by) else { return Err(NOT_FINITE) };
    Ok(before.plus(by).ok_or(NOT_FINITE)?.text())
}

fn incrbyfloat(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    let before = match call.get(key) {
        Some(entry) => Text::of(&entry.value).ok_or(WRONG_TYPE)?.bytes().into_owned(),
        None => b"0".to_vec(),
    };
    let value = sum(&before, call.arg(2), NO_FLOAT)?;
    let text = Text::plain(value.clone());
    match call.edit::<Text>(key)? {
        Some(place) => {
            *place = text;
            call.changed(key);
        }
        None => call.set(key, text),
    }
    call.record_all(vec![words(&[b"SET", key, &value, b"KEEPTTL"])]);
    Ok(Reply::Bulk(value))
}
