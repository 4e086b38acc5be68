//! Keys and databases, whatever they hold.

use crate::codec::resp::request::integer;
use crate::store::call::Call;
use crate::store::config::DATABASES;
use crate::store::glob;
use crate::store::reply::{Answer, Failure, NO_INTEGER, NO_KEY, Reply, SYNTAX};
use crate::store::table::{
    ALL, Command, DENYOOM, FAST, Keys, ONE, READONLY, TWO, WRITE, command, container,
};
use crate::store::value::KEY_OVERHEAD;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("del", -2, WRITE, ALL, del),
    command("unlink", -2, WRITE | FAST, ALL, del),
    command("exists", -2, READONLY | FAST, ALL, exists),
    command("touch", -2, READONLY | FAST, ALL, exists),
    command("type", 2, READONLY | FAST, ONE, type_of),
    command("keys", 2, READONLY, Keys::None, keys),
    command("randomkey", 1, READONLY, Keys::None, randomkey),
    command("rename", 3, WRITE, TWO, rename),
    command("renamenx", 3, WRITE | FAST, TWO, renamenx),
    command("copy", -3, WRITE | DENYOOM, TWO, copy),
    command("move", 3, WRITE | FAST, ONE, move_key),
    command("dbsize", 1, READONLY | FAST, Keys::None, dbsize),
    command("flushdb", -1, WRITE, Keys::None, flushdb),
    command("flushall", -1, WRITE, Keys::None, flushall),
    command("swapdb", 3, WRITE | FAST, Keys::None, swapdb),
    container("object", OBJECT),
    container("memory", MEMORY),
];

const SECOND: Keys = Keys::Range(2, 2, 1);

const OBJECT: &[Command] = &[
    command("object|encoding", 3, READONLY, SECOND, encoding),
    command("object|refcount", 3, READONLY, SECOND, refcount),
    command("object|idletime", 3, READONLY, SECOND, idletime),
    command("object|freq", 3, READONLY, SECOND, freq),
];

const MEMORY: &[Command] = &[command("memory|usage", -3, READONLY, SECOND, usage)];

