//! What a process of a system does: begins transfers, does what their machines ask for, receives
//! messages, settles what it finds.

use node::bridge::giver::Giver;
use node::bridge::record::{Mode, Record, State, member};
use node::bridge::step::{Effect, Event};
use node::bridge::taker::{Taker, Way};
use node::codec::bridge::parse;

use super::{COMMAND, Deed, Machine, Task, World, gold, sum};

impl World {
    pub(super) fn begin(&mut self, deed: Deed) {
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

    pub(super) fn feed(&mut self, side: usize, index: usize, event: Event) {
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

    pub(super) fn perform(&mut self, side: usize, index: usize) {
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

    pub(super) fn call_back(&mut self, side: usize, player: usize, effect: &Effect) -> Event {
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

    pub(super) fn receive(&mut self, side: usize, player: usize, bytes: &[u8]) {
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
    pub(super) fn settle(&mut self, side: usize, player: usize, login: bool) {
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
}
