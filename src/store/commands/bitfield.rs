//! Strings as arrays of integers of any width (`BITFIELD`).

use crate::codec::resp::request::integer;
use crate::store::call::Call;
use crate::store::reply::{Answer, Failure, NO_INTEGER, Reply, SYNTAX};
use crate::store::table::{Command, DENYOOM, FAST, ONE, READONLY, WRITE, command};
use crate::store::value::Text;

use super::bits::{bit, put_bit};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("bitfield", -2, WRITE | DENYOOM, ONE, |call| bitfield(call, false)),
    command("bitfield_ro", -2, READONLY | FAST, ONE, |call| bitfield(call, true)),
];

const NO_TYPE: Failure = Failure::new(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
     i64 is.",
);
const NO_OFFSET: Failure = Failure::new("ERR bit offset is not an integer or out of range");
const NO_OVERFLOW: Failure = Failure::new("ERR Invalid OVERFLOW type specified");
const ONLY_GET: Failure = Failure::new("ERR BITFIELD_RO only supports the GET subcommand");

/// An integer within a string.
#[derive(Clone, Copy)]
struct Field {
    signed: bool,
    bits: u32,
    offset: u64,
}

#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

enum Work {
    Get,
    Set(i64),
    Increment(i64),
}

impl Field {
    fn parse(call: &Call<'_>, at: usize) -> Result<Self, Failure> {
        let (signed, digits) = match call.arg(at) {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(NO_TYPE),
        };
        let widest = if signed { 64 } else { 63 };
        let bits = integer(digits).filter(|bits| (1..=widest).contains(bits)).ok_or(NO_TYPE)?;
        let bits = u32::try_from(bits).map_err(|_| NO_TYPE)?;
        let text = call.arg(at + 1);
        let (text, unit) = text.strip_prefix(b"#").map_or((text, 1), |rest| (rest, bits.into()));
        let offset = integer(text).and_then(|offset| u64::try_from(offset).ok());
        let offset = offset.and_then(|offset| offset.checked_mul(unit)).ok_or(NO_OFFSET)?;
        let limit = u64::try_from(call.store.config.bulk_limit).unwrap_or_default() * 8;
        if offset < limit { Ok(Self { signed, bits, offset }) } else { Err(NO_OFFSET) }
    }

    fn read(self, bytes: &[u8]) -> i128 {
        let places = self.offset..self.offset + u64::from(self.bits);
        let value = places.fold(0_i128, |value, at| value << 1 | i128::from(bit(bytes, at)));
        let negative = self.signed && value >> (self.bits - 1) == 1;
        if negative { value - (1 << self.bits) } else { value }
    }

    fn write(self, bytes: &mut Vec<u8>, value: i128) {
        let end = self.offset + u64::from(self.bits);
        let needed = usize::try_from(end.div_ceil(8)).unwrap_or_default();
        if bytes.len() < needed {
            bytes.resize(needed, 0);
        }
        for (place, at) in (self.offset..end).rev().enumerate() {
            put_bit(bytes, at, value >> place & 1 == 1);
        }
    }

    /// The value as it fits, if it may.
    fn fit(self, value: i128, overflow: Overflow) -> Option<i128> {
        let span = 1_i128 << self.bits;
        let lowest = if self.signed { -(span / 2) } else { 0 };
        let highest = lowest + span - 1;
        if (lowest..=highest).contains(&value) {
            return Some(value);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(value.clamp(lowest, highest)),
            Overflow::Wrap => Some((value - lowest).rem_euclid(span) + lowest),
        }
    }
}

/// Reads what is to be done, one thing after the other.
fn plan(call: &Call<'_>, read_only: bool) -> Result<Vec<(Field, Work, Overflow)>, Failure> {
    let mut plan = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut at = 2;
    while at < call.args.len() {
        let left = call.args.len() - at - 1;
        let word = call.arg(at).to_ascii_uppercase();
        let work = match &*word {
            b"GET" if left >= 2 => Work::Get,
            b"SET" if left >= 3 => Work::Set(0),
            b"INCRBY" if left >= 3 => Work::Increment(0),
            b"OVERFLOW" if left >= 1 => {
                overflow = match &*call.arg(at + 1).to_ascii_uppercase() {
                    b"WRAP" => Overflow::Wrap,
                    b"SAT" => Overflow::Saturate,
                    b"FAIL" => Overflow::Fail,
                    _ => return Err(NO_OVERFLOW),
                };
                at += 2;
                continue;
            }
            _ => return Err(SYNTAX),
        };
        let field = Field::parse(call, at + 1)?;
        let value = |at: usize| integer(call.arg(at)).ok_or(NO_INTEGER);
        let work = match work {
            Work::Get => Work::Get,
            Work::Set(_) => Work::Set(value(at + 3)?),
            Work::Increment(_) => Work::Increment(value(at + 3)?),
        };
        at += if matches!(work, Work::Get) { 3 } else { 4 };
        plan.push((field, work, overflow));
    }
    if read_only && plan.iter().any(|(_, work, _)| !matches!(work, Work::Get)) {
        return Err(ONLY_GET);
    }
    Ok(plan)
}

fn bitfield(call: &mut Call<'_>, read_only: bool) -> Answer {
    let plan = plan(call, read_only)?;
    let key = call.arg(1);
    let writes = plan.iter().any(|(_, work, _)| !matches!(work, Work::Get));
    let mut bytes = call.read::<Text>(key)?.map_or(Vec::new(), |text| text.bytes().into_owned());
    if writes {
        // All fields that are written have room, also those whose value does not fit.
        let ends = plan.iter().filter(|(_, work, _)| !matches!(work, Work::Get));
        let end = ends.map(|(field, ..)| field.offset + u64::from(field.bits)).max().unwrap_or(0);
        let needed = usize::try_from(end.div_ceil(8)).unwrap_or_default();
        if bytes.len() < needed {
            bytes.resize(needed, 0);
        }
    }
    let mut replies = Vec::with_capacity(plan.len());
    for (field, work, overflow) in plan {
        let before = field.read(&bytes);
        let (wanted, shows_before) = match work {
            Work::Get => (None, true),
            Work::Set(value) => (Some(i128::from(value)), true),
            Work::Increment(by) => (Some(before + i128::from(by)), false),
        };
        let fitting = wanted.map(|wanted| field.fit(wanted, overflow));
        if let Some(Some(value)) = fitting {
            field.write(&mut bytes, value);
        }
        let shown = match fitting {
            Some(None) => None,
            Some(Some(value)) if !shows_before => Some(value),
            _ => Some(before),
        };
        let shown = shown.and_then(|value| i64::try_from(value).ok());
        replies.push(shown.map_or(Reply::Nil, Reply::Integer));
    }
    if writes {
        *call.make::<Text>(key)?.edit() = bytes;
        call.changed(key);
    }
    Ok(Reply::Array(replies))
}
