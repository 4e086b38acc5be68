//! What `transfer.lua` does, once more, over tables in memory; `script.rs` compares the two.
//!
//! Besides it counts, so that the model can say of each transfer what was decided and how often.

use std::collections::{BTreeMap, BTreeSet};

use node::bridge::amount;
use node::bridge::record::{Record, State};
use node::bridge::step::{Purse, Reply, Step};

/// A protection that is left out, to see that the model misses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Weakness {
    None,
    /// Steps of an earlier connection still count.
    NoFence,
    /// A return does not look whether the offer was accepted.
    BlindReturn,
    /// A repeated acceptance adds to the wallet again.
    BlindAccept,
    /// An accepted record goes away when the first side closes it.
    EarlyDelete,
}

/// The tables of one player.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) open: BTreeMap<Vec<u8>, (State, Record)>,
    pub(crate) wallets: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, u64>>,
    /// Stored members by the giver's name.
    pub(crate) members: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    pub(crate) epochs: BTreeMap<Vec<u8>, u32>,
    pub(crate) weakness: Weakness,
    /// How often each transfer became the receiver's, and the giver's again.
    pub(crate) accepted: BTreeMap<Vec<u8>, u8>,
    pub(crate) returned: BTreeMap<Vec<u8>, u8>,
}

fn reply(word: &str, rest: &[&[u8]]) -> Reply {
    Reply { word: word.into(), rest: rest.iter().map(|bytes| bytes.to_vec()).collect() }
}

impl Store {
    pub(crate) fn new(weakness: Weakness) -> Self {
        Self {
            open: BTreeMap::new(),
            wallets: BTreeMap::new(),
            members: BTreeMap::new(),
            epochs: BTreeMap::new(),
            weakness,
            accepted: BTreeMap::new(),
            returned: BTreeMap::new(),
        }
    }

    /// Runs one step of system `me` under `epoch`.
    pub(crate) fn run(&mut self, me: &[u8], epoch: u32, step: &Step) -> Reply {
        let current = self.epochs.get(me).copied().unwrap_or(0);
        if current != epoch && self.weakness != Weakness::NoFence {
            return reply("fenced", &[]);
        }
        let found = self.open.get(&step.id).cloned();
        let argument = |index: usize| step.arguments.get(index).map_or(&b""[..], |bytes| bytes);
        match (step.operation, found) {
            ("offer", Some((state, record))) => reply(state.name(), &[&record.text()]),
            ("offer", None) => self.offer(me, step),
            ("adopt", Some((state, record))) => reply(state.name(), &[&record.text()]),
            ("adopt", None) => self.adopt(me, step),
            ("accept", found) => self.accept(me, step, found),
            (_, None) => reply("gone", &[]),
            ("close", Some(found)) => self.close(me, step, found),
            (_, Some((_, record))) if record.giver != me => reply("foreign", &[&record.text()]),
            ("taken", Some((State::Taking, mut record))) => {
                if step.arguments.is_empty() {
                    return self.drop_record("gone", &step.id);
                }
                record.pairs = pairs(&step.arguments);
                self.put(State::Offered, &step.id, record)
            }
            ("store", Some((State::Offered, record))) => {
                self.members.entry(me.to_vec()).or_default().insert(argument(0).to_vec());
                if argument(1) == b"plain" {
                    return self.drop_record("stored", &step.id);
                }
                self.put(State::Stored, &step.id, record)
            }
            ("return", Some((state, record))) => self.give_back(me, step, state, record),
            (_, Some((state, record))) => reply(state.name(), &[&record.text()]),
        }
    }

    fn put(&mut self, state: State, id: &[u8], record: Record) -> Reply {
        let text = record.text();
        self.open.insert(id.to_vec(), (state, record));
        reply(state.name(), &[&text])
    }

    fn drop_record(&mut self, word: &str, id: &[u8]) -> Reply {
        let text = self.open.remove(id).map(|(_, record)| record.text()).unwrap_or_default();
        reply(word, &[&text])
    }

    fn credit(&mut self, me: &[u8], record: &Record) -> Option<Vec<u8>> {
        let wallet = self.wallets.entry(me.to_vec()).or_default();
        for (name, digits) in &record.pairs {
            let more = amount::parse(digits).expect("an amount");
            if wallet.get(name).unwrap_or(&0) + more > amount::MOST {
                return Some(name.clone());
            }
        }
        for (name, digits) in &record.pairs {
            *wallet.entry(name.clone()).or_default() += amount::parse(digits).expect("an amount");
        }
        None
    }

