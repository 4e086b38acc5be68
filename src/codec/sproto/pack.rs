//! Packing of zeros: each eight bytes become a byte that says which of them are not zero, and those.
//! Runs of eight bytes that are (nearly) all set are written as they are behind 0xff and their
//! number less one.

use super::LARGEST;

/// Bytes that are packed together.
const WORD: usize = 8;
/// What stands before a run of words.
const RUN: u8 = 0xff;
/// Words of the longest run.
const LONGEST_RUN: usize = 256;
/// Bytes of a word that are set, from which on it is added to a run rather than ends it.
const NEARLY_ALL: u32 = 6;

/// Why packed bytes cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// They end inside a word.
    #[error("Invalid unpack stream")]
    Truncated,
    /// They stand for more than is accepted.
    #[error("object is too large (>{LARGEST})")]
    TooLarge,
}

/// Which bytes of a word are not zero, a bit each.
#[inline]
fn set_bytes(word: u64) -> u8 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    /// Moves the highest bit of each byte into the highest byte.
    const GATHER: u64 = 0x0002_0408_1020_4081;
    let highest = (((word & LOW) + LOW) | word) & !LOW;
    (highest.wrapping_mul(GATHER) >> 56) as u8
}

/// How the bytes of half a word move that belong to four bits.
struct Moves {
    /// How many they are.
    count: u32,
    /// Which bytes of the half have so many zeros below them: they move by as many places.
    by_zeros: [u32; 4],
}

/// For each combination of four bits.
static MOVES: [Moves; 16] = {
    let mut table = [const { Moves { count: 0, by_zeros: [0; 4] } }; 16];
    let mut bits = 0;
    while bits < 16 {
        let mut zeros = 0;
        let mut place = 0;
        while place < 4 {
            if bits >> place & 1 == 1 {
                table[bits].count += 1;
                table[bits].by_zeros[zeros] |= 0xff << (8 * place);
            } else {
                zeros += 1;
            }
            place += 1;
        }
        bits += 1;
    }
    table
};

impl Moves {
    #[inline]
    const fn halves(set: u8) -> (&'static Self, &'static Self) {
        (&MOVES[(set & 15) as usize], &MOVES[(set >> 4) as usize])
    }

    /// Moves bytes that lie together to their places.
    #[inline]
    const fn spread(&self, bytes: u32) -> u64 {
        let [none, one, two, three] = self.by_zeros;
        ((bytes & none) | (bytes << 8 & one) | (bytes << 16 & two) | (bytes << 24 & three)) as u64
    }

    /// Moves bytes from their places together.
    #[inline]
    const fn gather(&self, half: u32) -> u64 {
        let [none, one, two, three] = self.by_zeros;
        ((half & none) | ((half & one) >> 8) | ((half & two) >> 16) | ((half & three) >> 24)) as u64
    }
}

/// Appends words, packed.
#[derive(Default)]
struct Packer {
    /// Where the number of words of the current run stands.
    run: Option<usize>,
}

impl Packer {
    #[inline]
    fn add(&mut self, out: &mut Vec<u8>, bytes: [u8; WORD]) {
        let word = u64::from_le_bytes(bytes);
        let set = set_bytes(word);
        let (low, high) = Moves::halves(set);
        if let Some(count) = self.run {
            if low.count + high.count >= NEARLY_ALL {
                out.extend_from_slice(&bytes);
                out[count] += 1;
                if usize::from(out[count]) == LONGEST_RUN - 1 {
                    self.run = None;
                }
                return;
            }
            self.run = None;
        }
        if set == RUN {
            out.extend_from_slice(&[RUN, 0]);
            self.run = Some(out.len() - 1);
            out.extend_from_slice(&bytes);
            return;
        }
        #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
        let halves = (word as u32, (word >> 32) as u32);
        let together = low.gather(halves.0) | high.gather(halves.1) << (8 * low.count);
        // Of at most seven bytes the eighth place is free.
        out.extend_from_slice(&(together << 8 | u64::from(set)).to_le_bytes());
        let unused = WORD - 1 - (low.count + high.count) as usize;
        out.truncate(out.len() - unused);
    }
}

/// Appends `bytes`, packed; they are filled up with zeros to whole words.
pub fn pack(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(largest(bytes.len()));
    let (words, rest) = bytes.as_chunks::<WORD>();
    let mut packer = Packer::default();
    for word in words {
        packer.add(out, *word);
    }
    if !rest.is_empty() {
        packer.add(out, filled_up(rest));
    }
}

