//! Which database a connection is on, for the connection that comes after it.
//!
//! A SELECT counts when the server has carried it out: in a transaction that is when EXEC has.
//! Invariant: the database changes only by what the server has replied.

use crate::codec::resp::reply::{Item, Reader};

/// The reply to what was carried out.
const DONE: &[u8] = b"+OK\r\n";

/// The reply to what waits for EXEC.
const QUEUED: &[u8] = b"+QUEUED\r\n";

/// What a command does to the database in use.
#[derive(PartialEq, Eq, Debug)]
pub enum Effect {
    /// SELECT of this one.
    Select(Vec<u8>),
    /// MULTI
    Begin,
    /// EXEC
    Execute,
    /// DISCARD
    Discard,
    /// RESET
    Reset,
}

impl Effect {
    /// That of a command by its name and first argument, if it has one.
    pub fn of(name: &[u8], first: Option<Vec<u8>>) -> Option<Self> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match () {
            () if is("SELECT") => first.map(Self::Select),
            () if is("MULTI") => Some(Self::Begin),
            () if is("EXEC") => Some(Self::Execute),
            () if is("DISCARD") => Some(Self::Discard),
            () if is("RESET") => Some(Self::Reset),
            () => None,
        }
    }

    /// Whether commands of this name can have one.
    pub fn is_of(name: &[u8]) -> bool {
        Self::of(name, Some(Vec::new())).is_some()
    }
}

/// The effects of the commands of a call, the first of them at the end; each with the number of
/// replies that are still to come after its own.
#[derive(Debug, Default)]
pub struct Effects(Vec<(u32, Effect)>);

impl Effects {
    /// Those of a call, command by command.
    pub fn of(commands: impl DoubleEndedIterator<Item = Option<Effect>>) -> Self {
        let numbered = (0..).zip(commands.rev());
        Self(numbered.filter_map(|(left, effect)| Some((left, effect?))).collect())
    }

    /// That of the command whose reply has come with `left` still to come after it.
    pub(super) fn take(&mut self, left: u32) -> Option<Effect> {
        self.0.pop_if(|(of, _)| *of == left).map(|(_, effect)| effect)
    }
}

/// What MULTI has begun.
#[derive(Debug, Default)]
struct Transaction {
    /// Commands that wait for EXEC.
    queued: usize,
    /// Each SELECT among them, with its place.
    selects: Vec<(usize, Vec<u8>)>,
}

/// The database in use.
#[derive(Debug)]
pub(super) struct Database {
    selected: Option<Vec<u8>>,
    transaction: Option<Transaction>,
}

impl Database {
    /// Of a connection that begins with this one, or with the server's.
    pub(super) const fn new(selected: Option<Vec<u8>>) -> Self {
        Self { selected, transaction: None }
    }

    /// What stands behind SELECT, if that is needed.
    pub(super) fn selected(&self) -> Option<&[u8]> {
        self.selected.as_deref()
    }

    /// The connection is gone, and a transaction with it.
    pub(super) fn lose_transaction(&mut self) {
        self.transaction = None;
    }

    /// Notes the reply to a command with this effect.
    #[inline]
    pub(super) fn note(&mut self, effect: Option<Effect>, reply: &[u8]) {
        if effect.is_some() || self.transaction.is_some() {
            self.change(effect, reply);
        }
    }

    fn change(&mut self, effect: Option<Effect>, reply: &[u8]) {
        if let Some(transaction) = &mut self.transaction
            && reply == QUEUED
        {
            if let Some(Effect::Select(db)) = effect {
                transaction.selects.push((transaction.queued, db));
            }
            transaction.queued += 1;
            return;
        }
        match effect {
            Some(Effect::Select(db)) if reply == DONE => self.selected = Some(db),
            Some(Effect::Begin) if reply == DONE => self.transaction = Some(Transaction::default()),
            Some(Effect::Discard) if reply == DONE => self.transaction = None,
            // Whatever the answer, the server has no transaction any more.
            Some(Effect::Execute) => {
                if let Some(db) = self.transaction.take().and_then(|all| all.selected_by(reply)) {
                    self.selected = Some(db);
                }
            }
            Some(Effect::Reset) if reply.starts_with(b"+") => *self = Self::new(None),
            _ => {}
        }
    }
}