    fn offer(&mut self, me: &[u8], step: &Step) -> Reply {
        let mut record = Record::parse(&step.arguments[0]).expect("the head of a record");
        for (id, (state, other)) in &self.open {
            if other.giver == me && other.session == record.session {
                let whole = [state.name().as_bytes(), b"@", &other.text()].concat();
                return reply("again", &[id, &whole]);
            }
        }
        let wanted = pairs(&step.arguments[1..]);
        if step.purse != Purse::Shared {
            record.pairs = wanted;
            let state = if step.purse == Purse::Own { State::Taking } else { State::Offered };
            return self.put(state, &step.id, record);
        }
        let wallet = self.wallets.entry(me.to_vec()).or_default();
        for (name, digits) in wanted {
            let balance = *wallet.get(&name).unwrap_or(&0);
            let amount = amount::parse(&digits).expect("an amount");
            if balance < amount {
                let detail = [&name[..], b"=", balance.to_string().as_bytes()].concat();
                return reply("short", &[&detail]);
            }
            let taken = if amount == 0 { balance } else { amount };
            if taken > 0 {
                record.pairs.push((name, taken.to_string().into_bytes()));
            }
        }
        if record.pairs.is_empty() {
            return reply("nothing", &[]);
        }
        for (name, digits) in &record.pairs {
            *wallet.get_mut(name).expect("it has some") -=
                amount::parse(digits).expect("an amount");
        }
        self.put(State::Offered, &step.id, record)
    }

    fn adopt(&mut self, me: &[u8], step: &Step) -> Reply {
        let (member, text) = (&step.arguments[0], &step.arguments[1]);
        let record = Record::parse(text).expect("a record");
        let stored = self.members.entry(record.giver.clone()).or_default();
        if !member.is_empty() && !stored.contains(member) {
            return reply("gone", &[]);
        }
        if step.purse == Purse::Shared
            && let Some(full) = self.credit(me, &record)
        {
            return reply("full", &[&full]);
        }
        self.members.entry(record.giver.clone()).or_default().remove(member);
        *self.accepted.entry(step.id.clone()).or_default() += 1;
        self.put(State::Seen, &step.id, record)
    }

    fn accept(&mut self, me: &[u8], step: &Step, found: Option<(State, Record)>) -> Reply {
        if let Some((_, record)) = &found
            && record.giver == me
        {
            return reply("mine", &[&record.text()]);
        }
        let new = match found.as_ref().map(|(state, _)| *state) {
            Some(State::Offered) => Some(State::Accepted),
            Some(State::Stored) => Some(State::Seen),
            Some(state) if self.weakness == Weakness::BlindAccept => Some(state),
            _ => None,
        };
        if let (Some(_), Some((_, record))) = (new, &found)
            && step.purse == Purse::Shared
            && let Some(full) = self.credit(me, record)
        {
            return reply("full", &[&full]);
        }
        // Ids begin with their giver's name, which is one letter here.
        if let Some(members) = self.members.get_mut(&step.id[..1]) {
            members.remove(&step.arguments[0]);
        }
        match (new, found) {
            (Some(new), Some((_, record))) => {
                *self.accepted.entry(step.id.clone()).or_default() += 1;
                self.put(new, &step.id, record)
            }
            (_, Some((state, record))) => reply(state.name(), &[&record.text()]),
            (_, None) => reply("gone", &[b""]),
        }
    }

    fn close(&mut self, me: &[u8], step: &Step, (state, record): (State, Record)) -> Reply {
        let plain = step.arguments.first().is_some_and(|word| word == b"plain");
        match (record.giver == me, state) {
            (true, State::Accepted) | (false, State::Accepted)
                if self.weakness == Weakness::EarlyDelete =>
            {
                self.drop_record("closed", &step.id)
            }
            (true, State::Accepted) => self.put(State::Seen, &step.id, record),
            (true, State::Applied | State::Returning) => {
                if state == State::Returning {
                    *self.returned.entry(step.id.clone()).or_default() += 1;
                }
                self.drop_record("closed", &step.id)
            }
            (true, State::Offered) if plain => self.drop_record("closed", &step.id),
            (false, State::Accepted) => self.put(State::Applied, &step.id, record),
            (false, State::Seen) => self.drop_record("closed", &step.id),
            _ => reply(state.name(), &[&record.text()]),
        }
    }

    fn give_back(&mut self, me: &[u8], step: &Step, state: State, record: Record) -> Reply {
        let blind = self.weakness == Weakness::BlindReturn && state != State::Returning;
        if !matches!(state, State::Offered | State::Stored) && !blind {
            return reply(state.name(), &[&record.text()]);
        }
        if step.purse == Purse::Shared
            && let Some(full) = self.credit(me, &record)
        {
            return reply("full", &[&full]);
        }
        if let Some(members) = self.members.get_mut(me) {
            members.remove(&step.arguments[0]);
        }
        if step.purse == Purse::Own {
            return self.put(State::Returning, &step.id, record);
        }
        *self.returned.entry(step.id.clone()).or_default() += 1;
        self.drop_record("returned", &step.id)
    }
}

fn pairs(flat: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
