//! Who is told that a watch has lost its connection, or could not make it again.
//!
//! Invariant: a loss that nobody has waited for is told to whoever asks next; everybody who waits is
//! told the end.

use crate::kernel::Session;

/// The answers to who waits.
pub(super) const LOST: &[u8] = b":1\r\n";
pub(super) const ENDED: &[u8] = b"$-1\r\n";

#[derive(Debug, Default)]
pub(super) struct Losses {
    waiters: Vec<Session>,
    untold: bool,
    closed: bool,
}

impl Losses {
    /// The answer to who asks under `session`, or nothing while it has to wait.
    pub(super) fn wait(&mut self, session: Session) -> Option<&'static [u8]> {
        if self.closed {
            return Some(ENDED);
        }
        if std::mem::take(&mut self.untold) {
            return Some(LOST);
        }
        self.waiters.push(session);
        None
    }

    /// There is a loss; who has waited for it.
    pub(super) fn note(&mut self) -> Vec<Session> {
        self.untold = self.waiters.is_empty();
        std::mem::take(&mut self.waiters)
    }

    /// There will be none any more; who has waited.
    pub(super) fn close(&mut self) -> Vec<Session> {
        self.closed = true;
        std::mem::take(&mut self.waiters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once_and_the_end_for_ever() {
        let mut losses = Losses::default();
        assert_eq!(losses.wait(Session(1)), None);
        assert_eq!(losses.note(), [Session(1)]);
        assert_eq!(losses.wait(Session(2)), None);
        assert_eq!(losses.note(), [Session(2)]);
        assert_eq!((losses.note(), losses.note()), (vec![], vec![]));
        assert_eq!(losses.wait(Session(3)), Some(LOST));
        assert_eq!(losses.wait(Session(4)), None);
        assert_eq!(losses.close(), [Session(4)]);
        assert_eq!(losses.wait(Session(5)), Some(ENDED));
        assert_eq!(losses.wait(Session(6)), Some(ENDED));
    }
}
