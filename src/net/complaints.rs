//! When failures are told that may come often: at most once a second.
//!
//! Invariant: each is told, by itself or as one of those that are counted and told together when
//! the second is over.
//! Not here: what is told, and to whom.

use std::time::{Duration, Instant};

/// Least time between two tellings.
const QUIET: Duration = Duration::from_secs(1);

/// Failures of one kind.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// Until then they are only counted.
    quiet_until: Option<Instant>,
    untold: u64,
}

impl Complaints {
    /// Notes a failure; true when it is to be told by itself.
    pub(super) fn note(&mut self, now: Instant) -> bool {
        if self.quiet_until.is_some_and(|until| now < until) || self.untold > 0 {
            self.untold += 1;
            return false;
        }
        self.quiet_until = Some(now + QUIET);
        true
    }

    /// When those that are untold are to be told; `None` when there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.quiet_until.filter(|_| self.untold > 0)
    }

    /// How many are told now.
    pub(super) fn take(&mut self, now: Instant) -> u64 {
        self.quiet_until = Some(now + QUIET);
        std::mem::take(&mut self.untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_and_those_of_the_next_second_are_counted() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut complaints = Complaints::default();
        assert!(complaints.note(at(0)));
        assert_eq!(complaints.due(), None);
        assert!(!complaints.note(at(1)));
        assert!(!complaints.note(at(999)));
        assert_eq!(complaints.due(), Some(at(1000)));
        // Nothing is told by itself while others wait to be told.
        assert!(!complaints.note(at(1001)));
        assert_eq!(complaints.take(at(1010)), 3);
        assert_eq!(complaints.due(), None);
        assert!(!complaints.note(at(2009)));
        assert_eq!(complaints.due(), Some(at(2010)));
        assert_eq!(complaints.take(at(2010)), 1);
        assert!(complaints.note(at(3010)), "a second has passed without one");
    }
}
