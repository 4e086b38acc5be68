//! Sorted sets: members and their scores.

use crate::store::call::Call;
use crate::store::number::{float, float_text};
use crate::store::reply::{Answer, Failure, NO_FLOAT, Reply, SYNTAX};
use crate::store::table::{Command, DENYOOM, FAST, ONE, READONLY, WRITE, command};
use crate::store::value::Sorted;

use super::sets::chosen;

const GROWS: u16 = WRITE | DENYOOM | FAST;
const READS: u16 = READONLY | FAST;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("zadd", -4, GROWS, ONE, |call| zadd(call, false)),
    command("zincrby", 4, GROWS, ONE, |call| zadd(call, true)),
    command("zrem", -3, WRITE | FAST, ONE, zrem),
    command("zscore", 3, READS, ONE, zscore),
    command("zmscore", -3, READS, ONE, zmscore),
    command("zcard", 2, READS, ONE, zcard),
    command("zrank", 3, READS, ONE, |call| zrank(call, false)),
    command("zrevrank", 3, READS, ONE, |call| zrank(call, true)),
    command("zrandmember", -2, READONLY, ONE, zrandmember),
];

/// The options of `ZADD`.
#[derive(Default)]
struct Options {
    absent_only: bool,
    present_only: bool,
    greater: bool,
    less: bool,
    changed: bool,
    increment: bool,
}

/// Reads them; gives where the scores begin.
fn options(call: &Call<'_>) -> (Options, usize) {
    let mut options = Options::default();
    for at in 2..call.args.len() {
        match &*call.arg(at).to_ascii_uppercase() {
            b"NX" => options.absent_only = true,
            b"XX" => options.present_only = true,
            b"GT" => options.greater = true,
            b"LT" => options.less = true,
            b"CH" => options.changed = true,
            b"INCR" => options.increment = true,
            _ => return (options, at),
        }
    }
    (options, call.args.len())
}

fn zadd(call: &mut Call<'_>, increments: bool) -> Answer {
    let (options, first) = if increments {
        (Options { increment: true, ..Options::default() }, 2)
    } else {
        options(call)
    };
    let pairs = call.rest(first);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(SYNTAX);
    }
    if options.absent_only && options.present_only {
        let text = "ERR XX and NX options at the same time are not compatible";
        return Err(Failure::new(text));
    }
    if options.greater && options.less || options.absent_only && (options.greater || options.less) {
        let text = "ERR GT, LT, and/or NX options at the same time are not compatible";
        return Err(Failure::new(text));
    }
    if options.increment && pairs.len() > 2 {
        return Err(Failure::new("ERR INCR option supports a single increment-element pair"));
    }
    let score = |pair: &[&[u8]]| float(pair[0]).ok_or(NO_FLOAT);
    let scores: Vec<f64> = pairs.chunks_exact(2).map(score).collect::<Result<_, _>>()?;
    let key = call.arg(1);
    if call.read::<Sorted>(key)?.is_none() && options.present_only {
        return Ok(if options.increment { Reply::Nil } else { Reply::Integer(0) });
    }
    let sorted = call.make::<Sorted>(key)?;
    let (mut added, mut updated, mut processed) = (0, 0, None);
    let mut failure = None;
    for (pair, given) in pairs.chunks_exact(2).zip(scores) {
        let before = sorted.score(pair[1]);
        let wanted = match before {
            Some(before) if options.increment => before + given,
            _ => given,
        };
        if wanted.is_nan() {
            failure = Some(Failure::new("ERR resulting score is not a number (NaN)"));
            break;
        }
        let refused = match before {
            None => options.present_only,
            Some(before) => {
                options.absent_only
                    || options.greater && wanted <= before
                    || options.less && wanted >= before
            }
        };
        if refused {
            continue;
        }
        sorted.insert(pair[1], wanted);
        processed = Some(wanted);
        match before {
            None => added += 1,
            Some(before) => updated += usize::from(before != wanted),
        }
    }
    if added + updated > 0 {
        call.changed(key);
    }
    match (failure, options.increment) {
        (Some(failure), _) => Err(failure),
        (None, true) => Ok(Reply::maybe(processed.map(float_text))),
        (None, false) => Ok(Reply::count(if options.changed { added + updated } else { added })),
    }
}

fn zrem(call: &mut Call<'_>) -> Answer {
    let (key, members) = (call.arg(1), call.rest(2));
    let Some(sorted) = call.edit::<Sorted>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = members.iter().filter(|member| sorted.remove(member).is_some()).count();
    if removed > 0 {
        call.changed(key);
    }
    Ok(Reply::count(removed))
}

fn zscore(call: &mut Call<'_>) -> Answer {
    let member = call.arg(2);
    let score = call.read::<Sorted>(call.arg(1))?.and_then(|sorted| sorted.score(member));
    Ok(Reply::maybe(score.map(float_text)))
}

fn zmscore(call: &mut Call<'_>) -> Answer {
    let members = call.rest(2);
    let sorted = call.read::<Sorted>(call.arg(1))?;
    let score = |member: &&[u8]| {
        Reply::maybe(sorted.and_then(|sorted| sorted.score(member)).map(float_text))
    };
    Ok(Reply::Array(members.iter().map(score).collect()))
}

fn zcard(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.read::<Sorted>(call.arg(1))?.map_or(0, Sorted::len)))
}

fn zrank(call: &mut Call<'_>, from_highest: bool) -> Answer {
    let member = call.arg(2);
    let Some(sorted) = call.read::<Sorted>(call.arg(1))? else { return Ok(Reply::Nil) };
    let rank = sorted.rank(member);
    let rank = rank.map(|rank| if from_highest { sorted.len() - 1 - rank } else { rank });
    Ok(rank.map_or(Reply::Nil, Reply::count))
}

fn zrandmember(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1);
    let with_scores = call.args.len() == 4 && call.is(3, "withscores");
    let count = if call.args.len() > 2 { Some(call.integer(2)?) } else { None };
    if call.args.len() > 4 || call.args.len() == 4 && !with_scores {
        return Err(SYNTAX);
    }
    if count.is_some_and(|count| {
        count == i64::MIN || with_scores && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2
    }) {
        return Err(Failure::new("ERR value is out of range"));
    }
    let length = call.read::<Sorted>(key)?.map_or(0, Sorted::len);
    let places = chosen(call, count.unwrap_or(-1), length)?;
    let mut items = Vec::new();
    if let Some(sorted) = call.read::<Sorted>(key)? {
        for (member, score) in places.into_iter().filter_map(|place| sorted.at(place)) {
            items.push(Reply::bulk(member));
            if with_scores {
                items.push(Reply::Bulk(float_text(score)));
            }
        }
    }
    match count {
        Some(_) => Ok(Reply::Array(items)),
        None => Ok(items.pop().unwrap_or(Reply::Nil)),
    }
}
