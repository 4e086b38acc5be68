//! Whether a server takes less than it is sent, for `overload` of `redis.connect`.
//!
//! Invariant: whoever watches is told each change that lasts until it asks, and the end once.

use crate::kernel::Session;

/// Bytes that wait to be written from which on it is overloaded; skynet's figure for its warning.
const OVERLOADED: usize = 1 << 20;

/// Bytes above which the queue of the socket is looked at before more is put into it.
const WATCHED: usize = 64 << 10;

/// Whoever has to be told, and the reply it gets.
pub(super) struct Change {
    pub(super) session: Session,
    pub(super) reply: &'static [u8],
}

/// Whether a server takes less than it is sent.
#[derive(Debug, Default)]
pub(super) struct Overload {
    /// Bytes are queued on the socket, more than a few.
    queued: bool,
    over: bool,
    told: bool,
    closed: bool,
    waiter: Option<Session>,
}

impl Overload {
    /// So many bytes wait to be written.
    pub(super) fn note(&mut self, queued: usize) -> Option<Change> {
        self.queued = queued > WATCHED;
        if queued >= OVERLOADED {
            self.over = true;
        } else if queued == 0 {
            self.over = false;
        }
        self.change()
    }

    /// The queue is worth a look.
    pub(super) const fn is_watched(&self) -> bool {
        self.queued
    }

    pub(super) fn wait(&mut self, session: Session) -> Option<Change> {
        self.waiter = Some(session);
        self.change()
    }

    pub(super) fn close(&mut self) -> Option<Change> {
        self.closed = true;
        self.change()
    }

    fn change(&mut self) -> Option<Change> {
        if self.over == self.told && !self.closed {
            return None;
        }
        let session = self.waiter.take()?;
        self.told = self.over;
        let reply: &[u8] = match (self.closed, self.over) {
            (true, _) => b"$-1\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        };
        Some(Change { session, reply })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: Option<Change>) -> Option<(i32, &'static [u8])> {
        change.map(|change| (change.session.0, change.reply))
    }

    #[test]
    fn it_begins_at_a_mebibyte_and_ends_when_nothing_waits() {
        let mut overload = Overload::default();
        assert_eq!(told(overload.wait(Session(1))), None);
        assert_eq!(told(overload.note(OVERLOADED - 1)), None);
        assert!(overload.is_watched());
        assert_eq!(told(overload.note(OVERLOADED)), Some((1, b":1\r\n".as_slice())));
        assert_eq!(told(overload.note(10)), None);
        assert_eq!(told(overload.note(0)), None, "nobody asks");
        assert_eq!(told(overload.wait(Session(2))), Some((2, b":0\r\n".as_slice())));
        assert_eq!(told(overload.wait(Session(3))), None);
        assert_eq!(told(overload.close()), Some((3, b"$-1\r\n".as_slice())));
        assert_eq!(told(overload.wait(Session(4))), Some((4, b"$-1\r\n".as_slice())));
    }
}
