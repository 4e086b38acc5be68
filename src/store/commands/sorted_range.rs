//! Sorted sets: parts by rank, by score, by name.

use crate::store::call::{Call, span};
use crate::store::number::{bound, float_text};
use crate::store::reply::{Answer, Failure, Reply, SYNTAX};
use crate::store::table::{Command, DENYOOM, FAST, ONE, READONLY, TWO, WRITE, command};
use crate::store::value::{Ranked, Sorted};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("zrange", -4, READONLY, ONE, |call| zrange(call, None)),
    command("zrevrange", -4, READONLY, ONE, |call| zrange(call, Some((By::Rank, true)))),
    command("zrangebyscore", -4, READONLY, ONE, |call| zrange(call, Some((By::Score, false)))),
    command("zrevrangebyscore", -4, READONLY, ONE, |call| zrange(call, Some((By::Score, true)))),
    command("zrangebylex", -4, READONLY, ONE, |call| zrange(call, Some((By::Name, false)))),
    command("zrevrangebylex", -4, READONLY, ONE, |call| zrange(call, Some((By::Name, true)))),
    command("zrangestore", -5, WRITE | DENYOOM, TWO, zrangestore),
    command("zcount", 4, READONLY | FAST, ONE, |call| count(call, By::Score)),
    command("zlexcount", 4, READONLY | FAST, ONE, |call| count(call, By::Name)),
    command("zremrangebyrank", 4, WRITE, ONE, |call| remove(call, By::Rank)),
    command("zremrangebyscore", 4, WRITE, ONE, |call| remove(call, By::Score)),
    command("zremrangebylex", 4, WRITE, ONE, |call| remove(call, By::Name)),
];

/// What the ends of a range are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Name,
}

/// The lower and upper end of a range.
enum Range {
    Ranks(i64, i64),
    Scores((f64, bool), (f64, bool)),
    Names(Name, Name),
}

/// The end of a range by name.
enum Name {
    Lowest,
    Highest,
    /// A name; whether it is left out itself.
    At(Vec<u8>, bool),
}

fn score(text: &[u8]) -> Result<(f64, bool), Failure> {
    const NO_BOUND: Failure = Failure::new("ERR min or max is not a float");
    let (text, without) = text.strip_prefix(b"(").map_or((text, false), |rest| (rest, true));
    bound(text).map(|score| (score, without)).ok_or(NO_BOUND)
}

fn name(text: &[u8]) -> Result<Name, Failure> {
    const NO_BOUND: Failure = Failure::new("ERR min or max not valid string range item");
    match text {
        b"-" => Ok(Name::Lowest),
        b"+" => Ok(Name::Highest),
        [b'[', rest @ ..] => Ok(Name::At(rest.to_vec(), false)),
        [b'(', rest @ ..] => Ok(Name::At(rest.to_vec(), true)),
        _ => Err(NO_BOUND),
    }
}

impl Range {
    fn parse(call: &Call<'_>, by: By, low: usize, high: usize) -> Result<Self, Failure> {
        match by {
            By::Rank => Ok(Self::Ranks(call.integer(low)?, call.integer(high)?)),
            By::Score => Ok(Self::Scores(score(call.arg(low))?, score(call.arg(high))?)),
            By::Name => Ok(Self::Names(name(call.arg(low))?, name(call.arg(high))?)),
        }
    }

    /// The ranks from the first one to before the second.
    fn ranks(&self, sorted: &Sorted, from_highest: bool) -> (usize, usize) {
        let order = sorted.order();
        let (start, end) = match self {
            Self::Ranks(start, stop) => {
                let (start, end) = span(*start, *stop, sorted.len()).unwrap_or((0, 0));
                let length = sorted.len();
                if from_highest { (length - end, length - start) } else { (start, end) }
            }
            Self::Scores((low, without_low), (high, without_high)) => (
                order.rank_by(|e| if *without_low { e.score <= *low } else { e.score < *low }),
                order.rank_by(|e| if *without_high { e.score < *high } else { e.score <= *high }),
            ),
            Self::Names(low, high) => {
                let start = order.rank_by(|entry| match low {
                    Name::Lowest => false,
                    Name::Highest => true,
                    Name::At(name, true) => *entry.member <= **name,
                    Name::At(name, false) => *entry.member < **name,
                });
                let end = order.rank_by(|entry| match high {
                    Name::Lowest => false,
                    Name::Highest => true,
                    Name::At(name, true) => *entry.member < **name,
                    Name::At(name, false) => *entry.member <= **name,
                });
                (start, end)
            }
        };
        (start, end.max(start))
    }
}

