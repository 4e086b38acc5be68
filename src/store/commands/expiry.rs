//! The end of keys by time.
//!
//! Invariant: ends are written down in absolute time, so that a replay later means the same.

use crate::store::call::Call;
use crate::store::number::integer_text;
use crate::store::reply::{Answer, Failure, Reply};
use crate::store::table::{Command, FAST, ONE, READONLY, WRITE, command};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("expire", -3, WRITE | FAST, ONE, |call| expire(call, Unit::SECONDS)),
    command("pexpire", -3, WRITE | FAST, ONE, |call| expire(call, Unit::MILLISECONDS)),
    command("expireat", -3, WRITE | FAST, ONE, |call| expire(call, Unit::AT_SECONDS)),
    command("pexpireat", -3, WRITE | FAST, ONE, |call| expire(call, Unit::AT_MILLISECONDS)),
    command("ttl", 2, READONLY | FAST, ONE, |call| end(call, |end, now| (end - now + 500) / 1000)),
    command("pttl", 2, READONLY | FAST, ONE, |call| end(call, |end, now| end - now)),
    command("expiretime", 2, READONLY | FAST, ONE, |call| end(call, |end, _| (end + 500) / 1000)),
    command("pexpiretime", 2, READONLY | FAST, ONE, |call| end(call, |end, _| end)),
    command("persist", 2, WRITE | FAST, ONE, persist),
];

/// How a time is given.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    milliseconds: i64,
    absolute: bool,
}

impl Unit {
    /// Seconds from now.
    pub(super) const SECONDS: Self = Self { milliseconds: 1000, absolute: false };
    /// Milliseconds from now.
    pub(super) const MILLISECONDS: Self = Self { milliseconds: 1, absolute: false };
    /// Seconds since 1970.
    pub(super) const AT_SECONDS: Self = Self { milliseconds: 1000, absolute: true };
    /// Milliseconds since 1970.
    pub(super) const AT_MILLISECONDS: Self = Self { milliseconds: 1, absolute: true };
}

fn invalid(call: &Call<'_>) -> Failure {
    Failure::of(format!("ERR invalid expire time in '{}' command", call.name))
}

/// The time that an argument means, in milliseconds since 1970; it may be over.
fn time(call: &Call<'_>, at: usize, unit: Unit) -> Result<i64, Failure> {
    let value = call.integer(at)?;
    let milliseconds = value.checked_mul(unit.milliseconds).ok_or_else(|| invalid(call))?;
    if unit.absolute {
        return Ok(milliseconds);
    }
    let now = i64::try_from(call.store.keys.now).unwrap_or(i64::MAX);
    now.checked_add(milliseconds).ok_or_else(|| invalid(call))
}

/// The end that the argument of a command which sets a string means.
///
/// # Errors
/// When it is no positive number.
pub(super) fn end_of(call: &Call<'_>, at: usize, unit: Unit) -> Result<u64, Failure> {
    if call.integer(at)? <= 0 {
        return Err(invalid(call));
    }
    u64::try_from(time(call, at, unit)?).map_err(|_| invalid(call))
}

/// Sets the end of a key that is there; it is removed if its time is over already.
pub(super) fn set_end(call: &mut Call<'_>, key: &[u8], end: u64) {
    let db = call.db();
    if end <= call.store.keys.now && !call.store.keys.loading {
        call.remove(key);
        call.record(&[b"DEL", key]);
        return;
    }
    call.store.keys.set_end(db, key, Some(end));
    let end = integer_text(i64::try_from(end).unwrap_or(i64::MAX));
    call.record(&[b"PEXPIREAT", key, &end]);
}

fn expire(call: &mut Call<'_>, unit: Unit) -> Answer {
    let (mut absent, mut present, mut later, mut sooner) = (false, false, false, false);
    for option in call.rest(3) {
        match &*option.to_ascii_uppercase() {
            b"NX" => absent = true,
            b"XX" => present = true,
            b"GT" => later = true,
            b"LT" => sooner = true,
            _ => {
                return Err(Failure::of([b"ERR Unsupported option ", *option].concat()));
            }
        }
    }
    if absent && (present || later || sooner) {
        let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
        return Err(Failure::new(text));
    }
    if later && sooner {
        return Err(Failure::new("ERR GT and LT options at the same time are not compatible"));
    }
    let end = time(call, 2, unit)?;
    let key = call.arg(1);
    let Some(entry) = call.get(key) else { return Ok(Reply::Integer(0)) };
    let before = entry.expires;
    let end = u64::try_from(end).unwrap_or(0);
    // A key without an end is one with an end that never comes.
    let refused = absent && before.is_some()
        || present && before.is_none()
        || later && before.is_none_or(|before| end <= before)
        || sooner && before.is_some_and(|before| end >= before);
    if refused {
        return Ok(Reply::Integer(0));
    }
    set_end(call, key, end);
    Ok(Reply::Integer(1))
}

fn end(call: &mut Call<'_>, shown: fn(i64, i64) -> i64) -> Answer {
    let now = i64::try_from(call.store.keys.now).unwrap_or(i64::MAX);
    let Some(entry) = call.store.keys.peek(call.client.db, call.arg(1)) else {
        return Ok(Reply::Integer(-2));
    };
    let end = entry.expires.map(|end| i64::try_from(end).unwrap_or(i64::MAX));
    Ok(Reply::Integer(end.map_or(-1, |end| shown(end, now))))
}

fn persist(call: &mut Call<'_>) -> Answer {
    let (db, key) = (call.db(), call.arg(1));
    let ends = call.get(key).is_some_and(|entry| entry.expires.is_some());
    if ends {
        call.store.keys.set_end(db, key, None);
    }
    Ok(Reply::truth(ends))
}
