//! Bytes that have arrived on a socket and that nobody has read yet.
//!
//! Invariant: they are taken in the order in which they came, each once. Looking for a separator
//! looks at no byte twice, however the bytes arrive.

use memchr::memmem;

/// What a reader wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// Anything.
    Any,
    /// Exactly so many bytes.
    Bytes(usize),
    /// Everything before this separator, which is taken off and dropped.
    Line(Separator),
    /// Everything until the peer closes.
    All,
    /// To know when there is something; nothing is taken.
    Readable,
}

impl Want {
    /// True when it is known how many bytes are enough, so that a limit of the unread ones does
    /// not apply.
    pub(super) const fn is_counted(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::Any | Self::Readable)
    }
}

/// Longest separator that needs no allocation.
const SHORT: usize = 8;

/// What ends a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Separator(Kind);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Short([u8; SHORT], usize),
    Long(Box<[u8]>),
}

impl Separator {
    /// The separator of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() > SHORT {
            return Self(Kind::Long(bytes.into()));
        }
        let mut short = [0; SHORT];
        short[..bytes.len()].copy_from_slice(bytes);
        Self(Kind::Short(short, bytes.len()))
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Kind::Short(bytes, length) => &bytes[..*length],
            Kind::Long(bytes) => bytes,
        }
    }
}

/// A buffer larger than this is given back when it is empty, so that an idle connection is small.
const KEPT: usize = 4 << 10;

/// Bytes that wait to be read.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    /// Where the unread ones begin.
    start: usize,
    /// Up to here (from `start`) no separator of `line_of` begins.
    scanned: usize,
    line_of: Vec<u8>,
}

impl Incoming {
    /// Number of unread bytes.
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// True when everything is read.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The unread bytes.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Adds what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        let is_full = self.bytes.len() + bytes.len() > self.bytes.capacity();
        // Only when at least as much is read as is moved; else a small read costs a large move.
        if is_full && self.start > 0 && self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Where `separator` begins.
    fn find(&mut self, separator: &[u8]) -> Option<usize> {
        if self.line_of != separator {
            self.scanned = 0;
            self.line_of.clear();
            self.line_of.extend_from_slice(separator);
        }
        let unread = &self.bytes[self.start..];
        let from = self.scanned.min(unread.len());
        let found = match separator {
            [byte] => memchr::memchr(*byte, &unread[from..]),
            _ => memmem::find(&unread[from..], separator),
        };
        match found {
            Some(position) => {
                self.scanned = from + position;
                Some(self.scanned)
            }
            None => {
                self.scanned = (unread.len() + 1).saturating_sub(separator.len().max(1)).max(from);
                None
            }
        }
    }

    /// True when `want` can be met with what is here.
    pub fn satisfies(&mut self, want: &Want) -> bool {
        match want {
            Want::Any | Want::Readable => !self.is_empty(),
            Want::Bytes(count) => self.len() >= *count,
            Want::Line(separator) => self.find(separator.as_slice()).is_some(),
            Want::All => false,
        }
    }

    /// Takes what `want` asks for into `into`, whose content is replaced; false when it is not
    /// all here, and nothing is taken.
    pub fn take(&mut self, want: &Want, into: &mut Vec<u8>) -> bool {
        match want {
            Want::Any if self.is_empty() => return false,
            Want::Any => self.take_all(into),
            Want::Bytes(count) if self.len() < *count => return false,
            Want::Bytes(count) => self.take_front(*count, 0, into),
            Want::Line(separator) => {
                let separator = separator.as_slice();
                let Some(length) = self.find(separator) else { return false };
                self.take_front(length, separator.len(), into);
            }
            Want::All => return false,
            Want::Readable => {
                into.clear();
                return !self.is_empty();
            }
        }
        true
    }

