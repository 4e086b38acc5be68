//! Requests that wait for their answer: which message answers which, and whose time is up.
//!
//! Invariant: a session is answered, expired or closed once. An answer counts only if it is about
//! the same player and the same request, so that one of an earlier life finds nobody.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use super::subject;

/// Most open requests of a link; more are refused.
pub const MOST: usize = 1 << 20;

/// The open requests of one link.
#[derive(Debug, Default)]
pub struct Sessions {
    open: HashMap<u64, Open>,
    /// Deadlines with their sessions.
    deadlines: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Open {
    /// Of player and subject: enough to tell a stranger's answer.
    mark: u64,
    deadline: u64,
}

/// Prefix of the names of answers.
const ANSWER: &[u8] = b"rsp_";

impl Sessions {
    /// Notes a request; false when there are too many, or one of this number.
    pub fn open(&mut self, session: u64, uid: &[u8], command: &[u8], deadline: u64) -> bool {
        if self.open.len() >= MOST || self.open.contains_key(&session) {
            return false;
        }
        self.open.insert(session, Open { mark: mark(uid, subject(command)), deadline });
        self.deadlines.insert((deadline, session));
        true
    }

    /// The request that a message answers, which is closed by it.
    pub fn answer(&mut self, command: &[u8], uid: &[u8], session: &[u8]) -> Option<u64> {
        let subject = command.strip_prefix(ANSWER)?;
        let session = number(session)?;
        if self.open.get(&session)?.mark != mark(uid, subject) {
            return None;
        }
        self.close(session);
        Some(session)
    }

    /// Forgets a request; true if it was open.
    pub fn close(&mut self, session: u64) -> bool {
        let Some(open) = self.open.remove(&session) else { return false };
        self.deadlines.remove(&(open.deadline, session));
        true
    }

    /// Closes a request whose deadline is not after `now`, and returns it.
    pub fn expire(&mut self, now: u64) -> Option<u64> {
        let &(deadline, session) = self.deadlines.first()?;
        (deadline <= now && self.close(session)).then_some(session)
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True when none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn mark(uid: &[u8], subject: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (uid, subject).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_closes_its_request_once() {
        let mut sessions = Sessions::default();
        assert!(sessions.open(7, b"10001", b"req_mv_gold", 100));
        assert!(!sessions.open(7, b"10002", b"req_mv_gold", 100));
        assert_eq!(sessions.answer(b"rsp_mv_gold", b"10001", b"7"), Some(7));
        assert_eq!(sessions.answer(b"rsp_mv_gold", b"10001", b"7"), None);
        assert!(sessions.is_empty());
    }

    #[test]
    fn an_answer_about_another_player_or_request_finds_nobody() {
        let mut sessions = Sessions::default();
        sessions.open(7, b"10001", b"req_mv_gold", 100);
        assert_eq!(sessions.answer(b"rsp_mv_gold", b"10002", b"7"), None);
        assert_eq!(sessions.answer(b"rsp_other", b"10001", b"7"), None);
        assert_eq!(sessions.answer(b"req_mv_gold", b"10001", b"7"), None);
        assert_eq!(sessions.answer(b"rsp_mv_gold", b"10001", b"x"), None);
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn requests_expire_in_the_order_of_their_deadlines() {
        let mut sessions = Sessions::default();
        for (session, deadline) in [(1, 300), (2, 100), (3, 200), (4, 100)] {
            sessions.open(session, b"u", b"c", deadline);
        }
        sessions.close(4);
        assert_eq!(sessions.expire(99), None);
        assert_eq!(sessions.expire(200), Some(2));
        assert_eq!(sessions.expire(200), Some(3));
        assert_eq!(sessions.expire(200), None);
        assert_eq!(sessions.len(), 1);
    }
}
