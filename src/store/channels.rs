//! Channels and patterns, and who listens to them.
//!
//! Invariant: a slot stands under a channel exactly if its client has the channel in its own list.

use indexmap::IndexMap;

use super::Store;
use super::client::Client;
use super::glob;
use super::reply::Reply;

type Listeners = IndexMap<Vec<u8>, Vec<usize>>;

/// Who listens to what.
#[derive(Debug, Default)]
pub struct Channels {
    channels: Listeners,
    patterns: Listeners,
}

/// What a client listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A channel by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
}

impl Channels {
    fn of(&mut self, subject: Subject) -> &mut Listeners {
        match subject {
            Subject::Channel => &mut self.channels,
            Subject::Pattern => &mut self.patterns,
        }
    }

    /// The channels that somebody listens to by name.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.channels.keys().map(Vec::as_slice)
    }

    /// How many listen to a channel by its name.
    pub fn listeners(&self, channel: &[u8]) -> usize {
        self.channels.get(channel).map_or(0, Vec::len)
    }

    /// Number of patterns that somebody listens to.
    pub fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// A client begins to listen.
    pub fn add(&mut self, subject: Subject, name: &[u8], slot: usize) {
        self.of(subject).entry(name.to_vec()).or_default().push(slot);
    }

    /// A client ends listening.
    pub fn remove(&mut self, subject: Subject, name: &[u8], slot: usize) {
        let all = self.of(subject);
        if let Some(listeners) = all.get_mut(name) {
            listeners.retain(|other| *other != slot);
            if listeners.is_empty() {
                all.shift_remove(name);
            }
        }
    }
}

impl Store {
    /// Sends a message to all who listen; gives their number. `sender` is out of its slot.
    pub fn publish(&mut self, sender: &mut Client, channel: &[u8], message: &[u8]) -> usize {
        let mut count = 0;
        let Self { channels, clients, .. } = self;
        let mut deliver = |slots: &[usize], reply: Reply| {
            for slot in slots {
                clients.get_mut(*slot).unwrap_or(sender).push(&reply);
            }
            count += slots.len();
        };
        if let Some(slots) = channels.channels.get(channel) {
            deliver(slots, Reply::strings([&b"message"[..], channel, message]));
        }
        for (pattern, slots) in &channels.patterns {
            if glob::matches(pattern, channel) {
                deliver(slots, Reply::strings([&b"pmessage"[..], pattern, channel, message]));
            }
        }
        count
    }
}
