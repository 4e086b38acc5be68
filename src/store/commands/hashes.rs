//! Hashes.

use crate::codec::resp::request::integer;
use crate::store::call::Call;
use crate::store::number::integer_text;
use crate::store::reply::{Answer, Failure, OVERFLOW, Reply, SYNTAX};
use crate::store::table::{Command, DENYOOM, FAST, ONE, READONLY, WRITE, command};
use crate::store::value::Hash;

use super::sets::chosen;
use super::strings::sum;

const GROWS: u16 = WRITE | DENYOOM;
const READS: u16 = READONLY | FAST;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("hset", -4, GROWS | FAST, ONE, hset),
    command("hmset", -4, GROWS | FAST, ONE, hmset),
    command("hsetnx", 4, GROWS | FAST, ONE, hsetnx),
    command("hget", 3, READS, ONE, hget),
    command("hmget", -3, READS, ONE, hmget),
    command("hgetall", 2, READONLY, ONE, |call| list(call, true, true)),
    command("hkeys", 2, READONLY, ONE, |call| list(call, true, false)),
    command("hvals", 2, READONLY, ONE, |call| list(call, false, true)),
    command("hlen", 2, READS, ONE, hlen),
    command("hstrlen", 3, READS, ONE, hstrlen),
    command("hexists", 3, READS, ONE, hexists),
    command("hdel", -3, WRITE | FAST, ONE, hdel),
    command("hincrby", 4, GROWS | FAST, ONE, hincrby),
    command("hincrbyfloat", 4, GROWS | FAST, ONE, hincrbyfloat),
    command("hrandfield", -2, READONLY, ONE, hrandfield),
];

const NO_HASH_INTEGER: Failure = Failure::new("ERR hash value is not an integer");
const NO_HASH_FLOAT: Failure = Failure::new("ERR hash value is not a float");
const NOT_FINITE: Failure = Failure::new("ERR value is NaN or Infinity");

/// Sets the pairs of the arguments; gives how many fields are new.
fn set_pairs(call: &mut Call<'_>) -> Result<usize, Failure> {
    if !call.args.len().is_multiple_of(2) {
        return Err(call.arity());
    }
    let (key, pairs) = (call.arg(1), call.rest(2));
    let hash = call.make::<Hash>(key)?;
    let new = pairs.chunks_exact(2).filter(|pair| hash.insert(pair[0], pair[1])).count();
    call.changed(key);
    Ok(new)
}

fn hset(call: &mut Call<'_>) -> Answer {
    set_pairs(call).map(Reply::count)
}

fn hmset(call: &mut Call<'_>) -> Answer {
    set_pairs(call).map(|_| Reply::OK)
}

fn hsetnx(call: &mut Call<'_>) -> Answer {
    let (key, field) = (call.arg(1), call.arg(2));
    if call.read::<Hash>(key)?.is_some_and(|hash| hash.get(field).is_some()) {
        return Ok(Reply::Integer(0));
    }
    let value = call.arg(3);
    call.make::<Hash>(key)?.insert(field, value);
    call.changed(key);
    Ok(Reply::Integer(1))
}

fn hget(call: &mut Call<'_>) -> Answer {
    let field = call.arg(2);
    Ok(Reply::maybe(call.read::<Hash>(call.arg(1))?.and_then(|hash| hash.get(field))))
}

fn hmget(call: &mut Call<'_>) -> Answer {
    let fields = call.rest(2);
    let hash = call.read::<Hash>(call.arg(1))?;
    let value = |field: &&[u8]| Reply::maybe(hash.and_then(|hash| hash.get(field)));
    Ok(Reply::Array(fields.iter().map(value).collect()))
}

fn list(call: &mut Call<'_>, fields: bool, values: bool) -> Answer {
    let Some(hash) = call.read::<Hash>(call.arg(1))? else { return Ok(Reply::Array(Vec::new())) };
    let mut items = Vec::with_capacity(hash.len() * (usize::from(fields) + usize::from(values)));
    for (field, value) in hash.iter() {
        if fields {
            items.push(Reply::bulk(field));
        }
        if values {
            items.push(Reply::bulk(value));
        }
    }
    Ok(Reply::Array(items))
}

fn hlen(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.read::<Hash>(call.arg(1))?.map_or(0, Hash::len)))
}

fn hstrlen(call: &mut Call<'_>) -> Answer {
    let field = call.arg(2);
    let value = call.read::<Hash>(call.arg(1))?.and_then(|hash| hash.get(field));
    Ok(Reply::count(value.map_or(0, <[u8]>::len)))
}

fn hexists(call: &mut Call<'_>) -> Answer {
    let field = call.arg(2);
    let hash = call.read::<Hash>(call.arg(1))?;
    Ok(Reply::truth(hash.is_some_and(|hash| hash.get(field).is_some())))
}

fn hdel(call: &mut Call<'_>) -> Answer {
    let (key, fields) = (call.arg(1), call.rest(2));
    let Some(hash) = call.edit::<Hash>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = fields.iter().filter(|field| hash.remove(field)).count();
    if removed > 0 {
        call.changed(key);
    }
    Ok(Reply::count(removed))
}

fn hincrby(call: &mut Call<'_>) -> Answer {
    let (key, field, by) = (call.arg(1), call.arg(2), call.integer(3)?);
    let before = call.read::<Hash>(key)?.and_then(|hash| hash.get(field));
    let before = before.map_or(Some(0), integer).ok_or(NO_HASH_INTEGER)?;
    let value = before.checked_add(by).ok_or(OVERFLOW)?;
    call.make::<Hash>(key)?.insert(field, &integer_text(value));
    call.changed(key);
    Ok(Reply::Integer(value))
}

fn hincrbyfloat(call: &mut Call<'_>) -> Answer {
    let (key, field, by) = (call.arg(1), call.arg(2), call.arg(3));
    sum(b"0", by, NO_HASH_FLOAT).map_err(|failure| {
        // An infinite increment has a text of its own here.
        if crate::store::number::float(by).is_some() { NOT_FINITE } else { failure }
    })?;
    let before = call.read::<Hash>(key)?.and_then(|hash| hash.get(field));
    let value = sum(before.unwrap_or(b"0"), by, NO_HASH_FLOAT)?;
    call.make::<Hash>(key)?.insert(field, &value);
    call.changed(key);
    call.record(&[b"HSET", key, field, &value]);
    Ok(Reply::Bulk(value))
}

fn hrandfield(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    let with_values = call.args.len() == 4 && call.is(3, "withvalues");
    let count = if call.args.len() > 2 { Some(call.integer(2)?) } else { None };
    if call.args.len() > 4 || call.args.len() == 4 && !with_values {
        return Err(SYNTAX);
    }
    let Some(count) = count else {
        let length = call.read::<Hash>(key)?.map_or(0, Hash::len);
        let index = if length == 0 { 0 } else { call.store.random.below(length) };
        let field = call.read::<Hash>(key)?.and_then(|hash| hash.at(index));
        return Ok(Reply::maybe(field.map(|(field, _)| field)));
    };
    if count == i64::MIN || with_values && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(Failure::new("ERR value is out of range"));
    }
    let length = call.read::<Hash>(key)?.map_or(0, Hash::len);
    let places = chosen(call, count, length)?;
    let Some(hash) = call.read::<Hash>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let mut items = Vec::new();
    for (field, value) in places.into_iter().filter_map(|index| hash.at(index)) {
        items.push(Reply::bulk(field));
        if with_values {
            items.push(Reply::bulk(value));
        }
    }
    Ok(Reply::Array(items))
}