impl Transaction {
    /// The database that it leads to by the reply to EXEC: that of the last SELECT that went well.
    fn selected_by(self, reply: &[u8]) -> Option<Vec<u8>> {
        if self.selects.is_empty() {
            return None;
        }
        let mut reader = Reader::new(reply);
        let Some(Item::Array(_)) = reader.next_item() else { return None };
        let mut selected = None;
        let mut at = 0;
        for (place, db) in self.selects {
            while at < place && reader.skip() {
                at += 1;
            }
            if reader.next_item() == Some(Item::Status(b"OK")) {
                selected = Some(db);
            }
            at += 1;
        }
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The database after commands, each with its reply, on a connection that began with 2.
    fn after(exchanges: &[(&str, &str)]) -> Option<String> {
        let mut database = Database::new(Some(b"2".to_vec()));
        for (command, reply) in exchanges {
            let (name, first) = command.split_once(' ').unwrap_or((command, ""));
            let first = Some(first.as_bytes().to_vec()).filter(|first| !first.is_empty());
            database.note(Effect::of(name.as_bytes(), first), reply.as_bytes());
        }
        database.selected().map(|db| String::from_utf8(db.to_vec()).unwrap())
    }

    const OK: &str = "+OK\r\n";
    const LATER: &str = "+QUEUED\r\n";

    #[test]
    fn a_select_counts_when_the_server_says_so() {
        assert_eq!(after(&[("SELECT 5", OK)]).as_deref(), Some("5"));
        assert_eq!(after(&[("SELECT 99", "-ERR index\r\n")]).as_deref(), Some("2"));
        assert_eq!(after(&[("select", "-ERR arguments\r\n")]).as_deref(), Some("2"));
        assert_eq!(after(&[("select 5", OK), ("reset", "+RESET\r\n")]), None);
    }

    #[test]
    fn a_select_in_a_transaction_counts_when_it_is_executed() {
        let queued = [("multi", OK), ("get", LATER), ("select 5", LATER), ("get", LATER)];
        let then = |end: &[(&str, &str)]| after(&[&queued, end].concat());
        assert_eq!(then(&[]).as_deref(), Some("2"));
        let executed = ("exec", "*3\r\n*2\r\n+OK\r\n$-1\r\n+OK\r\n:1\r\n");
        assert_eq!(then(&[executed]).as_deref(), Some("5"));
        assert_eq!(then(&[("discard", OK), executed]).as_deref(), Some("2"));
        assert_eq!(then(&[("exec", "*-1\r\n")]).as_deref(), Some("2"));
        assert_eq!(then(&[("exec", "-EXECABORT\r\n"), executed]).as_deref(), Some("2"));
        assert_eq!(then(&[("reset", "+RESET\r\n"), executed]), None);
        // A nested MULTI and a wrong command are refused, not queued.
        let refused = [("multi", "-ERR\r\n"), ("nonsense", "-ERR\r\n"), executed];
        assert_eq!(then(&refused).as_deref(), Some("5"));
        let more = [("select 99", LATER), ("select 7", LATER)];
        let both = ("exec", "*5\r\n+OK\r\n+OK\r\n+OK\r\n-ERR index\r\n+OK\r\n");
        assert_eq!(then(&[more[0], more[1], both]).as_deref(), Some("7"));
        let first = ("exec", "*5\r\n+OK\r\n+OK\r\n+OK\r\n-ERR index\r\n-ERR index\r\n");
        assert_eq!(then(&[more[0], more[1], first]).as_deref(), Some("5"));
    }

    #[test]
    fn a_lost_connection_ends_its_transaction() {
        let mut database = Database::new(None);
        database.note(Some(Effect::Begin), DONE);
        database.note(Some(Effect::Select(b"5".to_vec())), QUEUED);
        database.lose_transaction();
        database.note(Some(Effect::Execute), b"*1\r\n+OK\r\n");
        assert_eq!(database.selected(), None);
    }

    #[test]
    fn effects_belong_to_the_replies_of_their_commands() {
        let commands = [None, Some(Effect::Begin), None, Some(Effect::Execute)];
        let mut effects = Effects::of(commands.into_iter());
        let taken = [3, 2, 1, 0].map(|left| effects.take(left));
        assert_eq!(taken, [None, Some(Effect::Begin), None, Some(Effect::Execute)]);
    }
}
