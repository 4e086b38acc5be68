//! Strings as arrays of bits.

use crate::store::call::Call;
use crate::store::reply::{Answer, Failure, Reply, SYNTAX, WRONG_TYPE};
use crate::store::table::{Command, DENYOOM, FAST, Keys, ONE, READONLY, WRITE, command};
use crate::store::value::{Kind, Text};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("setbit", 4, WRITE | DENYOOM, ONE, setbit),
    command("getbit", 3, READONLY | FAST, ONE, getbit),
    command("bitcount", -2, READONLY, ONE, bitcount),
    command("bitpos", -3, READONLY, ONE, bitpos),
    command("bitop", -4, WRITE | DENYOOM, Keys::Range(2, -1, 1), bitop),
];

const NO_OFFSET: Failure = Failure::new("ERR bit offset is not an integer or out of range");
const NO_BIT: Failure = Failure::new("ERR bit is not an integer or out of range");
const ODD_BIT: Failure = Failure::new("ERR The bit argument must be 1 or 0.");
const ONE_SOURCE: Failure = Failure::new("ERR BITOP NOT must be called with a single source key.");

/// The place of a bit: its byte, and its place there from the top.
pub(super) fn bit_offset(call: &Call<'_>, at: usize) -> Result<u64, Failure> {
    let offset = call.integer(at).ok().and_then(|offset| u64::try_from(offset).ok());
    let limit = u64::try_from(call.store.config.bulk_limit).unwrap_or_default() * 8;
    offset.filter(|offset| *offset < limit).ok_or(NO_OFFSET)
}

/// The bit at `offset`.
pub(super) fn bit(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|index| bytes.get(index));
    byte.is_some_and(|byte| byte >> (7 - offset % 8) & 1 == 1)
}

/// Sets the bit at `offset`, for which there is room.
pub(super) fn put_bit(bytes: &mut [u8], offset: u64, value: bool) {
    let byte = usize::try_from(offset / 8).ok().and_then(|index| bytes.get_mut(index));
    if let Some(byte) = byte {
        let mask = 0x80 >> (offset % 8);
        *byte = if value { *byte | mask } else { *byte & !mask };
    }
}

fn setbit(call: &mut Call<'_>) -> Answer {
    let offset = bit_offset(call, 2)?;
    let value = match call.integer(3) {
        Ok(0) => false,
        Ok(1) => true,
        _ => return Err(NO_BIT),
    };
    let key = call.arg(1);
    let bytes = call.make::<Text>(key)?.edit();
    let before = bit(bytes, offset);
    let needed = usize::try_from(offset / 8 + 1).unwrap_or_default();
    if bytes.len() < needed {
        bytes.resize(needed, 0);
    }
    put_bit(bytes, offset, value);
    call.changed(key);
    Ok(Reply::truth(before))
}

fn getbit(call: &mut Call<'_>) -> Answer {
    let offset = bit_offset(call, 2)?;
    let text = call.read::<Text>(call.arg(1))?;
    Ok(Reply::truth(text.is_some_and(|text| bit(&text.bytes(), offset))))
}

/// The first and the last bit that the arguments from `at` on mean.
fn bits(call: &Call<'_>, at: usize, length: u64) -> Result<Option<(u64, u64)>, Failure> {
    let start = call.integer(at)?;
    let stop = if call.args.len() > at + 1 { call.integer(at + 1)? } else { -1 };
    let in_bits = match call.args.get(at + 2) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"bit") => true,
        Some(word) if word.eq_ignore_ascii_case(b"byte") => false,
        Some(_) => return Err(SYNTAX),
    };
    let unit = if in_bits { 1 } else { 8 };
    let units = usize::try_from(length * 8 / unit).unwrap_or(usize::MAX);
    // Two ends before the start are not moved to it when they are in the wrong order.
    if start < 0 && stop < 0 && start > stop {
        return Ok(None);
    }
    let total = i64::try_from(units).unwrap_or(i64::MAX);
    let clamp = |index: i64| if index < 0 { (index + total).max(0) } else { index };
    let (start, stop) = (clamp(start), clamp(stop).min(total - 1));
    if start > stop {
        return Ok(None);
    }
    let (start, stop) = (start.unsigned_abs(), stop.unsigned_abs());
    Ok(Some((start * unit, stop * unit + unit - 1)))
}

