//! Lists: taking from one of several, moving to another, and waiting for elements.

use crate::store::Store;
use crate::store::blocking::Wish;
use crate::store::call::Call;
use crate::store::number;
use crate::store::reply::{Answer, Failure, SYNTAX};
use crate::store::table::{
    BLOCKING, Command, DENYOOM, FAST, Keys, MOVABLE, NOSCRIPT, TWO, WRITE, command,
};
use crate::store::value::End;

use super::{counted_keys, positive};

const MOVES: u16 = WRITE | DENYOOM;
const WAITS: u16 = WRITE | NOSCRIPT | BLOCKING;
const BEFORE_TIMEOUT: Keys = Keys::Range(1, -2, 1);

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("lmove", 5, MOVES, TWO, |call| lmove(call, None)),
    command("rpoplpush", 3, MOVES, TWO, |call| rpoplpush(call, None)),
    command("lmpop", -4, WRITE | MOVABLE, Keys::Counted(1), |call| lmpop(call, 1, None)),
    command("blpop", -3, WAITS, BEFORE_TIMEOUT, |call| pop_first(call, Wish::Pop(End::Left))),
    command("brpop", -3, WAITS, BEFORE_TIMEOUT, |call| pop_first(call, Wish::Pop(End::Right))),
    command("blmove", 6, WAITS | DENYOOM, TWO, |call| lmove(call, Some(5))),
    command("brpoplpush", 4, WAITS | DENYOOM, TWO, |call| rpoplpush(call, Some(3))),
    command("blmpop", -5, WRITE | BLOCKING | MOVABLE, Keys::Counted(2), |call| {
        lmpop(call, 2, Some(1))
    }),
    command("bzpopmin", -3, WAITS | FAST, BEFORE_TIMEOUT, |call| {
        pop_first(call, Wish::PopScore(false))
    }),
    command("bzpopmax", -3, WAITS | FAST, BEFORE_TIMEOUT, |call| {
        pop_first(call, Wish::PopScore(true))
    }),
];

/// The time-out in the argument at `at`, in milliseconds; none is for ever.
///
/// # Errors
/// When it is none.
pub(super) fn timeout(call: &Call<'_>, at: usize) -> Result<Option<u64>, Failure> {
    const NO_TIMEOUT: Failure = Failure::new("ERR timeout is not a float or out of range");
    /// Seconds whose milliseconds still fit.
    const LONGEST: f64 = 9_223_372_036_854_775.0;
    let seconds = number::float(call.arg(at)).ok_or(NO_TIMEOUT)?;
    // What does not fit is said to be negative, as it is once C has converted it.
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(Failure::new("ERR timeout is negative"));
    }
    #[allow(clippy::cast_possible_truncation, reason = "it was compared with what fits")]
    #[allow(clippy::cast_sign_loss, reason = "it is not negative")]
    let milliseconds = (seconds * 1000.0).ceil() as u64;
    Ok((milliseconds != 0).then_some(milliseconds))
}

fn pop_first(call: &mut Call<'_>, wish: Wish) -> Answer {
    let last = call.args.len() - 1;
    let timeout = timeout(call, last)?;
    Store::fulfil_first(call, &call.args[1..last], wish, Some(timeout))
}

fn lmove(call: &mut Call<'_>, timeout_at: Option<usize>) -> Answer {
    let (from, to) = (End::parse(call.arg(3)), End::parse(call.arg(4)));
    let (Some(from), Some(to)) = (from, to) else { return Err(SYNTAX) };
    move_item(call, from, to, timeout_at)
}

fn rpoplpush(call: &mut Call<'_>, timeout_at: Option<usize>) -> Answer {
    move_item(call, End::Right, End::Left, timeout_at)
}

fn move_item(call: &mut Call<'_>, from: End, to: End, timeout_at: Option<usize>) -> Answer {
    let timeout = timeout_at.map(|at| timeout(call, at)).transpose()?;
    let wish = Wish::Move { destination: call.arg(2).into(), from, to };
    Store::fulfil_first(call, &call.args[1..2], wish, timeout)
}

/// What stands behind the keys: which end, and how many.
pub(super) fn count_behind(call: &Call<'_>, at: usize) -> Result<usize, Failure> {
    match call.args.len() - at {
        0 => Ok(1),
        2 if call.is(at, "count") => {
            positive(call, at + 1, Failure::new("ERR count should be greater than 0"))
        }
        _ => Err(SYNTAX),
    }
}

fn lmpop(call: &mut Call<'_>, at: usize, timeout_at: Option<usize>) -> Answer {
    let timeout = timeout_at.map(|at| timeout(call, at)).transpose()?;
    let (keys, behind) = counted_keys(call, at, SYNTAX)?;
    let end = call.args.get(behind).and_then(|word| End::parse(word)).ok_or(SYNTAX)?;
    let count = count_behind(call, behind + 1)?;
    Store::fulfil_first(call, keys, Wish::PopMany(end, count), timeout)
}
