//! Writes a structure field by field.
//!
//! Room for all entries is left in front; when fewer are used the data moves up.

use super::{LARGEST_INLINE, LENGTH, inline};

/// A structure being written.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    start: usize,
    room: usize,
    entries: usize,
    next_tag: u16,
}

impl Head {
    /// Begins a structure of at most `room` entries.
    #[inline]
    pub fn begin(out: &mut Vec<u8>, room: usize) -> Self {
        let start = out.len();
        out.resize(start + 2 + 2 * room, 0);
        Self { start, room, entries: 0, next_tag: 0 }
    }

    /// Notes that the data written last is that of the field `tag`.
    #[inline]
    pub fn data(&mut self, out: &mut [u8], tag: u16) {
        self.entry(out, tag, 0);
    }

    /// Writes a number: into the entry when it fits, else as data of four or eight bytes.
    #[inline]
    pub fn number(&mut self, out: &mut Vec<u8>, tag: u16, value: i64) {
        if let Ok(value) = u16::try_from(value)
            && value <= LARGEST_INLINE
        {
            self.entry(out, tag, inline(value));
        } else if let Ok(narrow) = i32::try_from(value) {
            let [a, b, c, d] = narrow.to_le_bytes();
            out.extend_from_slice(&[4, 0, 0, 0, a, b, c, d]);
            self.data(out, tag);
        } else {
            self.wide(out, tag, value.to_le_bytes());
        }
    }

    /// Writes eight bytes of data.
    #[inline]
    pub fn wide(&mut self, out: &mut Vec<u8>, tag: u16, bytes: [u8; 8]) {
        let mut record = [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        record[LENGTH..].copy_from_slice(&bytes);
        out.extend_from_slice(&record);
        self.data(out, tag);
    }

    #[inline]
    fn entry(&mut self, out: &mut [u8], tag: u16, entry: u16) {
        let skipped = tag - self.next_tag;
        if skipped > 0 {
            self.put(out, (skipped - 1) * 2 + 1);
        }
        self.put(out, entry);
        self.next_tag = tag + 1;
    }

    #[inline]
    fn put(&mut self, out: &mut [u8], entry: u16) {
        let at = self.start + 2 + 2 * self.entries;
        out[at..at + 2].copy_from_slice(&entry.to_le_bytes());
        self.entries += 1;
    }

    /// Ends the structure.
    #[inline]
    pub fn end(self, out: &mut Vec<u8>) {
        #[allow(clippy::cast_possible_truncation, reason = "tags have 15 bits, skips one a tag")]
        let count = (self.entries as u16).to_le_bytes();
        out[self.start..self.start + 2].copy_from_slice(&count);
        if self.entries < self.room {
            let data = self.start + 2 + 2 * self.room;
            let to = self.start + 2 + 2 * self.entries;
            out.copy_within(data.., to);
            out.truncate(out.len() - (data - to));
        }
    }
}

/// Leaves room for a length; the place of it.
#[inline]
pub fn begin_data(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; LENGTH]);
    out.len()
}

/// Fills in the length of what was written since `begin_data`.
#[inline]
pub fn end_data(out: &mut [u8], start: usize) {
    #[allow(clippy::cast_possible_truncation, reason = "structures are below 16 MiB")]
    let length = (out.len() - start) as u32;
    out[start - LENGTH..start].copy_from_slice(&length.to_le_bytes());
}

/// Numbers of an array being written: in four bytes each until one needs eight.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    start: usize,
    is_wide: bool,
}

impl Numbers {
    /// Begins the data of an array of numbers. `is_wide` makes all take eight bytes.
    #[inline]
    pub fn begin(out: &mut Vec<u8>, is_wide: bool) -> Self {
        let start = begin_data(out);
        out.push(0);
        Self { start, is_wide }
    }

    /// Appends a number.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, value: i64) {
        if !self.is_wide {
            if let Ok(narrow) = i32::try_from(value) {
                out.extend_from_slice(&narrow.to_le_bytes());
                return;
            }
            self.widen(out);
        }
        out.extend_from_slice(&value.to_le_bytes());
    }

    #[cold]
    fn widen(&mut self, out: &mut Vec<u8>) {
        self.is_wide = true;
        let first = self.start + 1;
        let count = (out.len() - first) / 4;
        out.resize(first + 8 * count, 0);
        for at in (0..count).rev() {
            let from = first + 4 * at;
            let narrow = [out[from], out[from + 1], out[from + 2], out[from + 3]];
            let wide = i64::from(i32::from_le_bytes(narrow)).to_le_bytes();
            out[first + 8 * at..first + 8 * at + 8].copy_from_slice(&wide);
        }
    }

    /// Ends the data: an array without numbers has no width.
    #[inline]
    pub fn end(self, out: &mut Vec<u8>) {
        if out.len() == self.start + 1 {
            out.pop();
        } else {
            out[self.start] = if self.is_wide { 8 } else { 4 };
        }
        end_data(out, self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_entries_and_skipped_tags_are_counted() {
        let mut out = vec![7];
        let mut head = Head::begin(&mut out, 6);
        head.number(&mut out, 0, 13);
        head.number(&mut out, 4, 0x7ffe);
        head.number(&mut out, 5, 0x7fff);
        head.end(&mut out);
        let expected = [7, 4, 0, 28, 0, 5, 0, 0xfe, 0xff, 0, 0, 4, 0, 0, 0, 0xff, 0x7f, 0, 0];
        assert_eq!(out, expected);
    }

    #[test]
    fn negative_and_wide_numbers_are_data() {
        let mut out = Vec::new();
        let mut head = Head::begin(&mut out, 2);
        head.number(&mut out, 0, -1);
        head.number(&mut out, 1, 1 << 31);
        head.end(&mut out);
        let mut expected = vec![2, 0, 0, 0, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255];
        expected.extend([8, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0]);
        assert_eq!(out, expected);
    }

    #[test]
    fn an_array_becomes_wide_when_one_number_is() {
        let array = |values: &[i64]| {
            let mut out = Vec::new();
            let mut numbers = Numbers::begin(&mut out, false);
            values.iter().for_each(|value| numbers.push(&mut out, *value));
            numbers.end(&mut out);
            out
        };
        assert_eq!(array(&[]), [0, 0, 0, 0]);
        assert_eq!(array(&[1, -1]), [9, 0, 0, 0, 4, 1, 0, 0, 0, 255, 255, 255, 255]);
        let mut expected = vec![25, 0, 0, 0, 8];
        for value in [-2, 1 << 40, 3_i64] {
            expected.extend(value.to_le_bytes());
        }
        assert_eq!(array(&[-2, 1 << 40, 3]), expected);
    }
}
