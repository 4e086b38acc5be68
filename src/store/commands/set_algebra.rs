//! Sets: what several have in common, together, or apart.

use crate::store::call::Call;
use crate::store::reply::{Answer, Failure, Reply, SYNTAX};
use crate::store::table::{ALL, Command, DENYOOM, Keys, MOVABLE, READONLY, WRITE, command};
use crate::store::value::{Kind, Set};

use super::{counted_keys, natural};

const STORES: u16 = WRITE | DENYOOM;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("sinter", -2, READONLY, ALL, |call| list(call, inter)),
    command("sunion", -2, READONLY, ALL, |call| list(call, union)),
    command("sdiff", -2, READONLY, ALL, |call| list(call, diff)),
    command("sinterstore", -3, STORES, ALL, |call| store(call, inter)),
    command("sunionstore", -3, STORES, ALL, |call| store(call, union)),
    command("sdiffstore", -3, STORES, ALL, |call| store(call, diff)),
    command("sintercard", -3, READONLY | MOVABLE, Keys::Counted(1), sintercard),
];

type Algebra = fn(&[Option<&Set>]) -> Set;

/// The sets of these keys, to be looked at together.
fn sets<'a>(call: &'a mut Call<'_>, keys: &[&[u8]]) -> Result<Vec<Option<&'a Set>>, Failure> {
    for key in keys {
        call.read::<Set>(key)?;
    }
    let (keyspace, db) = (&call.store.keys, call.client.db);
    Ok(keys.iter().map(|key| Set::of(&keyspace.find(db, key)?.value)).collect())
}

fn inter(sets: &[Option<&Set>]) -> Set {
    let mut result = Set::default();
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<_>>>() else { return result };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return result };
    for member in smallest.iter() {
        if others.iter().all(|set| set.contains(&member)) {
            result.insert(&member);
        }
    }
    result
}

fn union(sets: &[Option<&Set>]) -> Set {
    let mut result = Set::default();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        result.insert(&member);
    }
    result
}

fn diff(sets: &[Option<&Set>]) -> Set {
    let mut result = Set::default();
    let Some((Some(first), others)) = sets.split_first() else { return result };
    for member in first.iter() {
        if !others.iter().flatten().any(|set| set.contains(&member)) {
            result.insert(&member);
        }
    }
    result
}

fn list(call: &mut Call<'_>, algebra: Algebra) -> Answer {
    let result = algebra(&sets(call, call.rest(1))?);
    Ok(Reply::Array(result.iter().map(Reply::bulk).collect()))
}

fn store(call: &mut Call<'_>, algebra: Algebra) -> Answer {
    let result = algebra(&sets(call, call.rest(2))?);
    let count = result.len();
    call.store_result(call.arg(1), result);
    Ok(Reply::count(count))
}

fn sintercard(call: &mut Call<'_>) -> Answer {
    let (keys, behind) = counted_keys(
        call,
        1,
        Failure::new("ERR Number of keys can't be greater than number of args"),
    )?;
    let mut limit = 0;
    for at in (behind..call.args.len()).step_by(2) {
        if !call.is(at, "limit") || at + 1 >= call.args.len() {
            return Err(SYNTAX);
        }
        limit = natural(call, at + 1, Failure::new("ERR LIMIT can't be negative"))?;
    }
    let count = inter(&sets(call, keys)?).len();
    Ok(Reply::count(if limit == 0 { count } else { count.min(limit) }))
}
