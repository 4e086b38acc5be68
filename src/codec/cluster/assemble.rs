//! Puts the parts of large messages together again, for one direction of one connection.
//!
//! Invariant: memory follows what has arrived, never what was declared, and has two bounds: the
//! bytes of all unfinished messages together, and their number.
//! Not here: what an error does to the connection, and how long a message may stay unfinished.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Most messages of a connection that may be unfinished. Peers send a begin at once and the parts
/// when there is time, so this is how many large requests one may have queued: at least half a
/// gigabyte of bodies on its side. Here they are 16,384 entries of a few hundred bytes.
pub const MOST_UNFINISHED: usize = 1 << 14;

/// Room made at the first part, as a multiple of it: bodies up to 128 KiB take one allocation.
const FIRST_GROWTH: usize = 4;

/// Room made whenever it is used up, as a multiple of what is needed.
const GROWTH: usize = 2;

/// Why a frame does not fit what came before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The begin declares more than a message may have.
    #[error("large message {session}: {total} bytes declared (limit {limit})")]
    TooLarge {
        /// The session of the message.
        session: u32,
        /// Bytes that its begin declares.
        total: u32,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// A begin for a session whose last message is unfinished.
    #[error("large message {session}: begun twice")]
    BegunTwice {
        /// The session of the message.
        session: u32,
    },
    /// A begin while as many messages as are allowed are unfinished.
    #[error("large message {session}: {limit} others are unfinished (limit {limit})")]
    TooMany {
        /// The session of the message.
        session: u32,
        /// Unfinished messages that are allowed.
        limit: usize,
    },
    /// A part without a begin.
    #[error("large message {session}: a part without a begin")]
    NotBegun {
        /// The session that the part names.
        session: u32,
    },
    /// Unfinished messages together would exceed what is allowed.
    #[error("large message {session}: {bytes} bytes of unfinished messages (limit {limit})")]
    TooMuch {
        /// The session of the part.
        session: u32,
        /// Bytes of all unfinished messages, with the part.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The parts have more bytes than the begin declares, or end before them.
    #[error("large message {session}: {bytes} bytes arrived of {total} declared")]
    WrongSize {
        /// The session of the message.
        session: u32,
        /// Bytes that arrived, with the part.
        bytes: usize,
        /// Bytes that the begin declares.
        total: u32,
    },
}

/// The unfinished messages of a connection. `K` is what a begin knows and the whole needs.
#[derive(Debug)]
pub struct Assembly<K> {
    unfinished: HashMap<u32, Unfinished<K>>,
    /// Sum of the bytes of all unfinished messages.
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Unfinished<K> {
    key: K,
    total: u32,
    body: Vec<u8>,
}

impl<K> Unfinished<K> {
    /// Appends a part, with room for more as far as what arrived promises it.
    fn append(&mut self, part: &[u8]) {
        let needed = self.body.len() + part.len();
        if needed > self.body.capacity() {
            let growth = if self.body.is_empty() { FIRST_GROWTH } else { GROWTH };
            let room = needed.saturating_mul(growth).min(self.total as usize);
            self.body.reserve_exact(room - self.body.len());
        }
        self.body.extend_from_slice(part);
    }
}

impl<K> Assembly<K> {
    /// Nothing begun. `limit` bounds the bytes of all unfinished messages together, and of one.
    pub fn new(limit: usize) -> Self {
        Self { unfinished: HashMap::new(), bytes: 0, limit }
    }

    /// True when no message is unfinished.
    pub fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// Bytes that have arrived of unfinished messages.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Begins a message of `total` bytes. What was begun before stays when this one is refused.
    ///
    /// # Errors
    /// When `total` exceeds the limit, the session has an unfinished message, or there are
    /// `MOST_UNFINISHED`.
    pub fn begin(&mut self, session: u32, total: u32, key: K) -> Result<(), AssemblyError> {
        let limit = self.limit;
        if total as usize > limit {
            return Err(AssemblyError::TooLarge { session, total, limit });
        }
        let count = self.unfinished.len();
        match self.unfinished.entry(session) {
            Entry::Occupied(_) => Err(AssemblyError::BegunTwice { session }),
            Entry::Vacant(_) if count == MOST_UNFINISHED => {
                Err(AssemblyError::TooMany { session, limit: MOST_UNFINISHED })
            }
            Entry::Vacant(entry) => {
                entry.insert(Unfinished { key, total, body: Vec::new() });
                Ok(())
            }
        }
    }

    /// Takes a part; with the last one gives what `begin` got and the whole body. A message whose
    /// part is refused is forgotten, the others stay.
    ///
    /// # Errors
    /// When the session has no unfinished message, its parts have not the declared size, or all
    /// unfinished messages together exceed the limit.
    pub fn part(
        &mut self,
        session: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<Option<(K, Vec<u8>)>, AssemblyError> {
        let Entry::Occupied(mut entry) = self.unfinished.entry(session) else {
            return Err(AssemblyError::NotBegun { session });
        };
        let message = entry.get_mut();
        let (total, before) = (message.total, message.body.len());
        let arrived = before + bytes.len();
        let together = self.bytes + bytes.len();
        let is_whole = arrived == total as usize;
        let error = if arrived > total as usize || last && !is_whole {
            AssemblyError::WrongSize { session, bytes: arrived, total }
        } else if together > self.limit {
            AssemblyError::TooMuch { session, bytes: together, limit: self.limit }
        } else {
            message.append(bytes);
            if !last {
                self.bytes = together;
                return Ok(None);
            }
            let Unfinished { key, body, .. } = entry.remove();
            self.bytes -= before;
            return Ok(Some((key, body)));
        };
        entry.remove();
        self.bytes -= before;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cluster::{PART, parts};

    const LIMIT: usize = 200_000;

    #[test]
    fn messages_whose_parts_come_mixed_are_put_together() {
        let one: Vec<u8> = (0..70_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        let two = vec![b'2'; PART + 1];
        let mut assembly = Assembly::new(LIMIT);
        assembly.begin(1, 70_000, "one").unwrap();
        assembly.begin(2, 32_769, "two").unwrap();
        let mut parts_of_one = parts(&one);
        let mut parts_of_two = parts(&two);
        let mut take = |session, part: Option<(&[u8], bool)>| {
            let (bytes, last) = part.unwrap();
            assembly.part(session, bytes, last).unwrap()
        };
        assert_eq!(take(1, parts_of_one.next()), None);
        assert_eq!(take(2, parts_of_two.next()), None);
        assert_eq!(take(1, parts_of_one.next()), None);
        assert_eq!(take(2, parts_of_two.next()), Some(("two", two.clone())));
        assert_eq!(take(1, parts_of_one.next()), Some(("one", one.clone())));
        assert!(assembly.is_empty());
        assert_eq!(assembly.bytes(), 0);
    }

    #[test]
    fn a_declared_size_takes_no_memory_until_it_arrives() {
        let mut assembly = Assembly::new(LIMIT);
        assembly.begin(1, 200_000, ()).unwrap();
        assert_eq!(assembly.unfinished[&1].body.capacity(), 0);
        assembly.part(1, b"x", false).unwrap();
        assert_eq!(assembly.unfinished[&1].body.capacity(), FIRST_GROWTH);
        assert_eq!(assembly.bytes(), 1);
    }

    #[test]
    fn a_body_of_64_kib_with_its_head_takes_one_allocation() {
        let body = vec![0; 0x10000 + 5];
        let mut assembly = Assembly::new(LIMIT);
        assembly.begin(1, 0x10005, ()).unwrap();
        let mut places = Vec::new();
        for (part, last) in parts(&body) {
            match assembly.part(1, part, last).unwrap() {
                None => places.push(assembly.unfinished[&1].body.as_ptr()),
                Some((_, whole)) => {
                    places.push(whole.as_ptr());
                    assert_eq!(whole.capacity(), body.len());
                }
            }
        }
        assert_eq!(places.len(), 3);
        assert!(places.iter().all(|place| *place == places[0]));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_numbers() {
        let mut assembly = Assembly::new(10);
        let begin = assembly.begin(1, 11, ()).unwrap_err();
        assert_eq!(begin.to_string(), "large message 1: 11 bytes declared (limit 10)");
        assembly.begin(1, 10, ()).unwrap();
        let again = assembly.begin(1, 10, ()).unwrap_err();
        assert_eq!(again.to_string(), "large message 1: begun twice");

        let mut part = |session, bytes: &[u8], last| {
            assembly.part(session, bytes, last).unwrap_err().to_string()
        };
        assert_eq!(part(2, b"x", true), "large message 2: a part without a begin");
        assert_eq!(part(1, b"xyz", true), "large message 1: 3 bytes arrived of 10 declared");
        assert_eq!(part(1, b"xyz", true), "large message 1: a part without a begin");
        assembly.begin(1, 2, ()).unwrap();
        let more = assembly.part(1, b"xyz", false).unwrap_err();
        assert_eq!(more.to_string(), "large message 1: 3 bytes arrived of 2 declared");

        assembly.begin(1, 10, ()).unwrap();
        assembly.begin(2, 10, ()).unwrap();
        assert_eq!(assembly.part(1, b"123456", false), Ok(None));
        let more = assembly.part(2, b"12345", false).unwrap_err();
        assert_eq!(more.to_string(), "large message 2: 11 bytes of unfinished messages (limit 10)");
        assert_eq!(assembly.bytes(), 6);
        assert_eq!(assembly.part(1, b"7890", true), Ok(Some(((), b"1234567890".to_vec()))));
    }

    #[test]
    fn the_number_of_unfinished_messages_is_bounded() {
        let mut assembly = Assembly::new(LIMIT);
        for session in 0..1 << 14 {
            assembly.begin(session, 1, ()).unwrap();
        }
        assert_eq!(
            assembly.begin(1 << 14, 1, ()).unwrap_err().to_string(),
            "large message 16384: 16384 others are unfinished (limit 16384)"
        );
        assembly.part(0, b"x", true).unwrap();
        assert_eq!(assembly.begin(1 << 14, 1, ()), Ok(()));
    }
}
