//! Running a command: may it, what it is part of, what it has changed.
//!
//! Invariant: time stands still from the start of a command to its end, so also for all commands
//! of a transaction or a script.

use super::Store;
use super::call::{Call, Record};
use super::client::{Client, Replies, Transaction, Waiting};
use super::reply::{Answer, Failure, Reply};
use super::table::{self, Command, DENYOOM, NO_AUTH, WRITE};

/// Most bytes of the commands of one transaction.
const TRANSACTION_LIMIT: usize = 64 << 20;

const NO_PASSWORD: Failure = Failure::new("NOAUTH Authentication required.");
const NO_MEMORY: Failure = Failure::new("OOM command not allowed when used memory > 'maxmemory'.");
const LONG_TRANSACTION: Failure =
    Failure::new("ERR the commands of this transaction are too long (limit 64 MiB)");

/// What a connection does after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It goes on with the next one.
    GoOn,
    /// It waits until it is told, or the time that the client has set is over.
    Wait,
    /// It sends what there is and ends.
    Leave,
}

impl Store {
    /// Runs a command of a client; the reply goes to what the client is sent.
    pub fn execute(&mut self, slot: usize, args: &[&[u8]]) -> Next {
        let Some(mut client) = self.clients.take(slot) else { return Next::Leave };
        self.keys.now = self.clock.milliseconds();
        client.times.1 = self.keys.now;
        self.commands += 1;
        self.current = slot;
        let mut waits = None;
        let answer = self.dispatch(&mut client, args, &mut waits);
        let reply = answer.unwrap_or_else(Reply::Error);
        if waits.is_none() {
            client.answer(&reply);
        }
        client.replies = match client.replies {
            Replies::SkipNext => Replies::Skip,
            Replies::Skip => Replies::On,
            other => other,
        };
        client.waiting = waits;
        let next = match (&client.waiting, client.leaving || client.killed) {
            (_, true) => Next::Leave,
            (Some(waiting), false) => {
                self.begin_waiting(slot, client.db, waiting);
                Next::Wait
            }
            (None, false) => Next::GoOn,
        };
        self.clients.put(slot, client);
        self.settle();
        next
    }

    /// After a command: serves those who waited for what it left, and ends what belongs together
    /// in the file.
    pub(super) fn settle(&mut self) {
        self.serve_waiting();
        self.note_ended();
        self.journal.commit();
    }

    fn dispatch(
        &mut self,
        client: &mut Client,
        args: &[&[u8]],
        waits: &mut Option<Waiting>,
    ) -> Answer {
        let command = match table::resolve(args) {
            Ok(command) => command,
            Err(failure) => return self.refuse(client, args, failure),
        };
        client.last = command.name;
        if !client.authenticated && !command.is(NO_AUTH) {
            return self.refuse(client, args, NO_PASSWORD);
        }
        let queued = client.transaction.is_some() && !controls_transaction(command.name);
        let (grows, writes) = match (&client.transaction, command.name) {
            (Some(transaction), "exec") => (transaction.grows, transaction.writes),
            _ => (queued || command.is(DENYOOM), command.is(WRITE)),
        };
        if grows && self.is_full() {
            return self.refuse(client, args, NO_MEMORY);
        }
        if let Some(failure) = self.file_refusal().filter(|_| writes) {
            return self.refuse(client, args, failure);
        }
        if client.subscribes() && !is_for_subscribers(command.name) {
            let text = format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context",
                command.name
            );
            return self.refuse(client, args, Failure::of(text));
        }
        if queued {
            return self.queue(client, command, args);
        }
        let (answer, waiting) = self.invoke(client, command, args, true);
        *waits = waiting;
        answer
    }

    /// Runs a command, whoever it comes from, and notes what it has changed.
    pub(super) fn invoke(
        &mut self,
        client: &mut Client,
        command: &'static Command,
        args: &[&[u8]],
        may_wait: bool,
    ) -> (Answer, Option<Waiting>) {
        let before = self.keys.changes;
        let db = client.db;
        let mut call = Call {
            store: self,
            client,
            args,
            name: command.name,
            may_wait,
            record: Record::AsCalled,
            waits: None,
        };
        let answer = (command.run)(&mut call);
        let (record, waits) = (call.record, call.waits);
        let changed = command.is(WRITE) && self.keys.changes != before;
        self.note_effects(db, changed.then_some(record), args);
        (answer, waits)
    }

    /// Notes for the file what a command has changed, behind the keys that ended meanwhile.
    pub(super) fn note_effects(&mut self, db: usize, record: Option<Record>, args: &[&[u8]]) {
        self.note_ended();
        match record {
            Some(_) if !self.journal.enabled => {}
            Some(Record::AsCalled) => {
                self.journal.note(db, args.iter().map(|arg| arg.to_vec()).collect());
            }
            Some(Record::Instead(commands)) => {
                commands.into_iter().for_each(|command| self.journal.note(db, command));
            }
            None => {}
        }
    }

    fn note_ended(&mut self) {
        if self.keys.ended.is_empty() {
            return;
        }
        for (db, key) in std::mem::take(&mut self.keys.ended) {
            self.journal.note(db, vec![b"DEL".to_vec(), key.to_vec()]);
        }
    }

    /// A transaction with a command that was refused cannot run; that of a refused `EXEC` is over.
    fn refuse(&mut self, client: &mut Client, args: &[&[u8]], failure: Failure) -> Answer {
        if args.first().is_some_and(|name| name.eq_ignore_ascii_case(b"exec")) {
            client.transaction = None;
            self.end_watching(client);
            let why = failure.text();
            let why = why.strip_prefix(b"ERR ").unwrap_or(why);
            let text = [b"EXECABORT Transaction discarded because of: ", why].concat();
            return Err(Failure::of(text));
        }
        if let Some(transaction) = &mut client.transaction {
            transaction.broken = true;
        }
        Err(failure)
    }

    fn queue(&mut self, client: &mut Client, command: &Command, args: &[&[u8]]) -> Answer {
        let transaction = client.transaction.get_or_insert_with(Transaction::default);
        let size = |arg: &&[u8]| arg.len() + size_of::<Box<[u8]>>();
        transaction.bytes += args.iter().map(size).sum::<usize>();
        if transaction.bytes > TRANSACTION_LIMIT {
            return self.refuse(client, args, LONG_TRANSACTION);
        }
        transaction.grows |= command.is(DENYOOM);
        transaction.writes |= command.is(WRITE);
        transaction.queue.push(args.iter().map(|arg| (*arg).into()).collect());
        Ok(Reply::Status("QUEUED".into()))
    }

    /// True when there is no memory for more.
    pub(super) fn is_full(&self) -> bool {
        let limit = self.config.maxmemory;
        limit != 0 && self.keys.memory() > limit && !self.keys.loading
    }

    /// What a command that changes something is told while the file takes nothing.
    pub(super) fn file_refusal(&self) -> Option<Failure> {
        let why = self.file_failure.as_ref()?;
        Some(Failure::of(format!("MISCONF Errors writing to the AOF file: {why}")))
    }

    /// Removes keys whose time is over; true when there may be more of them.
    pub fn expire(&mut self, limit: usize) -> bool {
        self.keys.now = self.clock.milliseconds();
        let more = self.keys.expire(limit);
        self.settle();
        more
    }
}

fn controls_transaction(name: &str) -> bool {
    matches!(name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

fn is_for_subscribers(name: &str) -> bool {
    matches!(
        name,
        "subscribe" | "psubscribe" | "unsubscribe" | "punsubscribe" | "ping" | "quit" | "reset"
    )
}
