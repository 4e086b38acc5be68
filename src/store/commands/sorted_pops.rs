//! Sorted sets: taking the members with the lowest or highest scores.

use crate::store::Store;
use crate::store::blocking::{Wish, take_scores};
use crate::store::call::Call;
use crate::store::number::float_text;
use crate::store::reply::{Answer, NOT_POSITIVE, Reply, SYNTAX};
use crate::store::table::{BLOCKING, Command, FAST, Keys, MOVABLE, ONE, WRITE, command};
use crate::store::value::Sorted;

use super::list_moves::{count_behind, timeout};
use super::{counted_keys, natural};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("zpopmin", -2, WRITE | FAST, ONE, |call| pop(call, false)),
    command("zpopmax", -2, WRITE | FAST, ONE, |call| pop(call, true)),
    command("zmpop", -4, WRITE | MOVABLE, Keys::Counted(1), |call| zmpop(call, 1, None)),
    command("bzmpop", -5, WRITE | BLOCKING | MOVABLE, Keys::Counted(2), |call| {
        zmpop(call, 2, Some(1))
    }),
];

fn pop(call: &mut Call<'_>, highest: bool) -> Answer {
    let key = call.arg(1);
    if call.args.len() > 3 {
        return Err(SYNTAX);
    }
    let count = if call.args.len() == 3 { natural(call, 2, NOT_POSITIVE)? } else { 1 };
    let Some(sorted) = call.edit::<Sorted>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let taken = take_scores(sorted, highest, count);
    if !taken.is_empty() {
        call.changed(key);
    }
    let mut items = Vec::with_capacity(taken.len() * 2);
    for (member, score) in taken {
        items.push(Reply::Bulk(member.into()));
        items.push(Reply::Bulk(float_text(score)));
    }
    Ok(Reply::Array(items))
}

fn zmpop(call: &mut Call<'_>, at: usize, timeout_at: Option<usize>) -> Answer {
    let timeout = timeout_at.map(|at| timeout(call, at)).transpose()?;
    let (keys, behind) = counted_keys(call, at, SYNTAX)?;
    let highest = if call.is(behind, "min") {
        false
    } else if call.is(behind, "max") {
        true
    } else {
        return Err(SYNTAX);
    };
    let count = count_behind(call, behind + 1)?;
    Store::fulfil_first(call, keys, Wish::PopScores(highest, count), timeout)
}
