//! Sorted sets: what several have in common, together, or apart, with their scores combined.

use indexmap::IndexMap;

use crate::store::call::Call;
use crate::store::number::{float, float_text};
use crate::store::reply::{Answer, Failure, NO_INTEGER, Reply, SYNTAX, WRONG_TYPE};
use crate::store::table::{Command, DENYOOM, Keys, MOVABLE, READONLY, WRITE, command};
use crate::store::value::{Sorted, Value};

use super::natural;

const READS: u16 = READONLY | MOVABLE;
const STORES: u16 = WRITE | DENYOOM | MOVABLE;
const READ_KEYS: Keys = Keys::Counted(1);
const STORE_KEYS: Keys = Keys::Into(2);

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("zunion", -3, READS, READ_KEYS, |call| list(call, Algebra::Union)),
    command("zinter", -3, READS, READ_KEYS, |call| list(call, Algebra::Inter)),
    command("zdiff", -3, READS, READ_KEYS, |call| list(call, Algebra::Diff)),
    command("zunionstore", -4, STORES, STORE_KEYS, |call| store(call, Algebra::Union)),
    command("zinterstore", -4, STORES, STORE_KEYS, |call| store(call, Algebra::Inter)),
    command("zdiffstore", -4, STORES, STORE_KEYS, |call| store(call, Algebra::Diff)),
    command("zintercard", -3, READS, READ_KEYS, zintercard),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algebra {
    Union,
    Inter,
    Diff,
}

#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn combine(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number(one + other),
            Self::Min => one.min(other),
            Self::Max => one.max(other),
        }
    }
}

/// What is no number, such as the sum of two infinities, counts as 0.
fn number(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

type Members = Vec<(Box<[u8]>, f64)>;

/// The members of the keys behind their number at `at`, as far as there are such keys; and the
/// place behind them.
fn sources(call: &mut Call<'_>, at: usize) -> Result<(Vec<Members>, usize), Failure> {
    let count = call.integer(at)?;
    if count < 1 {
        let text = format!("ERR at least 1 input key is needed for '{}' command", call.name);
        return Err(Failure::of(text));
    }
    let count = usize::try_from(count).map_err(|_| NO_INTEGER)?;
    let end = (at + 1).checked_add(count).filter(|end| *end <= call.args.len()).ok_or(SYNTAX)?;
    let members = |call: &mut Call<'_>, key: &[u8]| match call.get(key).map(|entry| &entry.value) {
        None => Ok(Vec::new()),
        Some(Value::Set(set)) => Ok(set.iter().map(|m| (m.into_owned().into(), 1.0)).collect()),
        Some(Value::Sorted(sorted)) => {
            Ok(sorted.iter().map(|entry| ((*entry.member).into(), entry.score)).collect())
        }
        Some(_) => Err(WRONG_TYPE),
    };
    let keys = &call.args[at + 1..end];
    let sets = keys.iter().map(|key| members(call, key)).collect::<Result<_, _>>()?;
    Ok((sets, end))
}

/// Runs the command; gives the result and whether scores are to be shown.
fn run(
    call: &mut Call<'_>,
    at: usize,
    algebra: Algebra,
    stores: bool,
) -> Result<(Sorted, bool), Failure> {
    let (mut sets, behind) = sources(call, at)?;
    let mut weights = vec![1.0; sets.len()];
    let (mut aggregate, mut with_scores) = (Aggregate::Sum, false);
    let mut option = behind;
    while option < call.args.len() {
        let left = call.args.len() - option - 1;
        if algebra != Algebra::Diff && call.is(option, "weights") && left >= sets.len() {
            for (weight, text) in weights.iter_mut().zip(call.rest(option + 1)) {
                *weight = float(text).ok_or(Failure::new("ERR weight value is not a float"))?;
            }
            option += sets.len();
        } else if algebra != Algebra::Diff && call.is(option, "aggregate") && left >= 1 {
            aggregate = match &*call.arg(option + 1).to_ascii_uppercase() {
                b"SUM" => Aggregate::Sum,
                b"MIN" => Aggregate::Min,
                b"MAX" => Aggregate::Max,
                _ => return Err(SYNTAX),
            };
            option += 1;
        } else if !stores && call.is(option, "withscores") {
            with_scores = true;
        } else {
            return Err(SYNTAX);
        }
        option += 1;
    }
    for (set, weight) in sets.iter_mut().zip(weights) {
        set.iter_mut().for_each(|(_, score)| *score = number(*score * weight));
    }
    Ok((combine(sets, algebra, aggregate), with_scores))
}

fn combine(sets: Vec<Members>, algebra: Algebra, aggregate: Aggregate) -> Sorted {
    let count = sets.len();
    let mut all: IndexMap<Box<[u8]>, (f64, usize)> = IndexMap::new();
    for (index, set) in sets.into_iter().enumerate() {
        for (member, score) in set {
            match all.get_mut(&*member) {
                Some((total, seen)) => {
                    *total = aggregate.combine(*total, score);
                    *seen += 1;
                }
                // What is not in the first set has no part in what is common, nor in a difference.
                None if index > 0 && algebra != Algebra::Union => {}
                None => drop(all.insert(member, (score, 1))),
            }
        }
    }
    let mut result = Sorted::default();
    for (member, (score, seen)) in all {
        let kept = match algebra {
            Algebra::Union => true,
            Algebra::Inter => seen == count,
            Algebra::Diff => seen == 1,
        };
        if kept {
            result.insert(&member, score);
        }
    }
    result
}

fn list(call: &mut Call<'_>, algebra: Algebra) -> Answer {
    let (result, with_scores) = run(call, 1, algebra, false)?;
    let mut items = Vec::with_capacity(result.len());
    for entry in result.iter() {
        items.push(Reply::bulk(&entry.member));
        if with_scores {
            items.push(Reply::Bulk(float_text(entry.score)));
        }
    }
    Ok(Reply::Array(items))
}

fn store(call: &mut Call<'_>, algebra: Algebra) -> Answer {
    let (result, _) = run(call, 2, algebra, true)?;
    let count = result.len();
    call.store_result(call.arg(1), result);
    Ok(Reply::count(count))
}

fn zintercard(call: &mut Call<'_>) -> Answer {
    let (sets, behind) = sources(call, 1)?;
    let mut limit = 0;
    for at in (behind..call.args.len()).step_by(2) {
        if !call.is(at, "limit") || at + 1 >= call.args.len() {
            return Err(SYNTAX);
        }
        limit = natural(call, at + 1, Failure::new("ERR LIMIT can't be negative"))?;
    }
    let count = combine(sets, Algebra::Inter, Aggregate::Sum).len();
    Ok(Reply::count(if limit == 0 { count } else { count.min(limit) }))
}
