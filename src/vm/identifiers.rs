//! Numbers that a node gives once: ids of documents, increments of timestamps, random keys.
//!
//! Invariant: two nodes have the same five random bytes and the same count by chance alone; a random
//! byte is given once and then forgotten.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of a key.
const KEY: usize = 8;

/// Random keys that the system is asked for at once: asking takes longer than all the rest.
const STOCK: usize = 64;

/// Counts and random bytes of a node.
pub struct Identifiers {
    node: [u8; 5],
    keys: Mutex<Vec<[u8; KEY]>>,
    documents: AtomicU32,
    increments: AtomicU32,
}

impl Identifiers {
    /// Those of a new node.
    pub fn new() -> Self {
        let mut random = [0; 9];
        if SystemRandom::new().fill(&mut random).is_err() {
            // Without random bytes the process and an address of this one tell nodes apart.
            let here = (&raw const random) as u64 ^ u64::from(std::process::id()) << 32;
            random[..8].copy_from_slice(&here.to_le_bytes());
        }
        let [a, b, c, d, e, f, g, h, i] = random;
        Self {
            node: [a, b, c, d, e],
            keys: Mutex::default(),
            documents: AtomicU32::new(u32::from_le_bytes([f, g, h, i])),
            increments: AtomicU32::new(0),
        }
    }

    /// An id for a document made at so many seconds since 1970.
    pub fn next_object_id(&self, now: u64) -> [u8; 12] {
        let [.., t0, t1, t2, t3] = now.to_be_bytes();
        let [n0, n1, n2, n3, n4] = self.node;
        let [_, c0, c1, c2] = self.documents.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        [t0, t1, t2, t3, n0, n1, n2, n3, n4, c0, c1, c2]
    }

    /// Eight bytes that nobody can guess, and that are not all zero. `None` when the system gives
    /// none.
    pub fn random_key(&self) -> Option<[u8; KEY]> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match keys.pop() {
                Some(key) if key != [0; KEY] => {
                    // What is left behind the end is overwritten, so that no key can be read twice.
                    let length = keys.len();
                    keys.push([0; KEY]);
                    keys.truncate(length);
                    return Some(key);
                }
                Some(_) => {}
                None => {
                    let mut fresh = [[0; KEY]; STOCK];
                    SystemRandom::new().fill(fresh.as_flattened_mut()).ok()?;
                    keys.extend_from_slice(&fresh);
                }
            }
        }
    }

    /// The increment of a timestamp that names none.
    pub fn next_increment(&self) -> u32 {
        self.increments.fetch_add(1, Ordering::Relaxed)
    }
}

impl Default for Identifiers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_with_the_time_and_differ() {
        let identifiers = Identifiers::new();
        let ids: Vec<_> = (0..3).map(|_| identifiers.next_object_id(0x0102_0304)).collect();
        assert!(ids.iter().all(|id| id[..9] == ids[0][..9] && id[..4] == [1, 2, 3, 4]));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_ne!(Identifiers::new().next_object_id(0)[4..9], ids[0][4..9]);
        assert_eq!([identifiers.next_increment(), identifiers.next_increment()], [0, 1]);
    }

    #[test]
    fn no_key_is_given_twice() {
        let identifiers = Identifiers::new();
        let mut keys: Vec<_> =
            (0..3 * STOCK).map(|_| identifiers.random_key().expect("there are some")).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 3 * STOCK);
    }
}
