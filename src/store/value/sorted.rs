//! A sorted set: members with scores, found by either.
//!
//! Invariant: the table and the order hold the same members with the same scores.

use std::rc::Rc;

use indexmap::IndexMap;

use super::order::{Order, Ranked};
use super::{COMPACT_ELEMENT, COMPACT_LENGTH, MEMBER_OVERHEAD};

/// A sorted set.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    scores: IndexMap<Rc<[u8]>, f64>,
    order: Order,
    bytes: usize,
    large: bool,
}

impl Sorted {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// True when there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// The rank of a member, from the lowest score.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        Some(self.order.rank(self.score(member)?, member))
    }

    /// Sets the score of a member; gives the score it had.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        if let Some((_, shared, old)) = self.scores.get_full_mut(member) {
            let (shared, before) = (Rc::clone(shared), *old);
            if before != score {
                *old = score;
                self.order.remove(before, member);
                self.order.insert(score, shared);
            }
            return Some(before);
        }
        let shared: Rc<[u8]> = member.into();
        self.order.insert(score, Rc::clone(&shared));
        self.scores.insert(shared, score);
        self.bytes += member.len();
        self.large |= member.len() > COMPACT_ELEMENT || self.scores.len() > COMPACT_LENGTH;
        None
    }

    /// Removes a member; gives the score it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (member, score) = self.scores.swap_remove_entry(member)?;
        self.order.remove(score, &member);
        self.bytes -= member.len();
        Some(score)
    }

    /// The members by score.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The member at a place of the table, with its score.
    pub fn at(&self, index: usize) -> Option<(&[u8], f64)> {
        self.scores.get_index(index).map(|(member, score)| (&**member, *score))
    }

    /// All members, by score.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Ranked> {
        self.order.range(0, self.len())
    }

    /// True while Redis would keep it in one piece.
    pub fn is_compact(&self) -> bool {
        !self.large
    }

    pub(super) fn encoding(&self) -> &'static str {
        if self.large { "skiplist" } else { "listpack" }
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.scores.len() * (MEMBER_OVERHEAD + size_of::<Ranked>() + size_of::<f64>())
    }
}
