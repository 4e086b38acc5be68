//! Until when calls on a connection wait.
//!
//! Invariant: oldest first; calls that were answered take no room for long.
//! Not here: whose calls they are (`link.rs`), the timer (`caller.rs`).

use std::collections::VecDeque;
use std::time::Duration;

/// Calls that are remembered beside those that wait. Above it the answered ones are forgotten.
const ANSWERED: usize = 1024;

/// Wire sessions by the time at which they fail.
#[derive(Debug, Default)]
pub(super) struct Deadlines(VecDeque<(Duration, u32)>);

impl Deadlines {
    /// Notes a call that waits until a time that is not before those of others.
    pub(super) fn push(&mut self, until: Duration, session: u32) {
        self.0.push_back((until, session));
    }

    /// Forgets calls that were answered, now and then; `count` calls wait.
    pub(super) fn tidy(&mut self, count: usize, waits: impl Fn(u32) -> bool) {
        if self.0.len() > count * 2 + ANSWERED {
            self.0.retain(|(_, session)| waits(*session));
        }
    }

    /// Takes out a call whose time is over.
    pub(super) fn pop_late(&mut self, now: Duration) -> Option<u32> {
        let (until, session) = *self.0.front()?;
        (until <= now).then(|| self.0.pop_front().map(|_| session))?
    }

    /// When the next one's time is over.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.front().map(|(until, _)| *until)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_out_when_their_time_is_over_and_not_before() {
        let mut deadlines = Deadlines::default();
        for session in 1..=3 {
            deadlines.push(Duration::from_secs(u64::from(session)), session);
        }
        assert_eq!(deadlines.next(), Some(Duration::from_secs(1)));
        let now = Duration::from_secs(2);
        let late: Vec<u32> = std::iter::from_fn(|| deadlines.pop_late(now)).collect();
        assert_eq!(late, [1, 2]);
        assert_eq!(deadlines.next(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_call_that_waits_long_does_not_keep_those_that_were_answered() {
        let mut deadlines = Deadlines::default();
        for session in 0..100_000 {
            deadlines.push(Duration::from_secs(60), session);
            deadlines.tidy(1, |session| session == 0);
        }
        assert!(deadlines.0.len() <= ANSWERED + 3, "{}", deadlines.0.len());
        assert_eq!(deadlines.pop_late(Duration::from_secs(60)), Some(0));
    }
}
