//! What has to be so at every moment, whatever has happened before.

use node::bridge::record::{Record, State};
use node::bridge::step::{Outcome, Purse};

use super::{Machine, World, sum};

impl World {
    /// What a machine says at its end has to be so.
    pub(super) fn believe(
        &mut self,
        player: usize,
        id: &[u8],
        machine: &Machine,
        outcome: &Outcome,
    ) {
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

    /// What holds at every moment: the sum, and one decision for each transfer.
    pub(super) fn check(&self) -> Result<(), String> {
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
