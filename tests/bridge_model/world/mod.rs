//! Two systems, a Redis, a network and what can go wrong, as one value that can be compared.
//!
//! Every choice is a `Move`; `World::moves` lists those that are possible, `World::make` makes one.
//! Not here: what a process does by itself (`world/process.rs`), what has to be so (`world/check.rs`).

mod check;
mod process;

use std::collections::BTreeMap;

use node::bridge::amount;
use node::bridge::giver::Giver;
use node::bridge::step::{Effect, Event, Pairs, Purse, Reply, Step};
use node::bridge::taker::Taker;

use crate::store::{Store, Weakness};

const COMMAND: &[u8] = b"req_mv";
const CURRENCY: &[u8] = b"gold";

/// Something a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// Player enters system 0: all that system 1 has is asked for.
    Enter(usize),
    /// Player leaves system 0 with so much.
    Leave(usize, u64),
    /// Player logs in at system 1.
    LogIn(usize),
}

/// Something that can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Move {
    Begin(usize),
    /// System, task: what the machine asked for is done.
    Do(usize, usize),
    /// The same, and its result is lost.
    DoUnheard(usize, usize),
    /// A step that is sent but not heard of, and may still be done later.
    Linger(usize, usize),
    /// A callback or step that fails without being done.
    Fail(usize, usize),
    Silence(usize, usize),
    Deliver(usize),
    Lose(usize),
    Double(usize),
    /// A step of an earlier connection arrives.
    Arrive(usize),
    Crash(usize),
    Restart(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Machine {
    /// Waits for the answer to its request.
    Asking(Vec<u8>),
    Giving(Giver),
    Taking(Taker),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Task {
    player: usize,
    id: Vec<u8>,
    /// Of the request that an answer is waited for.
    session: Vec<u8>,
    machine: Machine,
    effect: Effect,
}

/// A game's own database: it keeps which ids it has worked on, as docs/bridge.md asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Database {
    balance: u64,
    taken: BTreeMap<Vec<u8>, u64>,
    given: BTreeMap<Vec<u8>, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct System {
    name: Vec<u8>,
    purse: Purse,
    up: bool,
    epoch: u32,
    made: u32,
    tasks: Vec<Task>,
    databases: Vec<Database>,
}

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    systems: [System; 2],
    stores: Vec<Store>,
    /// Receiver, player and bytes; sorted, since the order of arrival is open.
    network: Vec<(usize, usize, Vec<u8>)>,
    lingering: Vec<(usize, u32, usize, Step)>,
    todo: Vec<Deed>,
    faults: u8,
    total: u64,
    /// What a machine said that is not so.
    wrong: Option<String>,
}

fn number(digits: &[u8]) -> u64 {
    amount::parse(digits).expect("an amount")
}

fn sum(pairs: &Pairs) -> u64 {
    pairs.iter().map(|(_, digits)| number(digits)).sum()
}

fn gold(amount: u64) -> Pairs {
    vec![(CURRENCY.to_vec(), amount.to_string().into_bytes())]
}

impl World {
    /// `purses` of the two systems, `balances` of each player at both.
    pub(crate) fn new(
        purses: [Purse; 2],
        balances: &[[u64; 2]],
        todo: &[Deed],
        faults: u8,
        weakness: Weakness,
    ) -> Self {
        let mut stores = vec![Store::new(weakness); balances.len()];
        let system = |side: usize, name: &str| System {
            name: name.into(),
            purse: purses[side],
            up: true,
            epoch: 0,
            made: 0,
            tasks: Vec::new(),
            databases: balances
                .iter()
                .map(|both| Database {
                    balance: if purses[side] == Purse::Own { both[side] } else { 0 },
                    ..Database::default()
                })
                .collect(),
        };
        let systems = [system(0, "f"), system(1, "d")];
        for (store, both) in stores.iter_mut().zip(balances) {
            for side in [0, 1] {
                if purses[side] == Purse::Shared {
                    let wallet = store.wallets.entry(systems[side].name.clone()).or_default();
                    wallet.insert(CURRENCY.to_vec(), both[side]);
                }
            }
        }
        let total = balances.iter().flatten().sum();
        let todo = todo.iter().rev().copied().collect();
        Self {
            systems,
            stores,
            network: Vec::new(),
            lingering: Vec::new(),
            todo,
            faults,
            total,
            wrong: None,
        }
    }

    /// All that can happen next.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let fault = self.faults > 0;
        if let Some(deed) = self.todo.last() {
            let side = usize::from(matches!(deed, Deed::LogIn(_)));
            if self.systems[side].up {
                moves.push(Move::Begin(side));
            }
        }
        for (side, system) in self.systems.iter().enumerate() {
            if !system.up {
                moves.push(Move::Restart(side));
                continue;
            }
            if fault && (!system.tasks.is_empty() || !self.network.is_empty()) {
                moves.push(Move::Crash(side));
            }
            for (index, task) in system.tasks.iter().enumerate() {
                match &task.effect {
                    Effect::Await => moves.push(Move::Silence(side, index)),
                    Effect::Step(_) => {
                        moves.push(Move::Do(side, index));
                        if fault {
                            moves.push(Move::DoUnheard(side, index));
                            moves.push(Move::Linger(side, index));
                        }
                    }
                    Effect::Take(..) | Effect::Give(..) => {
                        moves.push(Move::Do(side, index));
                        if fault {
                            moves.push(Move::DoUnheard(side, index));
                            moves.push(Move::Fail(side, index));
                        }
                    }
                    Effect::Send(_) => moves.push(Move::Do(side, index)),
                    // A machine that has ended is gone.
                    Effect::Done(_) => {}
                }
            }
        }
        for index in 0..self.network.len() {
            if index > 0 && self.network[index] == self.network[index - 1] {
                continue;
            }
            moves.push(Move::Deliver(index));
            if fault {
                moves.push(Move::Lose(index));
                moves.push(Move::Double(index));
            }
        }
        moves.extend((0..self.lingering.len()).map(Move::Arrive));
        moves
    }

    /// Makes a move and says what is wrong then.
    pub(crate) fn make(&mut self, next: Move) -> Result<(), String> {
        match next {
            Move::Begin(_) => {
                let deed = self.todo.pop().expect("there is one");
                self.begin(deed);
            }
            Move::Do(side, index) => self.perform(side, index),
            Move::DoUnheard(side, index) => {
                self.faults -= 1;
                let task = self.systems[side].tasks[index].clone();
                match task.effect {
                    Effect::Step(step) => {
                        self.run(side, task.player, &step);
                        self.renew(side);
                    }
                    effect => {
                        self.call_back(side, task.player, &effect);
                        self.feed(side, index, Event::Failed);
                    }
                }
            }
            Move::Linger(side, index) => {
                self.faults -= 1;
                let task = &self.systems[side].tasks[index];
                if let Effect::Step(step) = &task.effect {
                    let epoch = self.systems[side].epoch;
                    self.lingering.push((side, epoch, task.player, step.clone()));
                }
                self.renew(side);
            }
            Move::Fail(side, index) => {
                self.faults -= 1;
                self.feed(side, index, Event::Failed);
            }
            Move::Silence(side, index) => {
                if matches!(self.systems[side].tasks[index].machine, Machine::Asking(_)) {
                    self.systems[side].tasks.remove(index);
                } else {
                    self.feed(side, index, Event::Silence);
                }
            }
            Move::Deliver(index) => {
                let (side, player, bytes) = self.network.remove(index);
                if self.systems[side].up {
                    self.receive(side, player, &bytes);
                }
            }
            Move::Lose(index) => {
                self.faults -= 1;
                self.network.remove(index);
            }
            Move::Double(index) => {
                self.faults -= 1;
                let message = self.network[index].clone();
                self.network.insert(index, message);
            }
            Move::Arrive(index) => {
                let (side, epoch, player, step) = self.lingering.remove(index);
                let name = self.systems[side].name.clone();
                self.stores[player].run(&name, epoch, &step);
            }
            Move::Crash(side) => {
                self.faults -= 1;
                self.systems[side].up = false;
                self.systems[side].tasks.clear();
            }
            Move::Restart(side) => {
                self.systems[side].up = true;
                self.renew(side);
                for player in 0..self.stores.len() {
                    self.settle(side, player, false);
                }
            }
        }
        self.check()
    }

    /// Whether nothing is under way, so that recovery alone has to bring all to its end.
    pub(crate) fn is_quiet(&self) -> bool {
        self.systems.iter().all(|system| system.tasks.is_empty())
            && self.network.is_empty()
            && self.lingering.is_empty()
            && self.todo.is_empty()
    }

    /// Restarts what is down and recovers without faults; then nothing may be open.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.faults = 0;
        for side in [0, 1] {
            if !self.systems[side].up {
                self.make(Move::Restart(side))?;
            }
        }
        for _ in 0..4 {
            for side in [0, 1] {
                for player in 0..self.stores.len() {
                    self.settle(side, player, true);
                }
                while !self.systems[side].tasks.is_empty() {
                    let next = match self.systems[side].tasks[0].effect {
                        Effect::Await => Move::Silence(side, 0),
                        _ => Move::Do(side, 0),
                    };
                    self.make(next)?;
                }
            }
            self.network.clear();
        }
        for store in &self.stores {
            if !store.open.is_empty() {
                return Err(format!("still open: {:?}", store.open));
            }
            if store.members.values().any(|members| !members.is_empty()) {
                return Err(format!("members left: {:?}", store.members));
            }
        }
        Ok(())
    }

    fn renew(&mut self, side: usize) {
        let system = &mut self.systems[side];
        system.epoch += 1;
        for store in &mut self.stores {
            store.epochs.insert(system.name.clone(), system.epoch);
        }
    }

    fn new_number(&mut self, side: usize) -> String {
        let system = &mut self.systems[side];
        system.made += 1;
        format!("{}{}", String::from_utf8_lossy(&system.name), system.made)
    }

    fn post(&mut self, from: usize, player: usize, bytes: Vec<u8>) {
        self.network.push((1 - from, player, bytes));
        self.network.sort();
    }

    fn run(&mut self, side: usize, player: usize, step: &Step) -> Reply {
        let system = &self.systems[side];
        self.stores[player].run(&system.name, system.epoch, step)
    }
}
