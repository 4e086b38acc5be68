//! Taking elements from the first of several keys that has some, and waiting for them.
//!
//! Invariants: who waits is served in the order of coming; a key gives its elements away before
//! the next command of anybody runs, after the whole transaction or script that filled it.

use super::Store;
use super::call::{Record, Words, words};
use super::client::Waiting;
use super::number::{float_text, integer_text};
use super::reply::{Answer, Failure, Reply};
use super::value::{End, List, Sorted};

/// Members that were taken, with their scores.
pub type Taken = Vec<(Box<[u8]>, f64)>;

/// What to do with a key that has elements.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Take one element of a list, and say of which.
    Pop(End),
    /// Take up to so many elements of a list.
    PopMany(End, usize),
    /// Move an element to another list.
    Move {
        /// The other list.
        destination: Box<[u8]>,
        /// Where to take it.
        from: End,
        /// Where to put it.
        to: End,
    },
    /// Take the member with the lowest score, or the highest if true.
    PopScore(bool),
    /// Take up to so many of them.
    PopScores(bool, usize),
}

impl Wish {
    /// The reply when there was nothing and there is no waiting.
    pub fn nothing(&self) -> Reply {
        if let Self::Move { .. } = self { Reply::Nil } else { Reply::NilArray }
    }
}

impl Store {
    /// Fulfils a wish with what a key has; none if it has nothing. Gives what to write down, too.
    ///
    /// # Errors
    /// When the key, or the destination, is of another type.
    pub fn fulfil(
        &mut self,
        db: usize,
        key: &[u8],
        wish: &Wish,
    ) -> Result<Option<(Reply, Words)>, Failure> {
        match wish {
            Wish::Pop(end) => Ok(self.pop_items(db, key, *end, 1)?.map(|items| {
                (Reply::strings([key, items[0].as_ref()]), words(&[pop_name(*end), key]))
            })),
            Wish::PopMany(end, count) => Ok(self.pop_items(db, key, *end, *count)?.map(|items| {
                let number = integer_text(i64::try_from(items.len()).unwrap_or(i64::MAX));
                let record = words(&[pop_name(*end), key, &number]);
                (Reply::Array(vec![Reply::bulk(key), Reply::strings(items)]), record)
            })),
            Wish::Move { destination, from, to } => {
                let moved = self.move_item(db, key, destination, *from, *to)?;
                let (from, to) = (from.name().as_bytes(), to.name().as_bytes());
                let record = words(&[b"LMOVE", key, destination, from, to]);
                Ok(moved.map(|item| (Reply::Bulk(item.into()), record)))
            }
            Wish::PopScore(highest) => Ok(self.pop_scores(db, key, *highest, 1)?.map(|taken| {
                let (member, score) = &taken[0];
                let reply = Reply::strings([key, member, &float_text(*score)]);
                (reply, words(&[pop_score_name(*highest), key]))
            })),
            Wish::PopScores(highest, count) => {
                Ok(self.pop_scores(db, key, *highest, *count)?.map(|taken| {
                    let number = integer_text(i64::try_from(taken.len()).unwrap_or(i64::MAX));
                    let pair = |(member, score): (Box<[u8]>, f64)| {
                        Reply::strings([&*member, &*float_text(score)])
                    };
                    let pairs = Reply::Array(taken.into_iter().map(pair).collect());
                    let record = words(&[pop_score_name(*highest), key, &number]);
                    (Reply::Array(vec![Reply::bulk(key), pairs]), record)
                }))
            }
        }
    }

    fn pop_items(
        &mut self,
        db: usize,
        key: &[u8],
        end: End,
        count: usize,
    ) -> Result<Option<Vec<Box<[u8]>>>, Failure> {
        let Some(list) = self.keys.edit::<List>(db, key)? else { return Ok(None) };
        let items = (0..count.min(list.len())).filter_map(|_| list.pop(end)).collect();
        self.keys.changed(db, key);
        Ok(Some(items))
    }

    fn move_item(
        &mut self,
        db: usize,
        source: &[u8],
        destination: &[u8],
        from: End,
        to: End,
    ) -> Result<Option<Box<[u8]>>, Failure> {
        if self.keys.edit::<List>(db, source)?.is_none() {
            return Ok(None);
        }
        self.keys.read::<List>(db, destination)?;
        let item = self.keys.edit::<List>(db, source)?.and_then(|list| list.pop(from));
        if let Some(item) = &item {
            // A list moved within itself is never empty in between for anybody to see.
            self.keys.make::<List>(db, destination)?.push(to, item);
            self.keys.changed(db, source);
            if source != destination {
                self.keys.changed(db, destination);
            }
        }
        Ok(item)
    }

