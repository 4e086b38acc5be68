//! Two systems, a Redis, a network and what can go wrong, as one value that can be compared.
//!
//! Every choice is a `Move`; `World::moves` lists those that are possible, `World::make` makes one.

use std::collections::BTreeMap;

use node::bridge::amount;
use node::bridge::giver::Giver;
use node::bridge::record::{Mode, Record, State, member};
use node::bridge::step::{Effect, Event, Outcome, Pairs, Purse, Reply, Step};
use node::bridge::taker::{Taker, Way};
use node::codec::bridge::parse;

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

    fn begin(&mut self, deed: Deed) {
        match deed {
            Deed::Enter(player) => {
                let session = self.new_number(0).into_bytes();
                let text =
                    format!("req_mv@gold=0|session={}|uid=u", String::from_utf8_lossy(&session));
                self.post(0, player, text.into_bytes());
                self.systems[0].tasks.push(Task {
                    player,
                    id: Vec::new(),
                    session: session.clone(),
                    machine: Machine::Asking(session),
                    effect: Effect::Await,
                });
            }
            Deed::Leave(player, amount) => {
                let session = self.new_number(0).into_bytes();
                let record = Record {
                    at: 0,
                    giver: self.systems[0].name.clone(),
                    command: COMMAND.to_vec(),
                    mode: Mode::Push,
                    session,
                    pairs: gold(amount),
                };
                self.give(0, player, record);
            }
            Deed::LogIn(player) => self.settle(1, player, true),
        }
    }

    fn give(&mut self, side: usize, player: usize, record: Record) {
        let id = self.new_number(side).into_bytes();
        let session = record.session.clone();
        let giver = Giver::new(b"u", &id, record, self.systems[side].purse, false);
        self.start(side, player, id, session, Machine::Giving(giver));
    }

    fn start(
        &mut self,
        side: usize,
        player: usize,
        id: Vec<u8>,
        session: Vec<u8>,
        machine: Machine,
    ) {
        self.systems[side].tasks.push(Task { player, id, session, machine, effect: Effect::Await });
        let index = self.systems[side].tasks.len() - 1;
        self.feed(side, index, Event::Start);
    }

    fn feed(&mut self, side: usize, index: usize, event: Event) {
        let task = &mut self.systems[side].tasks[index];
        task.effect = match &mut task.machine {
            Machine::Giving(giver) => giver.on(event),
            Machine::Taking(taker) => taker.on(event),
            Machine::Asking(_) => Effect::Await,
        };
        if let Effect::Done(outcome) = &task.effect {
            let outcome = outcome.clone();
            let task = self.systems[side].tasks.remove(index);
            self.believe(task.player, &task.id, &task.machine, &outcome);
        }
    }

    fn post(&mut self, from: usize, player: usize, bytes: Vec<u8>) {
        self.network.push((1 - from, player, bytes));
        self.network.sort();
    }

    fn run(&mut self, side: usize, player: usize, step: &Step) -> Reply {
        let system = &self.systems[side];
        self.stores[player].run(&system.name, system.epoch, step)
    }

    fn perform(&mut self, side: usize, index: usize) {
        let task = self.systems[side].tasks[index].clone();
        match task.effect {
            Effect::Step(step) => {
                let reply = self.run(side, task.player, &step);
                if reply.word == b"fenced" {
                    self.renew(side);
                } else {
                    self.feed(side, index, Event::Reply(reply));
                }
            }
            Effect::Send(bytes) => {
                self.post(side, task.player, bytes);
                self.feed(side, index, Event::Sent);
            }
            Effect::Await | Effect::Done(_) => {}
            effect => {
                let event = self.call_back(side, task.player, &effect);
                self.feed(side, index, event);
            }
        }
    }

    /// What a machine says at its end has to be so.
    fn believe(&mut self, player: usize, id: &[u8], machine: &Machine, outcome: &Outcome) {
        let store = &self.stores[player];
        let accepted = store.accepted.contains_key(id);
        let holds = match (machine, outcome) {
            (_, Outcome::Moved(_)) => accepted,
            (Machine::Giving(_), Outcome::Returned) => !accepted,
            (Machine::Giving(_), Outcome::Refused(..) | Outcome::Nothing) => {
                !accepted && !store.open.contains_key(id)
            }
            (Machine::Giving(_), Outcome::Stored) => accepted || store.open.contains_key(id),
            _ => true,
        };
        if !holds {
            self.wrong = Some(format!("{outcome:?} was said of {id:?}"));
        }
    }

    fn call_back(&mut self, side: usize, player: usize, effect: &Effect) -> Event {
        let database = &mut self.systems[side].databases[player];
        match effect {
            Effect::Take(id, wanted) => {
                let balance = &mut database.balance;
                let taken = *database.taken.entry(id.clone()).or_insert_with(|| {
                    let wanted = sum(wanted);
                    let taken = if wanted == 0 { *balance } else { wanted };
                    if taken > *balance {
                        return 0;
                    }
                    *balance -= taken;
                    taken
                });
                if taken == 0 {
                    Event::Refused(b"short".to_vec())
                } else {
                    Event::Taken(gold(taken))
                }
            }
            Effect::Give(id, pairs) => {
                let balance = &mut database.balance;
                database.given.entry(id.clone()).or_insert_with(|| {
                    *balance += sum(pairs);
                    sum(pairs)
                });
                Event::Given(Vec::new())
            }
            other => panic!("{other:?} is no callback"),
        }
    }

    fn receive(&mut self, side: usize, player: usize, bytes: &[u8]) {
        let message = parse(bytes).expect("machines write messages");
        let field = |name: &str| message.field(name.as_bytes()).map(std::borrow::Cow::into_owned);
        let (id, session) = (field("id"), field("session").unwrap_or_default());
        let tasks = &self.systems[side].tasks;
        if message.command == COMMAND {
            match id {
                Some(id) if tasks.iter().any(|task| task.id == id) => {}
                Some(id) => {
                    let member = member(&message).expect("short enough");
                    self.take(side, player, id, session, Way::Request(member));
                }
                None => {
                    let giver = self.systems[side].name.clone();
                    let command = COMMAND.to_vec();
                    let pairs = gold(0);
                    let mode = Mode::Pull;
                    self.give(side, player, Record { at: 0, giver, command, mode, session, pairs });
                }
            }
            return;
        }
        let is_answer = message.command.starts_with(b"rsp_");
        let good = !message.command.starts_with(b"nak_") && field("error").is_none();
        let waiting = tasks.iter().position(|task| {
            task.player == player
                && task.effect == Effect::Await
                && if is_answer { task.session == session } else { Some(&task.id) == id.as_ref() }
        });
        match waiting {
            Some(index) if matches!(tasks[index].machine, Machine::Asking(_)) => {
                self.systems[side].tasks.remove(index);
                if let Some(id) = id {
                    self.take(side, player, id, session, Way::Answer);
                }
            }
            Some(index) => self.feed(side, index, if good { Event::Yes } else { Event::No }),
            // An offer for which nobody waits any more goes back at once.
            None => {
                if let Some(id) = id.filter(|_| is_answer && field("gold").is_some()) {
                    let id = String::from_utf8_lossy(&id).into_owned();
                    self.post(side, player, format!("nak_mv@id={id}|uid=u").into_bytes());
                }
            }
        }
    }

    fn take(&mut self, side: usize, player: usize, id: Vec<u8>, session: Vec<u8>, way: Way) {
        let purse = self.systems[side].purse;
        let taker = Taker::new(b"u", &id, COMMAND, &session, way, purse);
        self.start(side, player, id, Vec::new(), Machine::Taking(taker));
    }

    /// What a process does with the records it finds; at a login also with offers.
    fn settle(&mut self, side: usize, player: usize, login: bool) {
        let system = &self.systems[side];
        let found: Vec<_> = self.stores[player].open.clone().into_iter().collect();
        let (name, purse) = (system.name.clone(), system.purse);
        for (id, (state, record)) in found {
            if self.systems[side].tasks.iter().any(|task| task.id == id) {
                continue;
            }
            if record.giver == name {
                let giver = Giver::resume(b"u", &id, (state, record), purse, false);
                self.start(side, player, id, Vec::new(), Machine::Giving(giver));
                continue;
            }
            let wanted = match state {
                State::Accepted | State::Seen => true,
                State::Offered | State::Stored => login && record.mode == Mode::Push,
                _ => false,
            };
            if wanted {
                let member = record.message(COMMAND, None, &id).expect("short enough");
                self.take(side, player, id, record.session, Way::Found(member));
            }
        }
        let peer = self.systems[1 - side].name.clone();
        let members = self.stores[player].members.get(&peer).cloned().unwrap_or_default();
        for bytes in members.into_iter().filter(|_| login) {
            let id = parse(&bytes).expect("a member").field(b"id").expect("an id").into_owned();
            if !self.systems[side].tasks.iter().any(|task| task.id == id) {
                self.take(side, player, id, Vec::new(), Way::Found(bytes));
            }
        }
    }

    /// What holds at every moment: the sum, and one decision for each transfer.
    fn check(&self) -> Result<(), String> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let mut total = 0;
        for (player, store) in self.stores.iter().enumerate() {
            for wallet in store.wallets.values() {
                total += wallet.values().sum::<u64>();
            }
            for system in &self.systems {
                total += system.databases[player].balance;
            }
            for (id, (state, record)) in &store.open {
                total += self.between(player, id, *state, record);
            }
            for (id, times) in &store.accepted {
                if *times > 1 {
                    return Err(format!("{id:?} was accepted {times} times"));
                }
                if store.returned.contains_key(id) {
                    return Err(format!("{id:?} was accepted and returned"));
                }
            }
        }
        if total == self.total {
            return Ok(());
        }
        Err(format!("the sum is {total} and was {}", self.total))
    }

    /// What an open transfer holds that is in nobody's balance.
    fn between(&self, player: usize, id: &[u8], state: State, record: &Record) -> u64 {
        let giver = usize::from(record.giver != self.systems[0].name);
        let own = |side: usize| self.systems[side].purse == Purse::Own;
        let (from, to) =
            (&self.systems[giver].databases[player], &self.systems[1 - giver].databases[player]);
        match state {
            State::Taking => from.taken.get(id).copied().unwrap_or(0),
            State::Offered | State::Stored => sum(&record.pairs),
            State::Accepted | State::Seen if own(1 - giver) && !to.given.contains_key(id) => {
                sum(&record.pairs)
            }
            State::Returning if !from.given.contains_key(&[id, b"~back"].concat()) => {
                sum(&record.pairs)
            }
            _ => 0,
        }
    }
}