/// Appends what `out` holds from `start` on, packed.
pub fn pack_from(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    out.reserve(largest(end - start));
    let mut packer = Packer::default();
    let mut at = start;
    while at < end {
        let rest = &out[at..end];
        let word = rest.first_chunk::<WORD>().copied().unwrap_or_else(|| filled_up(rest));
        packer.add(out, word);
        at += WORD;
    }
}

/// Bytes that so many take at most, packed: a run costs two, and at worst every 256 words begin one.
const fn largest(length: usize) -> usize {
    length + length.div_ceil(LONGEST_RUN * WORD) * 2 + 2 + WORD
}

fn filled_up(rest: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word[..rest.len()].copy_from_slice(rest);
    word
}

/// Appends what was packed.
///
/// # Errors
/// When the bytes end early or stand for too many.
pub fn unpack(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Invalid> {
    let start = out.len();
    out.reserve(bytes.len().min(LARGEST) * 2);
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_first() {
        if out.len() - start > LARGEST {
            return Err(Invalid::TooLarge);
        }
        if *head == RUN {
            let (count, after) = after.split_first().ok_or(Invalid::Truncated)?;
            let length = (usize::from(*count) + 1) * WORD;
            let (run, after) = after.split_at_checked(length).ok_or(Invalid::Truncated)?;
            out.extend_from_slice(run);
            rest = after;
            continue;
        }
        let (low, high) = Moves::halves(*head);
        let given = after.first_chunk::<WORD>().copied();
        let given = u64::from_le_bytes(given.unwrap_or_else(|| filled_up(after)));
        #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
        let halves = (given as u32, (given >> (8 * low.count)) as u32);
        let word = low.spread(halves.0) | high.spread(halves.1) << 32;
        out.extend_from_slice(&word.to_le_bytes());
        let length = (low.count + high.count) as usize;
        rest = after.get(length..).ok_or(Invalid::Truncated)?;
    }
    if out.len() - start > LARGEST { Err(Invalid::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(&mut out, bytes);
        let mut both = [b"before", bytes].concat();
        pack_from(&mut both, 6);
        assert_eq!(both[6 + bytes.len()..], out);
        out
    }

    fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
        let mut out = Vec::new();
        unpack(&mut out, bytes).map(|()| out)
    }

    #[test]
    fn the_examples_of_the_format() {
        let unpacked = [0x08, 0, 0, 0, 0x03, 0, 0x02, 0, 0x19, 0, 0, 0, 0xaa, 0x01, 0, 0];
        assert_eq!(packed(&unpacked), [0x51, 0x08, 0x03, 0x02, 0x31, 0x19, 0xaa, 0x01]);
        let mut expected = vec![0xff, 0x03];
        expected.extend([0x8a; 30]);
        expected.extend([0, 0]);
        assert_eq!(packed(&[0x8a; 30]), expected);
    }

    #[test]
    fn runs_are_begun_by_whole_words_alone_and_end_at_256() {
        assert_eq!(packed(b"1234567"), b"\x7f1234567");
        assert_eq!(packed(b"12345678\x01\x02\x03\x04\x05\x06\0\0"), {
            let mut expected = vec![0xff, 1];
            expected.extend(b"12345678\x01\x02\x03\x04\x05\x06\0\0");
            expected
        });
        let long = packed(&[1; 257 * 8]);
        assert_eq!((long[0], long[1]), (0xff, 0xff));
        assert_eq!(long[2 + 256 * 8..][..2], [0xff, 0]);
        assert_eq!(long.len(), 257 * 8 + 4);
        assert_eq!(super::tests::unpacked(&long), Ok(vec![1; 257 * 8]));
    }

    #[test]
    fn bytes_that_end_early_are_refused() {
        for bytes in [&[0xff][..], &[0xff, 0], &[0xff, 0, 1, 2, 3, 4, 5, 6, 7], &[1], &[3, 1]] {
            assert_eq!(unpacked(bytes), Err(Invalid::Truncated), "{bytes:?}");
        }
        assert_eq!(unpacked(&[0, 0]), Ok(vec![0; 16]));
        assert_eq!(unpacked(&[]), Ok(vec![]));
        assert_eq!(unpacked(&vec![0; LARGEST / 8 + 1]), Err(Invalid::TooLarge));
        assert_eq!(unpacked(&vec![0; LARGEST / 8]).map(|bytes| bytes.len()), Ok(LARGEST));
    }
}