    fn pop_scores(
        &mut self,
        db: usize,
        key: &[u8],
        highest: bool,
        count: usize,
    ) -> Result<Option<Taken>, Failure> {
        let Some(sorted) = self.keys.edit::<Sorted>(db, key)? else { return Ok(None) };
        let taken = take_scores(sorted, highest, count);
        self.keys.changed(db, key);
        Ok(Some(taken))
    }

    /// Fulfils a wish with the first of the keys that has something, or lets the client wait.
    ///
    /// # Errors
    /// When such a key is of another type.
    pub(super) fn fulfil_first(
        call: &mut super::call::Call<'_>,
        keys: &[&[u8]],
        wish: Wish,
        timeout: Option<Option<u64>>,
    ) -> Answer {
        let db = call.db();
        for key in keys {
            if let Some((reply, record)) = call.store.fulfil(db, key, &wish)? {
                call.record = Record::Instead(vec![record]);
                return Ok(reply);
            }
        }
        match timeout {
            Some(timeout) if call.may_wait => {
                let keys = keys.iter().map(|key| (*key).into()).collect();
                let until = timeout.map(|milliseconds| call.store.keys.now + milliseconds);
                call.waits = Some(Waiting { keys, wish, until });
                Ok(Reply::NOTHING)
            }
            _ => Ok(wish.nothing()),
        }
    }

    /// Lets a client wait.
    pub(super) fn begin_waiting(&mut self, slot: usize, db: usize, waiting: &Waiting) {
        for key in &waiting.keys {
            self.keys.await_key(db, key, slot);
        }
    }

    /// Ends the waiting of a client, with a reply.
    pub(super) fn end_waiting(&mut self, slot: usize, reply: &Reply) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(waiting) = client.waiting.take() else { return };
        let db = client.db;
        client.push(reply);
        client.wake();
        for key in &waiting.keys {
            self.keys.leave_key(db, key, slot);
        }
    }

    /// The time of a client that waits is over.
    pub fn give_up(&mut self, slot: usize) {
        self.end_waiting(slot, &Reply::NilArray);
    }

    /// Serves those who wait for keys that have got elements.
    pub(super) fn serve_waiting(&mut self) {
        while !self.keys.ready.is_empty() {
            for (db, key) in std::mem::take(&mut self.keys.ready) {
                while self.serve_first(db, &key) {}
            }
        }
    }

    /// Serves who has waited longest for a key; false when there is nothing more to give.
    fn serve_first(&mut self, db: usize, key: &[u8]) -> bool {
        let Some(slot) = self.keys.first_waiting(db, key) else { return false };
        let wish = self
            .clients
            .get_mut(slot)
            .and_then(|client| client.waiting.as_ref().map(|waiting| waiting.wish.clone()));
        let Some(wish) = wish else { return false };
        if !self.gives(db, key, &wish) {
            return false;
        }
        match self.fulfil(db, key, &wish) {
            Ok(Some((reply, record))) => {
                self.end_waiting(slot, &reply);
                self.note_effects(db, Some(Record::Instead(vec![record])), &[]);
            }
            Ok(None) => return false,
            Err(failure) => self.end_waiting(slot, &Reply::Error(failure)),
        }
        true
    }

    /// Whether the key is of the type that the wish wants. A client that waits for a list does not
    /// hear of a sorted set.
    fn gives(&mut self, db: usize, key: &[u8], wish: &Wish) -> bool {
        let Some(entry) = self.keys.peek(db, key) else { return false };
        match wish {
            Wish::Pop(_) | Wish::PopMany(..) | Wish::Move { .. } => {
                matches!(entry.value, super::value::Value::List(_))
            }
            Wish::PopScore(_) | Wish::PopScores(..) => {
                matches!(entry.value, super::value::Value::Sorted(_))
            }
        }
    }
}

/// Takes up to `count` members with the lowest or highest scores.
pub fn take_scores(sorted: &mut Sorted, highest: bool, count: usize) -> Taken {
    let length = sorted.len();
    let count = count.min(length);
    let entry = |entry: &super::value::Ranked| (Box::from(&*entry.member), entry.score);
    let taken: Vec<_> = if highest {
        sorted.order().range(length - count, length).rev().map(entry).collect()
    } else {
        sorted.order().range(0, count).map(entry).collect()
    };
    for (member, _) in &taken {
        sorted.remove(member);
    }
    taken
}

fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Left => b"LPOP",
        End::Right => b"RPOP",
    }
}

fn pop_score_name(highest: bool) -> &'static [u8] {
    if highest { b"ZPOPMAX" } else { b"ZPOPMIN" }
}
