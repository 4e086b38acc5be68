//! The databases: keys with their values and ends, and who is to learn of a change.
//!
//! Invariants: every change of a key goes through `changed` or `remove`, which count memory, tell
//! watchers and wake those who wait for elements; a key whose time is over is gone for everybody
//! who asks, except while a file is replayed, whose own deletions count.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use indexmap::IndexMap;

use super::reply::{Failure, WRONG_TYPE};
use super::value::{KEY_OVERHEAD, Kind, Value};

/// A key; the order of ends shares it.
pub type Key = Rc<[u8]>;
/// A key of a database.
pub type Place = (usize, Key);

/// What a key holds.
#[derive(Debug)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Milliseconds since 1970 when it ends.
    pub expires: Option<u64>,
    /// Milliseconds since 1970 when it was last used.
    pub used: u64,
    /// Bytes that are counted for it.
    size: usize,
}

/// One database.
#[derive(Debug, Default)]
pub struct Db {
    keys: IndexMap<Key, Entry>,
    ends: BTreeSet<(u64, Key)>,
}

impl Db {
    /// Number of keys, with those that are over and not yet removed.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys that will end.
    pub fn ending(&self) -> usize {
        self.ends.len()
    }

    /// The key at a place, with what it holds.
    pub fn at(&self, index: usize) -> Option<(&Key, &Entry)> {
        self.keys.get_index(index)
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.keys.iter()
    }

    /// Mean time to the end of those that end, in milliseconds.
    pub fn mean_ttl(&self, now: u64) -> u64 {
        let sum: u64 = self.ends.iter().map(|(end, _)| end.saturating_sub(now)).sum();
        sum / u64::try_from(self.ends.len().max(1)).unwrap_or(1)
    }
}

#[derive(Debug, Default)]
struct Watch {
    clients: usize,
    version: u64,
}

/// The databases.
#[derive(Debug)]
pub struct Keyspace {
    dbs: Vec<Db>,
    /// Milliseconds since 1970; stands still within a command, a transaction, a script.
    pub now: u64,
    /// A file is being replayed: nothing ends by time.
    pub loading: bool,
    /// Changes since the start.
    pub changes: u64,
    /// Keys that were looked for and found, and looked for in vain.
    pub hits: (u64, u64),
    /// Keys that ended by time.
    pub expired: u64,
    memory: usize,
    watched: HashMap<(usize, Box<[u8]>), Watch>,
    /// Keys that clients wait for, with the slots of those clients, who came first in front.
    awaited: HashMap<(usize, Box<[u8]>), VecDeque<usize>>,
    /// Keys that somebody waits for and that have got elements.
    pub(super) ready: Vec<Place>,
    /// Keys that ended and whose deletion is not yet written down.
    pub(super) ended: Vec<Place>,
}

