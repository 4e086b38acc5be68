//! Lists, one at a time and without waiting.

use crate::store::call::{Call, span};
use crate::store::reply::{
    Answer, Failure, NO_INDEX, NO_KEY, NOT_POSITIVE, Reply, SYNTAX, WRONG_TYPE,
};
use crate::store::table::{Command, DENYOOM, FAST, ONE, READONLY, WRITE, command};
use crate::store::value::{End, List};

use super::natural;

const GROWS: u16 = WRITE | DENYOOM;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("lpush", -3, GROWS | FAST, ONE, |call| push(call, End::Left, true)),
    command("rpush", -3, GROWS | FAST, ONE, |call| push(call, End::Right, true)),
    command("lpushx", -3, GROWS | FAST, ONE, |call| push(call, End::Left, false)),
    command("rpushx", -3, GROWS | FAST, ONE, |call| push(call, End::Right, false)),
    command("lpop", -2, WRITE | FAST, ONE, |call| pop(call, End::Left)),
    command("rpop", -2, WRITE | FAST, ONE, |call| pop(call, End::Right)),
    command("llen", 2, READONLY | FAST, ONE, llen),
    command("lindex", 3, READONLY, ONE, lindex),
    command("lset", 4, GROWS, ONE, lset),
    command("lrange", 4, READONLY, ONE, lrange),
    command("ltrim", 4, WRITE, ONE, ltrim),
    command("lrem", 4, WRITE, ONE, lrem),
    command("linsert", 5, GROWS, ONE, linsert),
    command("lpos", -3, READONLY, ONE, lpos),
];

fn push(call: &mut Call<'_>, end: End, makes: bool) -> Answer {
    let (key, items) = (call.arg(1), call.rest(2));
    if !makes && call.read::<List>(key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let list = call.make::<List>(key)?;
    items.iter().for_each(|item| list.push(end, item));
    let length = list.len();
    call.changed(key);
    Ok(Reply::count(length))
}

fn pop(call: &mut Call<'_>, end: End) -> Answer {
    let key = call.arg(1);
    if call.args.len() > 3 {
        return Err(call.arity());
    }
    let count = if call.args.len() == 3 { Some(natural(call, 2, NOT_POSITIVE)?) } else { None };
    let Some(list) = call.edit::<List>(key)? else {
        return Ok(if count.is_some() { Reply::NilArray } else { Reply::Nil });
    };
    let Some(count) = count else {
        let item = list.pop(end);
        call.changed(key);
        return Ok(item.map_or(Reply::Nil, |item| Reply::Bulk(item.into())));
    };
    if count == 0 {
        return Ok(Reply::Array(Vec::new()));
    }
    let count = count.min(list.len());
    let items: Vec<_> = (0..count).filter_map(|_| list.pop(end)).collect();
    call.changed(key);
    Ok(Reply::Array(items.into_iter().map(|item| Reply::Bulk(item.into())).collect()))
}

fn llen(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.read::<List>(call.arg(1))?.map_or(0, List::len)))
}

/// The place that an index means in a list of `length`, from its end if negative.
fn place(index: i64, length: usize) -> Option<usize> {
    let back = || usize::try_from(index.unsigned_abs()).ok().and_then(|b| length.checked_sub(b));
    let place = if index < 0 { back() } else { usize::try_from(index).ok() };
    place.filter(|place| *place < length)
}

fn lindex(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    if call.read::<List>(key)?.is_none() {
        return Ok(Reply::Nil);
    }
    let index = call.integer(2)?;
    let list = call.read::<List>(key)?;
    Ok(Reply::maybe(list.and_then(|list| list.get(place(index, list.len())?))))
}

fn lset(call: &mut Call<'_>) -> Answer {
    let (key, item) = (call.arg(1), call.arg(3));
    if call.read::<List>(key)?.is_none() {
        return Err(NO_KEY);
    }
    let index = call.integer(2)?;
    let list = call.edit::<List>(key)?.ok_or(NO_KEY)?;
    let place = place(index, list.len()).ok_or(NO_INDEX)?;
    list.set(place, item);
    call.changed(key);
    Ok(Reply::OK)
}

