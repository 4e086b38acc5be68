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
fn set_bytes(word: [u8; WORD]) -> u8 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    /// Moves the highest bit of each byte into the highest byte.
    const GATHER: u64 = 0x0002_0408_1020_4081;
    let word = u64::from_le_bytes(word);
    let highest = (((word & LOW) + LOW) | word) & !LOW;
    (highest.wrapping_mul(GATHER) >> 56) as u8
}

/// Appends `bytes`, packed; they are filled up with zeros to whole words.
pub fn pack(out: &mut Vec<u8>, bytes: &[u8]) {
    // A run costs two bytes, and at worst every 256 words begin one.
    out.reserve(bytes.len() + bytes.len().div_ceil(LONGEST_RUN * WORD) * 2 + 2 + WORD);
    let (words, rest) = bytes.as_chunks::<WORD>();
    let mut last = [0; WORD];
    last[..rest.len()].copy_from_slice(rest);
    let last = if rest.is_empty() { &[][..] } else { std::slice::from_ref(&last) };
    // Where the number of words of the current run stands.
    let mut run = None;
    for word in words.iter().chain(last) {
        let set = set_bytes(*word);
        if let Some(count) = run
            && set.count_ones() >= NEARLY_ALL
        {
            let count: usize = count;
            out.extend_from_slice(word);
            out[count] += 1;
            if usize::from(out[count]) == LONGEST_RUN - 1 {
                run = None;
            }
            continue;
        }
        run = None;
        if set == RUN {
            out.extend_from_slice(&[RUN, 0]);
            run = Some(out.len() - 1);
            out.extend_from_slice(word);
            continue;
        }
        let mut record = [0; WORD + 1];
        record[0] = set;
        let mut length = 1;
        for (bit, byte) in word.iter().enumerate() {
            record[length] = *byte;
            length += usize::from(set >> bit & 1);
        }
        out.extend_from_slice(&record);
        out.truncate(out.len() - record.len() + length);
    }
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
        let length = head.count_ones() as usize;
        let mut word = [0; WORD];
        if let Some(given) = after.first_chunk::<WORD>() {
            let mut at = 0;
            for (bit, byte) in word.iter_mut().enumerate() {
                let set = head >> bit & 1;
                *byte = given[at % WORD] & set.wrapping_neg();
                at += usize::from(set);
            }
        } else {
            let mut given = after.iter();
            for (bit, byte) in word.iter_mut().enumerate() {
                if head >> bit & 1 == 1 {
                    *byte = *given.next().ok_or(Invalid::Truncated)?;
                }
            }
        }
        out.extend_from_slice(&word);
        rest = &after[length..];
    }
    if out.len() - start > LARGEST { Err(Invalid::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(&mut out, bytes);
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
