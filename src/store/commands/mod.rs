//! The commands, a file for each subject.
//!
//! Invariant: a command checks everything before it changes anything, so that one that fails has
//! changed nothing.

mod bitfield;
mod bits;
mod client;
mod connection;
mod expiry;
mod hashes;
mod keys;
mod lcs;
mod list_moves;
mod lists;
mod pubsub;
mod scan;
mod script;
mod server;
mod set_algebra;
mod sets;
mod sort;
mod sorted;
mod sorted_algebra;
mod sorted_pops;
mod sorted_range;
mod strings;
mod transactions;

use super::call::Call;
use super::reply::Failure;
use super::table::Command;

/// All of them.
pub(in crate::store) const ALL: &[&[Command]] = &[
    bitfield::COMMANDS,
    bits::COMMANDS,
    client::COMMANDS,
    connection::COMMANDS,
    expiry::COMMANDS,
    hashes::COMMANDS,
    keys::COMMANDS,
    lcs::COMMANDS,
    list_moves::COMMANDS,
    lists::COMMANDS,
    pubsub::COMMANDS,
    scan::COMMANDS,
    script::COMMANDS,
    server::COMMANDS,
    set_algebra::COMMANDS,
    sets::COMMANDS,
    sort::COMMANDS,
    sorted::COMMANDS,
    sorted_algebra::COMMANDS,
    sorted_pops::COMMANDS,
    sorted_range::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
];

/// The keys behind their number at `at`, and the place behind them.
///
/// # Errors
/// When the number is none, or there are fewer keys.
fn counted_keys<'a>(
    call: &Call<'a>,
    at: usize,
    too_many: Failure,
) -> Result<(&'a [&'a [u8]], usize), Failure> {
    const NO_COUNT: Failure = Failure::new("ERR numkeys should be greater than 0");
    let count = positive(call, at, NO_COUNT)?;
    let first = at + 1;
    let end = first.checked_add(count).filter(|end| *end <= call.args.len()).ok_or(too_many)?;
    Ok((&call.args[first..end], end))
}

/// The argument at `at` as a number of at least 1; whatever else it is, the error is `failure`.
fn positive(call: &Call<'_>, at: usize, failure: Failure) -> Result<usize, Failure> {
    natural(call, at, failure.clone())
        .and_then(|number| if number == 0 { Err(failure) } else { Ok(number) })
}

/// The argument at `at` as a number of at least 0; whatever else it is, the error is `failure`.
fn natural(call: &Call<'_>, at: usize, failure: Failure) -> Result<usize, Failure> {
    call.integer(at).ok().and_then(|number| usize::try_from(number).ok()).ok_or(failure)
}