fn bitcount(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    let Some(entry) = call.get(key) else { return Ok(Reply::Integer(0)) };
    let text = Text::of(&entry.value).ok_or(WRONG_TYPE)?.bytes().into_owned();
    let (first, last) = match call.args.len() {
        2 if text.is_empty() => return Ok(Reply::Integer(0)),
        2 => (0, text.len() as u64 * 8 - 1),
        4 | 5 => match bits(call, 2, text.len() as u64)? {
            Some(bits) => bits,
            None => return Ok(Reply::Integer(0)),
        },
        _ => return Err(SYNTAX),
    };
    let whole = |byte: u64| usize::try_from(byte).unwrap_or_default();
    let (from, to) = (whole(first.div_ceil(8)), whole((last + 1) / 8));
    let mut count: u64 = 0;
    if from <= to {
        count += text[from..to].iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
        let edges = (first..(from as u64 * 8)).chain((to as u64 * 8)..=last);
        count += edges.map(|offset| u64::from(bit(&text, offset))).sum::<u64>();
    } else {
        count += (first..=last).map(|offset| u64::from(bit(&text, offset))).sum::<u64>();
    }
    Ok(Reply::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn bitpos(call: &mut Call<'_>) -> Answer {
    let wanted = match call.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(ODD_BIT),
    };
    let Some(entry) = call.get(call.arg(1)) else {
        return Ok(Reply::Integer(if wanted { -1 } else { 0 }));
    };
    let text = Text::of(&entry.value).ok_or(WRONG_TYPE)?.bytes().into_owned();
    let length = text.len() as u64;
    let (first, last) = match call.args.len() {
        3 if length == 0 => return Ok(Reply::Integer(-1)),
        3 => (0, length * 8 - 1),
        4..=6 => match bits(call, 3, length)? {
            Some(bits) => bits,
            None => return Ok(Reply::Integer(-1)),
        },
        _ => return Err(SYNTAX),
    };
    // Bytes without the bit are passed by as a whole.
    let (mut at, skipped) = (first, if wanted { 0 } else { 0xff });
    while at <= last {
        if at % 8 == 0 && text.get(usize::try_from(at / 8).unwrap_or_default()) == Some(&skipped) {
            at += 8;
        } else if bit(&text, at) == wanted {
            return Ok(Reply::Integer(i64::try_from(at).unwrap_or(i64::MAX)));
        } else {
            at += 1;
        }
    }
    // A string is followed by zeros without end, unless the end was given.
    let open = !wanted && call.args.len() <= 4;
    let end = i64::try_from(length * 8).unwrap_or(i64::MAX);
    Ok(Reply::Integer(if open { end } else { -1 }))
}

fn bitop(call: &mut Call<'_>) -> Answer {
    let operation = call.arg(1).to_ascii_uppercase();
    if !matches!(&*operation, b"AND" | b"OR" | b"XOR" | b"NOT") {
        return Err(SYNTAX);
    }
    let (destination, keys) = (call.arg(2), call.rest(3));
    if *operation == *b"NOT" && keys.len() != 1 {
        return Err(ONE_SOURCE);
    }
    let mut sources = Vec::with_capacity(keys.len());
    for key in keys {
        sources.push(call.read::<Text>(key)?.map_or(Vec::new(), |text| text.bytes().into_owned()));
    }
    let length = sources.iter().map(Vec::len).max().unwrap_or(0);
    for source in &mut sources {
        source.resize(length, 0);
    }
    let mut sources = sources.into_iter();
    let mut result = sources.next().unwrap_or_default();
    if *operation == *b"NOT" {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    for source in sources {
        for (byte, other) in result.iter_mut().zip(source) {
            match &*operation {
                b"AND" => *byte &= other,
                b"OR" => *byte |= other,
                _ => *byte ^= other,
            }
        }
    }
    if length == 0 {
        call.remove(destination);
    } else {
        call.set(destination, Text::plain(result));
    }
    Ok(Reply::count(length))
}
