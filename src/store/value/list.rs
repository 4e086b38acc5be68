//! A list: elements in order, quick at both ends.

use std::collections::VecDeque;

use super::ELEMENT_OVERHEAD;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first element.
    Left,
    /// The last element.
    Right,
}

impl End {
    /// The end that an argument names.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"left") {
            Some(Self::Left)
        } else if text.eq_ignore_ascii_case(b"right") {
            Some(Self::Right)
        } else {
            None
        }
    }

    /// Its name in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
        }
    }
}

/// A list.
#[derive(Clone, Debug, Default)]
pub struct List {
    items: VecDeque<Box<[u8]>>,
    bytes: usize,
}

impl List {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, item: &[u8]) {
        self.bytes += item.len();
        match end {
            End::Left => self.items.push_front(item.into()),
            End::Right => self.items.push_back(item.into()),
        }
    }

    /// Takes an element from an end.
    pub fn pop(&mut self, end: End) -> Option<Box<[u8]>> {
        let item = match end {
            End::Left => self.items.pop_front(),
            End::Right => self.items.pop_back(),
        }?;
        self.bytes -= item.len();
        Some(item)
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.items.get(index).map(|item| &**item)
    }

    /// Replaces the element at `index`, which is there.
    pub fn set(&mut self, index: usize, item: &[u8]) {
        if let Some(place) = self.items.get_mut(index) {
            self.bytes = self.bytes - place.len() + item.len();
            *place = item.into();
        }
    }

    /// Puts an element before that at `index`.
    pub fn insert(&mut self, index: usize, item: &[u8]) {
        self.bytes += item.len();
        self.items.insert(index, item.into());
    }

    /// Keeps the elements from `start` to before `end`.
    pub fn trim(&mut self, start: usize, end: usize) {
        let size = |items: std::collections::vec_deque::Drain<'_, Box<[u8]>>| {
            items.map(|item| item.len()).sum::<usize>()
        };
        let behind = size(self.items.drain(end.min(self.items.len())..));
        let before = size(self.items.drain(..start.min(self.items.len())));
        self.bytes -= behind + before;
    }

    /// Removes up to `limit` elements equal to `item`, seen from `end`; gives their number.
    pub fn remove(&mut self, item: &[u8], end: End, limit: usize) -> usize {
        let equal = self.items.iter().filter(|other| &***other == item).count();
        let removed = equal.min(limit);
        // From the right, the first ones that are equal stay.
        let mut spared = if end == End::Right { equal - removed } else { 0 };
        let mut left = removed;
        self.items.retain(|other| {
            if left == 0 || **other != *item {
                return true;
            }
            if spared > 0 {
                spared -= 1;
                return true;
            }
            left -= 1;
            false
        });
        self.bytes -= removed * item.len();
        removed
    }

    /// The elements, the first one first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.items.iter().map(|item| &**item)
    }

    /// The elements from `start` to before `end`.
    pub fn range(&self, start: usize, end: usize) -> impl Iterator<Item = &[u8]> {
        self.items.range(start..end).map(|item| &**item)
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.items.len() * ELEMENT_OVERHEAD
    }
}
