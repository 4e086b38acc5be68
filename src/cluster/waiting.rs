//! Requests that wait for a connection.
//!
//! Invariant: they leave in the order in which they came, and `bytes` is the exact sum of theirs.
//! Not here: what becomes of them (`caller.rs`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::kernel::Message;

/// Most requests that wait.
const MOST: usize = 1 << 16;

/// A request, and the time at which it fails if it has no answer.
pub(super) type Request = (Message, Option<Duration>);

/// Requests that wait for a connection.
#[derive(Default)]
pub(super) struct Waiting {
    queue: VecDeque<Request>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn push(&mut self, request: Request) {
        self.bytes += request.0.payload.len();
        self.queue.push_back(request);
    }

    pub(super) fn take(&mut self) -> VecDeque<Request> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }

    /// Those whose time is over.
    pub(super) fn take_late(&mut self, now: Duration) -> Vec<Message> {
        let mut late = Vec::new();
        for (message, until) in self.take() {
            if until.is_some_and(|until| until <= now) {
                late.push(message);
            } else {
                self.push((message, until));
            }
        }
        late
    }

    /// When the next one's time is over.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        // They came in order, so the first that has a deadline has the nearest.
        self.queue.iter().find_map(|(_, until)| *until)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when there are more, or more bytes, than may wait.
    pub(super) fn is_over(&self, most_bytes: usize) -> bool {
        self.queue.len() > MOST || self.bytes > most_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Kind, Payload, Session};

    fn request(session: i32, until: Option<u64>) -> Request {
        let payload = Payload::copy_of(b"12345");
        let session = Session(session);
        let message = Message { source: None, session, kind: Kind::HARBOR, payload };
        (message, until.map(Duration::from_secs))
    }

    #[test]
    fn those_that_are_late_leave_and_the_others_keep_their_order() {
        let mut waiting = Waiting::default();
        for (session, until) in [(1, Some(10)), (0, None), (2, Some(20)), (3, Some(30))] {
            waiting.push(request(session, until));
        }
        assert_eq!((waiting.len(), waiting.bytes()), (4, 20));
        let late = waiting.take_late(Duration::from_secs(20));
        let sessions: Vec<i32> = late.iter().map(|message| message.session.0).collect();
        assert_eq!(sessions, [1, 2]);
        assert_eq!(waiting.bytes(), 10);
        assert_eq!(waiting.next_deadline(), Some(Duration::from_secs(30)));
        let left: Vec<i32> = waiting.take().iter().map(|(message, _)| message.session.0).collect();
        assert_eq!(left, [0, 3]);
        assert_eq!(waiting.bytes(), 0);
    }

    #[test]
    fn there_are_bounds_for_their_number_and_their_bytes() {
        let mut waiting = Waiting::default();
        waiting.push(request(1, None));
        assert!(!waiting.is_over(5));
        assert!(waiting.is_over(4));
        (0..MOST).for_each(|_| waiting.push(request(1, None)));
        assert!(waiting.is_over(usize::MAX));
    }
}
