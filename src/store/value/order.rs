//! Members by score, and by name where scores are equal, with their ranks.
//!
//! Chunks of sorted entries: finding, inserting and counting touch one chunk and the lengths of the
//! others, which stay few and close together in memory.
//!
//! Invariant: no chunk is empty or longer than `CHUNK`; entries ascend through all of them.

use std::cmp::Ordering;
use std::rc::Rc;

/// Most entries of a chunk; a full one is cut in half.
const CHUNK: usize = 256;

/// A member with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The score, which is a number.
    pub score: f64,
    /// The member.
    pub member: Rc<[u8]>,
}

impl Ranked {
    fn compare(&self, score: f64, member: &[u8]) -> Ordering {
        let scores = self.score.partial_cmp(&score).unwrap_or(Ordering::Equal);
        scores.then_with(|| (*self.member).cmp(member))
    }
}

/// Members in order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    chunks: Vec<Vec<Ranked>>,
    length: usize,
}

impl Order {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.length
    }

    /// True when there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the first entry for which `is_before` does not hold is, or would be.
    fn place(&self, is_before: impl Fn(&Ranked) -> bool) -> (usize, usize) {
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(&is_before));
        let within = self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(is_before));
        (chunk, within)
    }

    /// How many entries `is_before` holds for; it holds for the first ones alone.
    pub fn rank_by(&self, is_before: impl Fn(&Ranked) -> bool) -> usize {
        let (chunk, within) = self.place(is_before);
        self.chunks[..chunk].iter().map(Vec::len).sum::<usize>() + within
    }

    /// The rank of a member that is there.
    pub fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.rank_by(|entry| entry.compare(score, member) == Ordering::Less)
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, score: f64, member: Rc<[u8]>) {
        let (chunk, within) = self.place(|entry| entry.compare(score, &member) == Ordering::Less);
        self.length += 1;
        let entry = Ranked { score, member };
        // What comes behind all goes into the last chunk.
        let (chunk, within) = match self.chunks.last() {
            None => {
                self.chunks.push(vec![entry]);
                return;
            }
            Some(last) if chunk == self.chunks.len() => (chunk - 1, last.len()),
            Some(_) => (chunk, within),
        };
        let full = &mut self.chunks[chunk];
        full.insert(within, entry);
        if full.len() > CHUNK {
            let upper = full.split_off(full.len() / 2);
            self.chunks.insert(chunk + 1, upper);
        }
    }

    /// Removes a member that is there.
    pub fn remove(&mut self, score: f64, member: &[u8]) {
        let (chunk, within) = self.place(|entry| entry.compare(score, member) == Ordering::Less);
        let Some(entries) = self.chunks.get_mut(chunk) else { return };
        entries.remove(within);
        self.length -= 1;
        if entries.is_empty() {
            self.chunks.remove(chunk);
        } else if entries.len() < CHUNK / 8
            && let Some(next) = self.chunks.get(chunk + 1)
            && self.chunks[chunk].len() + next.len() <= CHUNK / 2
        {
            let next = self.chunks.remove(chunk + 1);
            self.chunks[chunk].extend(next);
        }
    }

    /// The entry with a rank.
    pub fn at(&self, rank: usize) -> Option<&Ranked> {
        self.range(rank, rank + 1).next()
    }

    /// The entries with the ranks from `start` to before `end`.
    pub fn range(
        &self,
        start: usize,
        end: usize,
    ) -> impl DoubleEndedIterator<Item = &Ranked> + Clone {
        let (first, skipped) = self.chunk_of(start);
        let (last, taken) = self.chunk_of(end.max(start));
        let part = move |(index, chunk): (usize, &'_ Vec<Ranked>)| {
            let index = first + index;
            let from = if index == first { skipped } else { 0 };
            let to = if index == last { taken } else { chunk.len() };
            (from, to)
        };
        let chunks = self.chunks.get(first..self.chunks.len().min(last + 1)).unwrap_or_default();
        chunks.iter().enumerate().flat_map(move |(index, chunk)| {
            let (from, to) = part((index, chunk));
            chunk[from.min(to)..to].iter()
        })
    }

    /// The chunk of the entry with a rank, and its place there.
    fn chunk_of(&self, rank: usize) -> (usize, usize) {
        let mut left = rank;
        for (index, chunk) in self.chunks.iter().enumerate() {
            if left < chunk.len() {
                return (index, left);
            }
            left -= chunk.len();
        }
        (self.chunks.len(), 0)
    }
}
