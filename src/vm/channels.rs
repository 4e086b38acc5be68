//! Debug channels: lines of text from one service to another that is being debugged, past its
//! mailbox.
//!
//! Invariant: a channel lives as long as somebody holds it; its number finds it until it is
//! released. What nobody reads is bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Most channels of a node that can be connected to.
const MOST_CHANNELS: usize = 1024;
/// Most unread bytes of one.
const MOST_BYTES: usize = 1 << 20;

/// The channels of a node that can be connected to, by number.
#[derive(Debug, Default)]
pub struct Channels(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: usize,
    channels: HashMap<usize, Arc<Channel>>,
}

/// One channel.
#[derive(Debug, Default)]
pub struct Channel(Mutex<Unread>);

#[derive(Debug, Default)]
struct Unread {
    lines: VecDeque<Vec<u8>>,
    /// Bytes of the lines, with one for the end of each.
    bytes: usize,
}

impl Channels {
    /// A new channel and its number; `None` when there are too many.
    pub fn create(&self) -> Option<(usize, Arc<Channel>)> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.channels.len() >= MOST_CHANNELS {
            return None;
        }
        open.last += 1;
        let (number, channel) = (open.last, Arc::default());
        open.channels.insert(number, Arc::clone(&channel));
        Some((number, channel))
    }

    /// The channel with a number.
    pub fn find(&self, number: usize) -> Option<Arc<Channel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).channels.get(&number).cloned()
    }

    /// Makes a number unknown; whoever holds the channel keeps it.
    pub fn release(&self, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).channels.remove(&number);
    }
}

impl Channel {
    /// Adds a line; false when too much is unread.
    pub fn write(&self, line: &[u8]) -> bool {
        let mut unread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unread.bytes + line.len() >= MOST_BYTES {
            return false;
        }
        unread.bytes += line.len() + 1;
        unread.lines.push_back(line.to_vec());
        true
    }

    /// Takes the oldest line.
    pub fn read(&self) -> Option<Vec<u8>> {
        let mut unread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = unread.lines.pop_front()?;
        unread.bytes -= line.len() + 1;
        Some(line)
    }
}
