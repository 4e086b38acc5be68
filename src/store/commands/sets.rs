//! Sets, one at a time.

use crate::store::call::{Call, Words};
use crate::store::reply::{Answer, Failure, NOT_POSITIVE, Reply, SYNTAX};
use crate::store::table::{Command, DENYOOM, FAST, ONE, READONLY, TWO, WRITE, command};
use crate::store::value::Set;

use super::natural;

const READS: u16 = READONLY | FAST;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("sadd", -3, WRITE | DENYOOM | FAST, ONE, sadd),
    command("srem", -3, WRITE | FAST, ONE, srem),
    command("sismember", 3, READS, ONE, sismember),
    command("smismember", -3, READS, ONE, smismember),
    command("scard", 2, READS, ONE, scard),
    command("smembers", 2, READONLY, ONE, smembers),
    command("spop", -2, WRITE | FAST, ONE, spop),
    command("srandmember", -2, READONLY, ONE, srandmember),
    command("smove", 4, WRITE | FAST, TWO, smove),
];

/// Most elements of a reply that may name one element more than once.
const REPEATED: usize = 1 << 24;

fn sadd(call: &mut Call<'_>) -> Answer {
    let (key, members) = (call.arg(1), call.rest(2));
    let set = call.make::<Set>(key)?;
    let added = members.iter().filter(|member| set.insert(member)).count();
    if added > 0 {
        call.changed(key);
    }
    Ok(Reply::count(added))
}

fn srem(call: &mut Call<'_>) -> Answer {
    let (key, members) = (call.arg(1), call.rest(2));
    let Some(set) = call.edit::<Set>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = members.iter().filter(|member| set.remove(member)).count();
    if removed > 0 {
        call.changed(key);
    }
    Ok(Reply::count(removed))
}

fn sismember(call: &mut Call<'_>) -> Answer {
    let member = call.arg(2);
    let set = call.read::<Set>(call.arg(1))?;
    Ok(Reply::truth(set.is_some_and(|set| set.contains(member))))
}

fn smismember(call: &mut Call<'_>) -> Answer {
    let members = call.rest(2);
    let set = call.read::<Set>(call.arg(1))?;
    let is_in = |member: &&[u8]| Reply::truth(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(members.iter().map(is_in).collect()))
}

fn scard(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.read::<Set>(call.arg(1))?.map_or(0, Set::len)))
}

fn smembers(call: &mut Call<'_>) -> Answer {
    let set = call.read::<Set>(call.arg(1))?;
    Ok(Reply::Array(set.into_iter().flat_map(Set::iter).map(Reply::bulk).collect()))
}

/// Random places below `length`: `count` different ones, or if negative so many with repetitions.
///
/// # Errors
/// When so many repetitions would fill the memory.
pub(super) fn chosen(
    call: &mut Call<'_>,
    count: i64,
    length: usize,
) -> Result<Vec<usize>, Failure> {
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if length == 0 {
        return Ok(Vec::new());
    }
    let random = &mut call.store.random;
    if count < 0 {
        if size > REPEATED {
            return Err(Failure::new("ERR value is out of range"));
        }
        return Ok((0..size).map(|_| random.below(length)).collect());
    }
    let mut places: Vec<usize> = (0..length).collect();
    if size < length {
        for at in 0..size {
            let other = at + random.below(length - at);
            places.swap(at, other);
        }
        places.truncate(size);
    }
    Ok(places)
}

fn spop(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    if call.args.len() > 3 {
        return Err(SYNTAX);
    }
    let count = if call.args.len() == 3 { Some(natural(call, 2, NOT_POSITIVE)?) } else { None };
    let length = call.read::<Set>(key)?.map_or(0, Set::len);
    let wanted = count.unwrap_or(1).min(length);
    let places = chosen(call, i64::try_from(wanted).unwrap_or(i64::MAX), length)?;
    let mut taken: Vec<Vec<u8>> = Vec::with_capacity(wanted);
    if let Some(set) = call.edit::<Set>(key)? {
        taken.extend(places.iter().filter_map(|place| set.at(*place)).map(|m| m.into_owned()));
        for member in &taken {
            set.remove(member);
        }
    }
    if !taken.is_empty() {
        call.changed(key);
        let mut command: Words = vec![b"SREM".to_vec(), key.to_vec()];
        command.extend(taken.iter().cloned());
        call.record_all(vec![command]);
    }
    match count {
        Some(_) => Ok(Reply::Array(taken.into_iter().map(Reply::Bulk).collect())),
        None => Ok(taken.pop().map_or(Reply::Nil, Reply::Bulk)),
    }
}

fn srandmember(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    if call.args.len() > 3 {
        return Err(SYNTAX);
    }
    let count = if call.args.len() == 3 { Some(call.integer(2)?) } else { None };
    if count == Some(i64::MIN) {
        return Err(Failure::new(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ));
    }
    let length = call.read::<Set>(key)?.map_or(0, Set::len);
    let places = chosen(call, count.unwrap_or(-1), length)?;
    let set = call.read::<Set>(key)?;
    let members = set.map(|set| places.iter().filter_map(|place| set.at(*place)).map(Reply::bulk));
    let mut members: Vec<Reply> = members.into_iter().flatten().collect();
    match count {
        Some(_) => Ok(Reply::Array(members)),
        None => Ok(members.pop().unwrap_or(Reply::Nil)),
    }
}

fn smove(call: &mut Call<'_>) -> Answer {
    let (source, destination, member) = (call.arg(1), call.arg(2), call.arg(3));
    if call.read::<Set>(source)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    call.read::<Set>(destination)?;
    let there = call.read::<Set>(source)?.is_some_and(|set| set.contains(member));
    if !there || source == destination {
        return Ok(Reply::truth(there));
    }
    if let Some(set) = call.edit::<Set>(source)? {
        set.remove(member);
    }
    call.changed(source);
    call.make::<Set>(destination)?.insert(member);
    call.changed(destination);
    Ok(Reply::Integer(1))
}