    /// Takes everything.
    pub fn take_all(&mut self, into: &mut Vec<u8>) {
        into.clear();
        if self.start == 0 {
            // The buffer changes hands; the other one serves the next bytes.
            std::mem::swap(&mut self.bytes, into);
        } else {
            into.extend_from_slice(self.unread());
        }
        self.clear();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.scanned = 0;
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    fn take_front(&mut self, count: usize, skipped: usize, into: &mut Vec<u8>) {
        into.clear();
        if count + skipped == self.len() && self.start == 0 {
            std::mem::swap(&mut self.bytes, into);
            into.truncate(count);
            self.clear();
            return;
        }
        into.extend_from_slice(&self.unread()[..count]);
        self.start += count + skipped;
        self.scanned = 0;
        if self.start == self.bytes.len() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(incoming: &mut Incoming, want: &Want) -> Option<Vec<u8>> {
        let mut into = b"old".to_vec();
        let satisfied = incoming.satisfies(want);
        assert_eq!(incoming.take(want, &mut into), satisfied);
        satisfied.then_some(into)
    }

    fn line(separator: &str) -> Want {
        Want::Line(Separator::new(separator.as_bytes()))
    }

    #[test]
    fn lines_are_found_wherever_the_pieces_are_cut() {
        let text = b"one\r\ntwo\r\n\r\nthree\r\r\nrest\r";
        for step in 1..text.len() {
            let mut incoming = Incoming::default();
            let mut lines = Vec::new();
            for piece in text.chunks(step) {
                incoming.push(piece);
                while let Some(line) = taken(&mut incoming, &line("\r\n")) {
                    lines.push(String::from_utf8(line).unwrap());
                }
            }
            assert_eq!(lines, ["one", "two", "", "three\r"], "in pieces of {step}");
            assert_eq!(incoming.unread(), b"rest\r");
        }
    }

    #[test]
    fn a_reader_with_another_separator_sees_everything() {
        let mut incoming = Incoming::default();
        incoming.push(b"a;b\nc");
        assert_eq!(taken(&mut incoming, &line("##")), None);
        assert_eq!(taken(&mut incoming, &line("\n")), Some(b"a;b".to_vec()));
        incoming.push(b"##");
        assert_eq!(taken(&mut incoming, &line("##")), Some(b"c".to_vec()));
        assert!(incoming.is_empty());
    }

    #[test]
    fn separators_may_be_long_and_empty() {
        let mut incoming = Incoming::default();
        incoming.push(b"a--a long separator--b");
        assert_eq!(taken(&mut incoming, &line("--a long separator--")), Some(b"a".to_vec()));
        assert_eq!(taken(&mut incoming, &line("")), Some(Vec::new()));
        assert_eq!(incoming.unread(), b"b");
    }

    #[test]
    fn separators_of_one_length_are_told_apart() {
        let mut incoming = Incoming::default();
        incoming.push(b"a;b\nc");
        assert_eq!(taken(&mut incoming, &line("|")), None);
        assert_eq!(taken(&mut incoming, &line(";")), Some(b"a".to_vec()));
    }

    #[test]
    fn counted_bytes_come_whole_or_not_at_all() {
        let mut incoming = Incoming::default();
        incoming.push(b"12345");
        assert_eq!(taken(&mut incoming, &Want::Bytes(6)), None);
        assert_eq!(taken(&mut incoming, &Want::Bytes(2)), Some(b"12".to_vec()));
        incoming.push(b"67");
        assert_eq!(taken(&mut incoming, &Want::Bytes(0)), Some(Vec::new()));
        assert_eq!(taken(&mut incoming, &Want::Bytes(5)), Some(b"34567".to_vec()));
        assert_eq!(taken(&mut incoming, &Want::Any), None);
    }

    #[test]
    fn whatever_the_cuts_bytes_are_taken_in_order_and_once() {
        let all: Vec<u8> = (0..2000).map(|index| u8::try_from(index % 251).unwrap()).collect();
        for (arriving, asked) in [(1, 7), (7, 1), (100, 33), (33, 100), (2000, 3)] {
            let mut incoming = Incoming::default();
            let mut read = Vec::new();
            for piece in all.chunks(arriving) {
                incoming.push(piece);
                while let Some(bytes) = taken(&mut incoming, &Want::Bytes(asked)) {
                    read.extend(bytes);
                }
            }
            let mut rest = Vec::new();
            incoming.take_all(&mut rest);
            read.extend(rest);
            assert_eq!(read, all);
        }
    }
}