impl Keyspace {
    /// `count` empty databases.
    pub fn new(count: usize) -> Self {
        Self {
            dbs: (0..count).map(|_| Db::default()).collect(),
            now: 0,
            loading: false,
            changes: 0,
            hits: (0, 0),
            expired: 0,
            memory: 0,
            watched: HashMap::new(),
            awaited: HashMap::new(),
            ready: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A database.
    pub fn db(&self, db: usize) -> &Db {
        &self.dbs[db]
    }

    /// Number of databases.
    pub fn count(&self) -> usize {
        self.dbs.len()
    }

    /// Bytes that keys and values take, about.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// True when the entry's time is over.
    pub fn is_over(&self, entry: &Entry) -> bool {
        !self.loading && entry.expires.is_some_and(|end| end <= self.now)
    }

    fn place(&mut self, db: usize, key: &[u8]) -> Option<usize> {
        let (index, _, entry) = self.dbs[db].keys.get_full_mut(key)?;
        if !self.loading && entry.expires.is_some_and(|end| end <= self.now) {
            self.end(db, key);
            return None;
        }
        entry.used = self.now;
        Some(index)
    }

    /// Removes a key whose time is over.
    fn end(&mut self, db: usize, key: &[u8]) {
        if let Some((key, _)) = self.take(db, key) {
            self.expired += 1;
            self.ended.push((db, key));
        }
    }

    /// Removes up to `limit` keys whose time is over; true when there may be more.
    pub fn expire(&mut self, limit: usize) -> bool {
        let mut left = limit;
        for db in 0..self.dbs.len() {
            while let Some((end, key)) = self.dbs[db].ends.first() {
                if *end > self.now {
                    break;
                }
                if left == 0 {
                    return true;
                }
                left -= 1;
                let key = Rc::clone(key);
                self.end(db, &key);
            }
        }
        false
    }

    /// What a key holds.
    pub fn get(&mut self, db: usize, key: &[u8]) -> Option<&Entry> {
        match self.place(db, key) {
            Some(index) => {
                self.hits.0 += 1;
                Some(&self.dbs[db].keys[index])
            }
            None => {
                self.hits.1 += 1;
                None
            }
        }
    }

    /// What a key holds, without counting it as used.
    pub fn peek(&mut self, db: usize, key: &[u8]) -> Option<&Entry> {
        let used = self.dbs[db].keys.get(key)?.used;
        let index = self.place(db, key)?;
        let entry = &mut self.dbs[db].keys[index];
        entry.used = used;
        Some(entry)
    }

    /// What a key holds, for those who have asked for it in this command already.
    pub fn find(&self, db: usize, key: &[u8]) -> Option<&Entry> {
        self.dbs[db].keys.get(key).filter(|entry| !self.is_over(entry))
    }

    /// Whether there is such a key.
    pub fn contains(&mut self, db: usize, key: &[u8]) -> bool {
        self.place(db, key).is_some()
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn read<T: Kind>(&mut self, db: usize, key: &[u8]) -> Result<Option<&T>, Failure> {
        self.get(db, key).map(|entry| T::of(&entry.value).ok_or(WRONG_TYPE)).transpose()
    }

    /// The value of a key, to change it, if there is one.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn edit<T: Kind>(&mut self, db: usize, key: &[u8]) -> Result<Option<&mut T>, Failure> {
        let Some(index) = self.place(db, key) else { return Ok(None) };
        T::of_mut(&mut self.dbs[db].keys[index].value).ok_or(WRONG_TYPE).map(Some)
    }

    /// The value of a key, to change it; an absent one is made. `changed` has to follow.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn make<T: Kind>(&mut self, db: usize, key: &[u8]) -> Result<&mut T, Failure> {
        let index = match self.place(db, key) {
            Some(index) => index,
            None => self.put(db, key, T::default().into(), None),
        };
        T::of_mut(&mut self.dbs[db].keys[index].value).ok_or(WRONG_TYPE)
    }

    fn put(&mut self, db: usize, key: &[u8], value: Value, expires: Option<u64>) -> usize {
        let size = KEY_OVERHEAD + key.len() + value.memory();
        let entry = Entry { value, expires, used: self.now, size };
        self.memory += size;
        let key: Key = key.into();
        if let Some(end) = expires {
            self.dbs[db].ends.insert((end, Rc::clone(&key)));
        }
        self.dbs[db].keys.insert_full(key, entry).0
    }

    /// Gives a key a value, whatever it held before.
    pub fn set(&mut self, db: usize, key: &[u8], value: Value, expires: Option<u64>) {
        if let Some(entry) = self.dbs[db].keys.get_mut(key)
            && entry.expires.is_none()
            && expires.is_none()
        {
            entry.value = value;
            entry.used = self.now;
        } else {
            self.take_quietly(db, key);
            self.put(db, key, value, expires);
        }
        self.changed(db, key);
    }

    /// The value of a key was changed in place: counts it, and removes an empty collection.
    pub fn changed(&mut self, db: usize, key: &[u8]) {
        self.changes += 1;
        let Some(entry) = self.dbs[db].keys.get_mut(key) else { return };
        if entry.value.is_empty() {
            self.take(db, key);
            return;
        }
        let size = KEY_OVERHEAD + key.len() + entry.value.memory();
        self.memory = self.memory - entry.size + size;
        entry.size = size;
        let serves = matches!(entry.value, Value::List(_) | Value::Sorted(_));
        if serves && !self.awaited.is_empty() {
            self.notice(db, key);
        }
        self.touch(db, key);
    }

    /// Somebody who waits for the key may be served.
    fn notice(&mut self, db: usize, key: &[u8]) {
        let known = self.ready.iter().any(|(other, name)| *other == db && &**name == key);
        if !known && self.awaited.contains_key(&(db, key.into()) as &(usize, Box<[u8]>)) {
            self.ready.push((db, key.into()));
        }
    }

    /// Tells those who watch the key.
    pub fn touch(&mut self, db: usize, key: &[u8]) {
        if !self.watched.is_empty()
            && let Some(watch) = self.watched.get_mut(&(db, key.into()) as &(usize, Box<[u8]>))
        {
            watch.version += 1;
        }
    }

    fn take_quietly(&mut self, db: usize, key: &[u8]) -> Option<(Key, Entry)> {
        let (key, entry) = self.dbs[db].keys.swap_remove_entry(key)?;
        self.memory -= entry.size;
        if let Some(end) = entry.expires {
            self.dbs[db].ends.remove(&(end, Rc::clone(&key)));
        }
        Some((key, entry))
    }

    /// Removes a key and gives what it held.
    pub fn take(&mut self, db: usize, key: &[u8]) -> Option<(Key, Entry)> {
        let taken = self.take_quietly(db, key)?;
        self.touch(db, key);
        Some(taken)
    }

    /// Removes a key; true when there was one.
    pub fn remove(&mut self, db: usize, key: &[u8]) -> bool {
        let there = self.contains(db, key) && self.take(db, key).is_some();
        self.changes += u64::from(there);
        there
    }

    /// Sets or clears the end of a key that is there.
    pub fn set_end(&mut self, db: usize, key: &[u8], expires: Option<u64>) {
        let Some((_, key, entry)) = self.dbs[db].keys.get_full_mut(key) else { return };
        let key = Rc::clone(key);
        let before = std::mem::replace(&mut entry.expires, expires);
        let ends = &mut self.dbs[db].ends;
        if let Some(end) = before {
            ends.remove(&(end, Rc::clone(&key)));
        }
        if let Some(end) = expires {
            ends.insert((end, Rc::clone(&key)));
        }
        self.changes += 1;
        self.touch(db, &key);
    }

    /// Removes every key of a database; gives their number.
    pub fn clear(&mut self, db: usize) -> usize {
        let watched: Vec<_> = self.watched.keys().filter(|(at, _)| *at == db).cloned().collect();
        for (_, key) in watched {
            if self.dbs[db].keys.contains_key(&*key) {
                self.touch(db, &key);
            }
        }
        let gone = std::mem::take(&mut self.dbs[db]);
        self.memory -= gone.keys.values().map(|entry| entry.size).sum::<usize>();
        self.changes += 1;
        gone.keys.len()
    }

    /// Lets two databases change places.
    pub fn swap(&mut self, one: usize, other: usize) {
        let watched: Vec<_> = self.watched.keys().cloned().collect();
        let concerned = |keyspace: &Self, key: &[u8]| {
            [one, other].iter().any(|db| keyspace.dbs[*db].keys.contains_key(key))
        };
        for (db, key) in watched.into_iter().filter(|(db, _)| *db == one || *db == other) {
            if concerned(self, &key) {
                self.touch(db, &key);
            }
        }
        self.dbs.swap(one, other);
        self.changes += 1;
        let awaited: Vec<_> = self.awaited.keys().cloned().collect();
        for (db, key) in awaited.into_iter().filter(|(db, _)| *db == one || *db == other) {
            if self.dbs[db].keys.contains_key(&*key) {
                self.notice(db, &key);
            }
        }
    }

    /// Starts to watch a key; gives its version.
    pub fn watch(&mut self, db: usize, key: &[u8]) -> u64 {
        let watch = self.watched.entry((db, key.into())).or_default();
        watch.clients += 1;
        watch.version
    }

    /// Ends watching a key; gives its version.
    pub fn unwatch(&mut self, db: usize, key: &[u8]) -> u64 {
        let place = (db, key.into());
        let Some(watch) = self.watched.get_mut(&place) else { return 0 };
        watch.clients -= 1;
        let version = watch.version;
        if watch.clients == 0 {
            self.watched.remove(&place);
        }
        version
    }

    /// A client begins to wait for elements of a key.
    pub fn await_key(&mut self, db: usize, key: &[u8], slot: usize) {
        let queue = self.awaited.entry((db, key.into())).or_default();
        if !queue.contains(&slot) {
            queue.push_back(slot);
        }
    }

    /// A client waits no more.
    pub fn leave_key(&mut self, db: usize, key: &[u8], slot: usize) {
        let place = (db, key.into());
        if let Some(queue) = self.awaited.get_mut(&place) {
            queue.retain(|other| *other != slot);
            if queue.is_empty() {
                self.awaited.remove(&place);
            }
        }
    }

    /// Who has waited longest for elements of a key.
    pub fn first_waiting(&self, db: usize, key: &[u8]) -> Option<usize> {
        self.awaited.get(&(db, key.into()) as &(usize, Box<[u8]>))?.front().copied()
    }
}
