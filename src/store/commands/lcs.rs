//! `LCS`: the longest common subsequence of two strings.

use crate::store::call::Call;
use crate::store::reply::{Answer, Failure, Reply, SYNTAX};
use crate::store::table::{Command, READONLY, TWO, command};
use crate::store::value::Text;

use super::strings::check_length;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[command("lcs", -3, READONLY, TWO, lcs)];

const NO_STRINGS: Failure = Failure::new("ERR The specified keys must contain string values");
const BOTH: Failure =
    Failure::new("ERR If you want both the length and indexes, please just use IDX.");
const NO_MEMORY: Failure = Failure::new(
    "ERR Insufficient memory, transient memory for LCS exceeds \
     proto-max-bulk-len",
);

/// A run of bytes that both strings have: where it begins and ends in each.
type Run = ((usize, usize), (usize, usize));

fn lcs(call: &mut Call<'_>) -> Answer {
    let (first, second) = (call.arg(1), call.arg(2));
    let mut texts = Vec::new();
    for key in [first, second] {
        let text = call.read::<Text>(key).map_err(|_| NO_STRINGS)?;
        texts.push(text.map_or(Vec::new(), |text| text.bytes().into_owned()));
    }
    let (mut length_only, mut indexes, mut lengths, mut shortest) = (false, false, false, 0);
    let mut at = 3;
    while at < call.args.len() {
        if call.is(at, "len") {
            length_only = true;
        } else if call.is(at, "idx") {
            indexes = true;
        } else if call.is(at, "withmatchlen") {
            lengths = true;
        } else if call.is(at, "minmatchlen") && at + 1 < call.args.len() {
            shortest = usize::try_from(call.integer(at + 1)?).unwrap_or(0);
            at += 1;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    if length_only && indexes {
        return Err(BOTH);
    }
    let cells = (texts[0].len() as u64 + 1).saturating_mul(texts[1].len() as u64 + 1);
    check_length(call, cells.saturating_mul(4)).map_err(|_| NO_MEMORY)?;
    let (common, runs) = longest(&texts[0], &texts[1]);
    if length_only {
        return Ok(Reply::count(common.len()));
    }
    if !indexes {
        return Ok(Reply::Bulk(common));
    }
    let pair =
        |(start, end): (usize, usize)| Reply::Array(vec![Reply::count(start), Reply::count(end)]);
    let mut matches = Vec::new();
    for (one, other) in runs {
        let length = one.1 - one.0 + 1;
        if length >= shortest.max(1) {
            let mut entry = vec![pair(one), pair(other)];
            if lengths {
                entry.push(Reply::count(length));
            }
            matches.push(Reply::Array(entry));
        }
    }
    Ok(Reply::Array(vec![
        Reply::bulk("matches"),
        Reply::Array(matches),
        Reply::bulk("len"),
        Reply::count(common.len()),
    ]))
}

/// The subsequence, and its runs from the last to the first.
fn longest(one: &[u8], other: &[u8]) -> (Vec<u8>, Vec<Run>) {
    let width = other.len() + 1;
    let mut table = vec![0_u32; (one.len() + 1) * width];
    for i in 1..=one.len() {
        for j in 1..=other.len() {
            table[i * width + j] = if one[i - 1] == other[j - 1] {
                table[(i - 1) * width + j - 1] + 1
            } else {
                table[(i - 1) * width + j].max(table[i * width + j - 1])
            };
        }
    }
    let (mut i, mut j) = (one.len(), other.len());
    let (mut common, mut runs): (Vec<u8>, Vec<Run>) = (Vec::new(), Vec::new());
    while i > 0 && j > 0 {
        if one[i - 1] == other[j - 1] {
            common.push(one[i - 1]);
            match runs.last_mut() {
                Some(((start, _), (other_start, _))) if *start == i && *other_start == j => {
                    (*start, *other_start) = (i - 1, j - 1);
                }
                _ => runs.push(((i - 1, i - 1), (j - 1, j - 1))),
            }
            (i, j) = (i - 1, j - 1);
        } else if table[(i - 1) * width + j] > table[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    common.reverse();
    (common, runs)
}
