//! A running command: its arguments, who called it, and what it may do to the store.
//!
//! Invariant: a command that changes keys is written to the file as it was called, unless it says
//! what to write instead.

use super::Store;
use super::client::{Client, Waiting};
use super::keyspace::Entry;
use super::number;
use super::reply::{Failure, NO_FLOAT, NO_INTEGER};
use super::value::{Kind, Value};
use crate::codec::resp::request::integer;

/// A command with its arguments, as it is written down.
pub type Words = Vec<Vec<u8>>;

/// What the file gets for a command that has changed something.
#[derive(Debug, Default)]
pub enum Record {
    /// The command as it was called.
    #[default]
    AsCalled,
    /// These commands.
    Instead(Vec<Words>),
}

/// A running command.
pub struct Call<'a> {
    /// The store.
    pub store: &'a mut Store,
    /// Who called.
    pub client: &'a mut Client,
    /// The name of the command and its arguments.
    pub args: &'a [&'a [u8]],
    /// Its full name, for messages.
    pub name: &'static str,
    /// Whether it may wait for elements.
    pub may_wait: bool,
    /// What is written down for it.
    pub record: Record,
    /// What it waits for from now on.
    pub waits: Option<Waiting>,
}

/// Makes the words of a command.
pub fn words(parts: &[&[u8]]) -> Words {
    parts.iter().map(|part| part.to_vec()).collect()
}

impl<'a> Call<'a> {
    /// The argument at `index`, which the table says is there.
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).copied().unwrap_or_default()
    }

    /// The arguments from `index` on.
    pub fn rest(&self, index: usize) -> &'a [&'a [u8]] {
        self.args.get(index..).unwrap_or_default()
    }

    /// The argument at `index` as an integer.
    ///
    /// # Errors
    /// When it is none.
    pub fn integer(&self, index: usize) -> Result<i64, Failure> {
        integer(self.arg(index)).ok_or(NO_INTEGER)
    }

    /// The argument at `index` as a float.
    ///
    /// # Errors
    /// When it is none.
    pub fn float(&self, index: usize) -> Result<f64, Failure> {
        number::float(self.arg(index)).ok_or(NO_FLOAT)
    }

    /// Whether the argument at `index` is the word, in either case.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.arg(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// The error about the number of arguments of this command.
    pub fn arity(&self) -> Failure {
        Failure::arity(self.name)
    }

    /// The selected database.
    pub fn db(&self) -> usize {
        self.client.db
    }

    /// What a key holds.
    pub fn get(&mut self, key: &[u8]) -> Option<&Entry> {
        self.store.keys.get(self.client.db, key)
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn read<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, Failure> {
        self.store.keys.read(self.client.db, key)
    }

    /// The value of a key, to change it, if there is one. `changed` has to follow a change.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn edit<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut T>, Failure> {
        self.store.keys.edit(self.client.db, key)
    }

    /// The value of a key, to change it; an absent one is made. `changed` has to follow.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn make<T: Kind>(&mut self, key: &[u8]) -> Result<&mut T, Failure> {
        self.store.keys.make(self.client.db, key)
    }

    /// Counts a change of a key.
    pub fn changed(&mut self, key: &[u8]) {
        self.store.keys.changed(self.client.db, key);
    }

    /// Gives a key a value without an end.
    pub fn set(&mut self, key: &[u8], value: impl Into<Value>) {
        self.store.keys.set(self.client.db, key, value.into(), None);
    }

    /// Removes a key; true when there was one.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.store.keys.remove(self.client.db, key)
    }

    /// Stores a collection as the result of a command, or removes the key if it is empty.
    pub fn store_result(&mut self, key: &[u8], value: impl Into<Value>) {
        let value = value.into();
        if value.is_empty() {
            self.remove(key);
        } else {
            self.store.keys.set(self.client.db, key, value, None);
        }
    }

    /// Writes down this command instead.
    pub fn record(&mut self, parts: &[&[u8]]) {
        self.record_all(vec![words(parts)]);
    }

    /// Writes down these commands instead.
    pub fn record_all(&mut self, commands: Vec<Words>) {
        self.record = Record::Instead(commands);
    }
}

/// Elements from `start` to `stop` of `length`, both counted from the end if negative: from the
/// first to before the second of the numbers given back.
pub fn span(start: i64, stop: i64, length: usize) -> Option<(usize, usize)> {
    let total = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |index: i64| if index < 0 { (index + total).max(0) } else { index };
    let start = place(start);
    let stop = if stop < 0 { stop.saturating_add(total) } else { stop }.min(total - 1);
    if start > stop || start >= total {
        return None;
    }
    Some((usize::try_from(start).ok()?, usize::try_from(stop + 1).ok()?))
}
