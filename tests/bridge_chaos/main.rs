//! The bridge with real processes, all of which are killed, cut off and held up: a fishing node, a
//! main-game node with a database of its own, the C++ peer, and redis-server with `appendfsync always`.
//!
//! At the end the faults stop, every player logs in everywhere, and then nothing may be open, the sum of
//! gold is what it was, and Redis' own log says that each transfer was decided and applied once.
//!
//! CHAOS_TRANSFERS (5000), CHAOS_PLAYERS (1000), CHAOS_SEED (random, printed), CHAOS_LOG (a folder that
//! keeps what the processes say). `make chaos` is the long form; its last line is the result.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what was done and found is the answer"
)]

mod audit;
#[path = "../process/port.rs"]
mod port;
mod processes;
mod proxy;
mod resp;

use std::env;
use std::str::FromStr;
use std::time::{Duration, Instant};

use processes::{Processes, Who};

/// Gold of each player at each of the two main games.
const GOLD: i64 = 1000;

/// How long the faults may go on without enough transfers.
const STUCK: Duration = Duration::from_secs(120);

/// How long it may take to settle all when the faults have ended.
const SETTLE: Duration = Duration::from_secs(180);

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A generator that gives the same for the same seed: SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn time(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}

/// How often each kind of fault came.
#[derive(Debug, Default)]
struct Faults {
    killed: [u32; 4],
    cut: u32,
    held: u32,
    swallowed: u32,
}

impl Faults {
    fn sum(&self) -> u32 {
        self.killed.iter().sum::<u32>() + self.cut + self.held + self.swallowed
    }
}

/// Does something bad, and mends what does not mend itself.
fn disturb(processes: &mut Processes, dice: &mut Dice, faults: &mut Faults) {
    match dice.below(100) {
        0..40 => {
            let who = [Who::Fishing, Who::Main, Who::Peer, Who::Redis][usize::try_from(
                [0, 0, 1, 1, 1, 2, 2, 2, 3][usize::try_from(dice.below(9)).unwrap()],
            )
            .unwrap()];
            processes.kill(who);
            faults.killed[who as usize] += 1;
            // So long it stays away.
            std::thread::sleep(dice.time(0, 200));
            processes.start(who);
        }
        40..65 => {
            processes.proxy(dice.below(3)).cut();
            faults.cut += 1;
        }
        65..85 => {
            let time = dice.time(20, 700);
            processes.proxy(dice.below(3)).hold(time);
            faults.held += 1;
        }
        _ => {
            let (direction, time) = (dice.below(2), dice.time(5, 100));
            processes.proxy(dice.below(3)).swallow(usize::try_from(direction).unwrap(), time);
            faults.swallowed += 1;
        }
    }
}

#[test]
fn no_gold_is_lost_or_doubled_whatever_breaks() {
    let wanted: i64 = setting("CHAOS_TRANSFERS", 5000);
    let players: i64 = setting("CHAOS_PLAYERS", 1000);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed: u64 = setting("CHAOS_SEED", u64::from(clock.subsec_nanos()));
    eprintln!("CHAOS_SEED={seed}");
    let mut dice = Dice(seed);
    let mut processes = Processes::new(players, seed);
    for player in 1..=players {
        let gold = GOLD.to_string();
        processes.ask(&["HSET", &format!("bridge:wallet:m:{player}"), "gold", &gold]);
        processes.ask(&["SELECT", "1"]);
        processes.ask(&["HSET", &format!("player:{player}"), "gold", &gold]);
        processes.ask(&["SELECT", "0"]);
    }
    for who in [Who::Main, Who::Peer, Who::Fishing] {
        processes.start(who);
    }

    let mut faults = Faults::default();
    let (mut moved, mut last) = (0, Instant::now());
    let start = Instant::now();
    while moved < wanted {
        // The pace of the faults: nothing is waited for.
        std::thread::sleep(dice.time(50, 500));
        disturb(&mut processes, &mut dice, &mut faults);
        let now = processes.number(&["GET", "chaos:transfers"]);
        if now > moved {
            (moved, last) = (now, Instant::now());
        }
        assert!(last.elapsed() < STUCK, "no transfer for {STUCK:?}; {faults:?}");
    }
    eprintln!("{moved} transfers in {:.0?}, {faults:?}", start.elapsed());

    processes.ask(&["SET", "chaos:stop", "1"]);
    let start = Instant::now();
    while processes.ask(&["BLPOP", "chaos:settled", "10"]).list().is_empty() {
        if start.elapsed() > SETTLE {
            break;
        }
    }
    eprintln!("settled after {:.1?}", start.elapsed());
    for who in [Who::Fishing, Who::Main, Who::Peer] {
        processes.kill(who);
    }

    let unsettled = processes.unsettled();
    let sum = processes.sum(players);
    let difference = sum - 2 * GOLD * players;
    let findings = processes.into_audit();
    for what in findings.doubled.iter().chain(&findings.lost).take(20) {
        eprintln!("{what}");
    }
    let lost = i64::try_from(findings.lost.len()).unwrap() + (-difference).max(0);
    let doubled = i64::try_from(findings.doubled.len()).unwrap() + difference.max(0);
    eprintln!("{} were stored, {} went back", findings.stored, findings.returned);
    // The test's own output: the makefile shows it as the last line.
    eprintln!(
        "CHAOS transfers={} faults={} lost={lost} doubled={doubled} unsettled={unsettled}",
        findings.transfers,
        faults.sum()
    );
    assert_eq!((lost, doubled, unsettled), (0, 0, 0));
}