/// What a range command asks for.
struct Request {
    range: Range,
    from_highest: bool,
    with_scores: bool,
    offset: i64,
    limit: i64,
}

/// Reads the arguments from `at` on: two ends, then options. `fixed` says what the name of the
/// command says already.
fn request(
    call: &Call<'_>,
    at: usize,
    fixed: Option<(By, bool)>,
    stores: bool,
) -> Result<Request, Failure> {
    const NO_LIMIT: Failure = Failure::new(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
    );
    const NO_SCORES: Failure =
        Failure::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    let (mut by, mut from_highest) = fixed.unzip();
    let (mut with_scores, mut offset, mut limit, mut limited) = (false, 0, -1, false);
    let mut option = at + 2;
    while option < call.args.len() {
        if !stores && call.is(option, "withscores") {
            with_scores = true;
        } else if call.is(option, "limit") && option + 2 < call.args.len() {
            (offset, limit, limited) = (call.integer(option + 1)?, call.integer(option + 2)?, true);
            option += 2;
        } else if from_highest.is_none() && call.is(option, "rev") {
            from_highest = Some(true);
        } else if by.is_none() && call.is(option, "byscore") {
            by = Some(By::Score);
        } else if by.is_none() && call.is(option, "bylex") {
            by = Some(By::Name);
        } else {
            return Err(SYNTAX);
        }
        option += 1;
    }
    let (by, from_highest) = (by.unwrap_or(By::Rank), from_highest.unwrap_or(false));
    if limited && limit != -1 && by == By::Rank {
        return Err(NO_LIMIT);
    }
    if with_scores && by == By::Name {
        return Err(NO_SCORES);
    }
    let swapped = from_highest && by != By::Rank;
    let (low, high) = if swapped { (at + 1, at) } else { (at, at + 1) };
    let range = Range::parse(call, by, low, high)?;
    Ok(Request { range, from_highest, with_scores, offset, limit })
}

impl Request {
    /// Gives each member asked for, in order.
    fn each(&self, sorted: &Sorted, take: impl FnMut(&Ranked)) {
        let (start, end) = self.range.ranks(sorted, self.from_highest);
        let Ok(offset) = usize::try_from(self.offset) else { return };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let entries = sorted.order();
        let length = (end - start).saturating_sub(offset).min(limit);
        if self.from_highest {
            let end = end.saturating_sub(offset).max(start);
            entries.range(end - length, end).rev().for_each(take);
        } else {
            let start = start.saturating_add(offset).min(end);
            entries.range(start, start + length).for_each(take);
        }
    }
}

fn zrange(call: &mut Call<'_>, fixed: Option<(By, bool)>) -> Answer {
    let request = request(call, 2, fixed, false)?;
    let mut items = Vec::new();
    if let Some(sorted) = call.read::<Sorted>(call.arg(1))? {
        request.each(sorted, |entry| {
            items.push(Reply::bulk(&entry.member));
            if request.with_scores {
                items.push(Reply::Bulk(float_text(entry.score)));
            }
        });
    }
    Ok(Reply::Array(items))
}

fn zrangestore(call: &mut Call<'_>) -> Answer {
    let request = request(call, 3, None, true)?;
    let mut result = Sorted::default();
    if let Some(sorted) = call.read::<Sorted>(call.arg(2))? {
        request.each(sorted, |entry| {
            result.insert(&entry.member, entry.score);
        });
    }
    let count = result.len();
    call.store_result(call.arg(1), result);
    Ok(Reply::count(count))
}

fn count(call: &mut Call<'_>, by: By) -> Answer {
    let range = Range::parse(call, by, 2, 3)?;
    let Some(sorted) = call.read::<Sorted>(call.arg(1))? else { return Ok(Reply::Integer(0)) };
    let (start, end) = range.ranks(sorted, false);
    Ok(Reply::count(end - start))
}

fn remove(call: &mut Call<'_>, by: By) -> Answer {
    let range = Range::parse(call, by, 2, 3)?;
    let key = call.arg(1);
    let Some(sorted) = call.edit::<Sorted>(key)? else { return Ok(Reply::Integer(0)) };
    let (start, end) = range.ranks(sorted, false);
    let members: Vec<_> = sorted.order().range(start, end).map(|e| e.member.clone()).collect();
    for member in &members {
        sorted.remove(member);
    }
    if !members.is_empty() {
        call.changed(key);
    }
    Ok(Reply::count(members.len()))
}