fn lrange(call: &mut Call<'_>) -> Answer {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    let Some(list) = call.read::<List>(call.arg(1))? else { return Ok(Reply::Array(Vec::new())) };
    let items = span(start, stop, list.len()).map(|(start, end)| list.range(start, end));
    Ok(Reply::Array(items.into_iter().flatten().map(Reply::bulk).collect()))
}

fn ltrim(call: &mut Call<'_>) -> Answer {
    let (key, start, stop) = (call.arg(1), call.integer(2)?, call.integer(3)?);
    if let Some(list) = call.edit::<List>(key)? {
        let (start, end) = span(start, stop, list.len()).unwrap_or((0, 0));
        list.trim(start, end);
        call.changed(key);
    }
    Ok(Reply::OK)
}

fn lrem(call: &mut Call<'_>) -> Answer {
    let (key, count, item) = (call.arg(1), call.integer(2)?, call.arg(3));
    let Some(list) = call.edit::<List>(key)? else { return Ok(Reply::Integer(0)) };
    let end = if count < 0 { End::Right } else { End::Left };
    let limit = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let removed = list.remove(item, end, if limit == 0 { usize::MAX } else { limit });
    if removed > 0 {
        call.changed(key);
    }
    Ok(Reply::count(removed))
}

fn linsert(call: &mut Call<'_>) -> Answer {
    let (key, pivot, item) = (call.arg(1), call.arg(3), call.arg(4));
    let behind = call.is(2, "after");
    if !behind && !call.is(2, "before") {
        return Err(SYNTAX);
    }
    let Some(list) = call.edit::<List>(key)? else { return Ok(Reply::Integer(0)) };
    let Some(found) = list.iter().position(|other| other == pivot) else {
        return Ok(Reply::Integer(-1));
    };
    list.insert(found + usize::from(behind), item);
    let length = list.len();
    call.changed(key);
    Ok(Reply::count(length))
}

const ZERO_RANK: Failure = Failure::new(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
     negative to start from the end of the list",
);

fn lpos(call: &mut Call<'_>) -> Answer {
    let (key, item) = (call.arg(1), call.arg(2));
    let (mut rank, mut count, mut longest) = (1_i64, None, 0);
    for at in (3..call.args.len()).step_by(2) {
        let has_value = at + 1 < call.args.len();
        if call.is(at, "rank") && has_value {
            rank = call.integer(at + 1)?;
            if rank == 0 {
                return Err(ZERO_RANK);
            }
        } else if call.is(at, "count") && has_value {
            count = Some(natural(call, at + 1, Failure::new("ERR COUNT can't be negative"))?);
        } else if call.is(at, "maxlen") && has_value {
            longest = natural(call, at + 1, Failure::new("ERR MAXLEN can't be negative"))?;
        } else {
            return Err(SYNTAX);
        }
    }
    let nothing = if count.is_some() { Reply::Array(Vec::new()) } else { Reply::Nil };
    let Some(entry) = call.get(key) else { return Ok(nothing) };
    let list = <List as crate::store::value::Kind>::of(&entry.value).ok_or(WRONG_TYPE)?;
    let length = list.len();
    let looked = if longest == 0 { length } else { longest.min(length) };
    let backward = rank < 0;
    // The lowest number has no positive counterpart, and Redis then skips nothing.
    let skipped = rank.checked_abs().map_or(0, |rank| rank - 1);
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let wanted = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let at = |step: usize| if backward { length - 1 - step } else { step };
    let found = (0..looked).map(at).filter(|place| list.get(*place) == Some(item));
    let found: Vec<Reply> = found.skip(skipped).take(wanted).map(Reply::count).collect();
    match count {
        Some(_) => Ok(Reply::Array(found)),
        None => Ok(found.into_iter().next().unwrap_or(Reply::Nil)),
    }
}
