//! Every order of events that a bridge can meet: crashes, restarts, messages that are lost, doubled,
//! late or overtaken, steps whose answer is lost or that arrive after the connection, callbacks that
//! fail, at every moment, with a bounded number of faults.
//!
//! In each state that can be reached the sum is the same and no transfer is decided twice; from each
//! state in which nothing is under way, recovery settles all. The machines are those that the node
//! runs (`src/bridge`); the store does what the script does (`script.rs` compares them).
//!
//! Not here: Redis, processes and time (`tests/bridge_chaos`).

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]
#![allow(clippy::print_stderr, reason = "how much was looked at is part of the answer")]

#[path = "../process/port.rs"]
mod port;
#[path = "../bridge_chaos/resp.rs"]
mod resp;
mod script;
mod store;
mod world;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use node::bridge::step::Purse::{Own, Shared};
use store::Weakness;
use world::{Deed, Move, World};

/// States that a search may visit: above what the largest one here needs.
const MOST_STATES: usize = 30_000_000;

/// Visits all that can be reached; the number of states, or what is wrong and how it came to that.
fn explore(world: World) -> Result<usize, String> {
    // States by their hash: a collision of 64 bits would hide a state, once in a million searches.
    let mut seen = HashSet::new();
    seen.insert(hash(&world));
    let mut path: Vec<(World, Vec<Move>)> = Vec::new();
    let moves = world.moves();
    let mut made = Vec::new();
    path.push((world, moves));
    while let Some((world, moves)) = path.last_mut() {
        let Some(next) = moves.pop() else {
            path.pop();
            made.pop();
            continue;
        };
        made.push(next);
        let mut after = world.clone();
        after.make(next).map_err(|what| format!("{what}\nafter {made:?}"))?;
        if !seen.insert(hash(&after)) {
            made.pop();
            continue;
        }
        assert!(seen.len() < MOST_STATES, "the model has too many states");
        if after.is_quiet() {
            after.clone().finish().map_err(|what| format!("{what}\nat the end of {made:?}"))?;
        }
        let moves = after.moves();
        path.push((after, moves));
    }
    Ok(seen.len())
}

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// All four kinds of systems.
const PURSES: [[node::bridge::step::Purse; 2]; 4] =
    [[Shared, Shared], [Own, Shared], [Shared, Own], [Own, Own]];

/// How many faults a run may have: what a debug build walks through in seconds, and BRIDGE_FAULTS more.
/// One more makes a million states of the largest case, and takes a release build some minutes.
fn faults(few: u8) -> u8 {
    few + std::env::var("BRIDGE_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn holds(balances: &[[u64; 2]], todo: &[Deed], faults: u8) {
    for purses in PURSES {
        let world = World::new(purses, balances, todo, faults, Weakness::None);
        match explore(world) {
            Ok(states) => eprintln!("{purses:?} {todo:?}: {states} states, {faults} faults"),
            Err(what) => panic!("{purses:?}: {what}"),
        }
    }
}

#[test]
fn entering_moves_all_or_nothing() {
    holds(&[[0, 5]], &[Deed::Enter(0)], faults(2));
}

#[test]
fn leaving_moves_or_stores() {
    holds(&[[5, 0]], &[Deed::Leave(0, 5)], faults(2));
}

#[test]
fn leaving_with_a_login_in_between_moves_once() {
    holds(&[[5, 0]], &[Deed::Leave(0, 5), Deed::LogIn(0)], faults(2));
}

#[test]
fn entering_and_leaving_at_once_keeps_the_sum() {
    holds(&[[3, 5]], &[Deed::Enter(0), Deed::Leave(0, 3)], faults(0));
}

#[test]
fn entering_twice_at_once_keeps_the_sum() {
    holds(&[[0, 5]], &[Deed::Enter(0), Deed::Enter(0)], faults(0));
}

#[test]
fn leaving_twice_with_equal_amounts_moves_both() {
    holds(&[[10, 0]], &[Deed::Leave(0, 5), Deed::Leave(0, 5)], faults(0));
}

#[test]
fn two_players_do_not_disturb_each_other() {
    holds(&[[0, 5], [7, 0]], &[Deed::Enter(0), Deed::Leave(1, 7)], faults(0));
}

#[test]
fn each_protection_is_needed() {
    let enter = (&[[0, 5]][..], &[Deed::Enter(0)][..]);
    let leave = (&[[10, 0]][..], &[Deed::Leave(0, 5), Deed::LogIn(0)][..]);
    for (weakness, purses, (balances, todo)) in [
        (Weakness::NoFence, [Shared, Shared], leave),
        (Weakness::BlindReturn, [Shared, Shared], enter),
        (Weakness::BlindAccept, [Shared, Shared], enter),
        (Weakness::EarlyDelete, [Shared, Shared], enter),
        (Weakness::EarlyDelete, [Own, Shared], enter),
    ] {
        let world = World::new(purses, balances, todo, faults(2), weakness);
        let what = explore(world).expect_err("the model has to miss the protection");
        eprintln!("{weakness:?}: {}", what.lines().next().unwrap_or_default());
    }
}