const NO_DB: Failure = Failure::new("ERR DB index is out of range");
const SAME: Failure = Failure::new("ERR source and destination objects are the same");
const NO_FREQUENCY: Failure = Failure::new(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
     when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

/// The database in the argument at `at`.
///
/// # Errors
/// `failure` if it is no number, another if there is no such database.
pub(super) fn database(call: &Call<'_>, at: usize, failure: Failure) -> Result<usize, Failure> {
    let number = integer(call.arg(at)).and_then(|number| i32::try_from(number).ok());
    let number = usize::try_from(number.ok_or(failure)?).map_err(|_| NO_DB)?;
    if number < DATABASES { Ok(number) } else { Err(NO_DB) }
}

fn del(call: &mut Call<'_>) -> Answer {
    let removed = call.rest(1).iter().filter(|key| call.remove(key)).count();
    Ok(Reply::count(removed))
}

fn exists(call: &mut Call<'_>) -> Answer {
    let db = call.db();
    let there = call.rest(1).iter().filter(|key| call.store.keys.contains(db, key)).count();
    Ok(Reply::count(there))
}

fn type_of(call: &mut Call<'_>) -> Answer {
    let entry = call.store.keys.peek(call.client.db, call.arg(1));
    Ok(Reply::Status(entry.map_or("none", |entry| entry.value.type_name()).into()))
}

fn keys(call: &mut Call<'_>) -> Answer {
    let (keyspace, pattern) = (&call.store.keys, call.arg(1));
    let all = keyspace.db(call.client.db).iter();
    let found = all.filter(|(key, entry)| glob::matches(pattern, key) && !keyspace.is_over(entry));
    Ok(Reply::Array(found.map(|(key, _)| Reply::bulk(key)).collect()))
}

fn randomkey(call: &mut Call<'_>) -> Answer {
    let db = call.db();
    loop {
        let length = call.store.keys.db(db).len();
        if length == 0 {
            return Ok(Reply::Nil);
        }
        let place = call.store.random.below(length);
        let Some((key, _)) = call.store.keys.db(db).at(place) else { return Ok(Reply::Nil) };
        let key = key.clone();
        // One that has ended goes away now.
        if call.store.keys.contains(db, &key) {
            return Ok(Reply::bulk(key));
        }
    }
}

fn rename(call: &mut Call<'_>) -> Answer {
    rename_to(call, false).map(|_| Reply::OK)
}

fn renamenx(call: &mut Call<'_>) -> Answer {
    rename_to(call, true)
}

fn rename_to(call: &mut Call<'_>, only_new: bool) -> Answer {
    let (db, from, to) = (call.db(), call.arg(1), call.arg(2));
    if !call.store.keys.contains(db, from) {
        return Err(NO_KEY);
    }
    if from == to {
        return Ok(Reply::truth(!only_new));
    }
    if only_new && call.store.keys.contains(db, to) {
        return Ok(Reply::Integer(0));
    }
    let (_, entry) = call.store.keys.take(db, from).ok_or(NO_KEY)?;
    call.store.keys.set(db, to, entry.value, entry.expires);
    Ok(Reply::Integer(1))
}

fn copy(call: &mut Call<'_>) -> Answer {
    let (db, from, to) = (call.db(), call.arg(1), call.arg(2));
    let (mut target, mut replaces) = (db, false);
    let mut at = 3;
    while at < call.args.len() {
        if call.is(at, "replace") {
            replaces = true;
        } else if call.is(at, "db") && at + 1 < call.args.len() {
            target = database(call, at + 1, NO_INTEGER)?;
            at += 1;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    if target == db && from == to {
        return Err(SAME);
    }
    let Some(entry) = call.get(from) else { return Ok(Reply::Integer(0)) };
    let (value, expires) = (entry.value.clone(), entry.expires);
    if !replaces && call.store.keys.contains(target, to) {
        return Ok(Reply::Integer(0));
    }
    call.store.keys.set(target, to, value, expires);
    Ok(Reply::Integer(1))
}

fn move_key(call: &mut Call<'_>) -> Answer {
    let (db, key) = (call.db(), call.arg(1));
    let target = database(call, 2, NO_INTEGER)?;
    if target == db {
        return Err(SAME);
    }
    if !call.store.keys.contains(db, key) || call.store.keys.contains(target, key) {
        return Ok(Reply::Integer(0));
    }
    if let Some((_, entry)) = call.store.keys.take(db, key) {
        call.store.keys.set(target, key, entry.value, entry.expires);
    }
    Ok(Reply::Integer(1))
}

fn dbsize(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.store.keys.db(call.client.db).len()))
}

/// `ASYNC` and `SYNC` say when memory is given back; here that is at once.
fn check_flush(call: &Call<'_>) -> Result<(), Failure> {
    match call.args.len() {
        1 => Ok(()),
        2 if call.is(1, "async") || call.is(1, "sync") => Ok(()),
        _ => Err(SYNTAX),
    }
}

fn flushdb(call: &mut Call<'_>) -> Answer {
    check_flush(call)?;
    let db = call.db();
    call.store.keys.clear(db);
    Ok(Reply::OK)
}

fn flushall(call: &mut Call<'_>) -> Answer {
    check_flush(call)?;
    for db in 0..call.store.keys.count() {
        call.store.keys.clear(db);
    }
    Ok(Reply::OK)
}

fn swapdb(call: &mut Call<'_>) -> Answer {
    let one = database(call, 1, Failure::new("ERR invalid first DB index"))?;
    let other = database(call, 2, Failure::new("ERR invalid second DB index"))?;
    call.store.keys.swap(one, other);
    Ok(Reply::OK)
}

fn encoding(call: &mut Call<'_>) -> Answer {
    let entry = call.store.keys.peek(call.client.db, call.arg(2));
    Ok(Reply::maybe(entry.map(|entry| entry.value.encoding())))
}

fn refcount(call: &mut Call<'_>) -> Answer {
    let entry = call.store.keys.peek(call.client.db, call.arg(2));
    Ok(entry.map_or(Reply::Nil, |_| Reply::Integer(1)))
}

fn idletime(call: &mut Call<'_>) -> Answer {
    let now = call.store.keys.now;
    let entry = call.store.keys.peek(call.client.db, call.arg(2));
    let idle = entry.map(|entry| now.saturating_sub(entry.used) / 1000);
    Ok(idle.map_or(Reply::Nil, |idle| Reply::Integer(i64::try_from(idle).unwrap_or(i64::MAX))))
}

fn freq(call: &mut Call<'_>) -> Answer {
    match call.store.keys.peek(call.client.db, call.arg(2)) {
        Some(_) => Err(NO_FREQUENCY),
        None => Ok(Reply::Nil),
    }
}

fn usage(call: &mut Call<'_>) -> Answer {
    // The number of samples asked for does not matter: nothing is estimated.
    match call.args.len() {
        3 => {}
        5 if call.is(3, "samples") => {
            if call.integer(4)? < 0 {
                return Err(SYNTAX);
            }
        }
        _ => return Err(SYNTAX),
    }
    let key = call.arg(2);
    let entry = call.store.keys.peek(call.client.db, key);
    let size = entry.map(|entry| KEY_OVERHEAD + key.len() + entry.value.memory());
    Ok(size.map_or(Reply::Nil, Reply::count))
}
