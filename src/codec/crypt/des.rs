//! DES in blocks that do not depend on each other, as a login of skynet uses it.
//!
//! Source: FIPS 46-3. The permutations of its text are combined into tables when this is compiled.
//! Halves of a block are kept turned right by one bit, so that the six bits which go into a box lie
//! in one byte: the odd boxes' in the half itself, the even ones' in the half turned by four.

/// Bytes of a block and of a key.
pub const BLOCK: usize = 8;

/// Blocks that are worked on side by side: a round of one waits for its tables, so another's can
/// go on.
const LANES: usize = 4;

/// How the last block is filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// A byte of 0x80, then zeros.
    Iso7816,
    /// Each byte is their number.
    Pkcs7,
}

/// The text is not what a key has encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not a number of whole blocks.
    #[error("Invalid des crypt text length {0}")]
    Length(usize),
    /// Its last block does not end as it should.
    #[error("Invalid des crypt text")]
    Padding,
}

/// The eight boxes, each with four rows of sixteen.
const BOXES: [[[u8; 16]; 4]; 8] = [
    [
        [14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7],
        [0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8],
        [4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0],
        [15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13],
    ],
    [
        [15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10],
        [3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5],
        [0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15],
        [13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9],
    ],
    [
        [10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8],
        [13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1],
        [13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7],
        [1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12],
    ],
    [
        [7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15],
        [13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9],
        [10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4],
        [3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14],
    ],
    [
        [2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9],
        [14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6],
        [4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14],
        [11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3],
    ],
    [
        [12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11],
        [10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8],
        [9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6],
        [4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13],
    ],
    [
        [4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1],
        [13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6],
        [1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2],
        [6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12],
    ],
    [
        [13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7],
        [1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2],
        [7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8],
        [2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11],
    ],
];

/// Which bit of the boxes' output each bit of a round's result is; bits count from 1 at the top.
const AFTER_BOXES: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
    13, 30, 6, 22, 11, 4, 25,
];

/// Which bit of the key each bit of the two registers is.
const KEY_BITS: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60,
    52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29,
    21, 13, 5, 28, 20, 12, 4,
];

/// Which bit of the registers each bit of a round's key is.
const ROUND_BITS: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52,
    31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

/// By how much the registers turn before each round.
const TURNS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/// Bits of a register.
const REGISTER: u32 = 28;

/// What a box contributes to the result of a round, by the six bits that go into it.
static ROUND: [[u32; 64]; 8] = {
    let mut table = [[0_u32; 64]; 8];
    let mut number = 0;
    while number < 8 {
        let mut input = 0;
        while input < 64 {
            let row = (input >> 4 & 2) | input & 1;
            let value = BOXES[number][row][input >> 1 & 15];
            let mut bit = 0;
            while bit < 32 {
                let from = AFTER_BOXES[bit] as usize - 1;
                if from / 4 == number && value >> (3 - from % 4) & 1 == 1 {
                    table[number][input] |= 1 << (31 - bit);
                }
                bit += 1;
            }
            table[number][input] = table[number][input].rotate_right(1);
            input += 1;
        }
        number += 1;
    }
    table
};

/// What seven bits of the source become, for each place where seven bits can be.
type SevenBits = [[u64; 128]; 8];

/// The registers, by the seven bits of each byte of a key that count.
static REGISTERS: SevenBits = {
    let mut bits = [[0; 7]; 8];
    let mut to = 0;
    while to < KEY_BITS.len() {
        let from = KEY_BITS[to] as usize - 1;
        bits[from / 8][6 - from % 8] = 1 << (KEY_BITS.len() - 1 - to);
        to += 1;
    }
    combine(bits)
};

/// The key of a round, by seven bits of the registers each: above the bits for the odd boxes, below
/// those for the even ones, each six in their byte.
static ROUND_KEYS: SevenBits = {
    let mut bits = [[0; 7]; 8];
    let mut to = 0;
    while to < ROUND_BITS.len() {
        let from = ROUND_BITS[to] as usize - 1;
        let (number, bit) = (to / 6, to % 6);
        let byte = 31 - (number / 2) * 8 - bit;
        bits[from / 7][6 - from % 7] |= 1 << (byte + 32 * (1 - number % 2));
        to += 1;
    }
    combine(bits)
};

/// All combinations of seven bits each.
const fn combine(bits: [[u64; 7]; 8]) -> SevenBits {
    let mut table = [[0; 128]; 8];
    let mut place = 0;
    while place < 8 {
        let mut value = 1_usize;
        while value < 128 {
            let lowest = value.trailing_zeros() as usize;
            table[place][value] = table[place][value & (value - 1)] | bits[place][lowest];
            value += 1;
        }
        place += 1;
    }
    table
}

/// A key, made ready.
pub struct Key {
    rounds: [(u32, u32); 16],
}

impl Key {
    /// Makes a key ready; the lowest bit of each byte does not count.
    pub fn new(bytes: [u8; BLOCK]) -> Self {
        let registers = bytes
            .iter()
            .zip(&REGISTERS)
            .fold(0, |bits, (byte, table)| bits | table[usize::from(byte >> 1)]);
        let mask = (1_u64 << REGISTER) - 1;
        let (mut c, mut d) = (registers >> REGISTER, registers & mask);
        let rounds = TURNS.map(|turn| {
            c = (c << turn | c >> (REGISTER - turn)) & mask;
            d = (d << turn | d >> (REGISTER - turn)) & mask;
            let both = c << REGISTER | d;
            let mut key = 0;
            for (place, table) in ROUND_KEYS.iter().enumerate() {
                key |= table[(both >> (49 - 7 * place) & 127) as usize];
            }
            #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
            let halves = ((key >> 32) as u32, key as u32);
            halves
        });
        Self { rounds }
    }

    /// Appends `text`, filled up to whole blocks and encrypted.
    pub fn encrypt(&self, out: &mut Vec<u8>, text: &[u8], padding: Padding) {
        let start = out.len();
        let missing = BLOCK - text.len() % BLOCK;
        out.reserve(text.len() + missing);
        out.extend_from_slice(text);
        match padding {
            Padding::Iso7816 => {
                out.push(0x80);
                out.resize(start + text.len() + missing, 0);
            }
            Padding::Pkcs7 => {
                out.resize(start + text.len() + missing, u8::try_from(missing).unwrap_or(0));
            }
        }
        work(&self.rounds, &mut out[start..]);
    }

    /// Appends what was encrypted.
    ///
    /// # Errors
    /// When `text` is no such thing. What was appended then is of no use.
    pub fn decrypt(&self, out: &mut Vec<u8>, text: &[u8], padding: Padding) -> Result<(), Invalid> {
        if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
            return Err(Invalid::Length(text.len()));
        }
        let start = out.len();
        out.extend_from_slice(text);
        let mut rounds = self.rounds;
        rounds.reverse();
        work(&rounds, &mut out[start..]);
        let filled = filled(&out[out.len() - BLOCK..], padding).ok_or(Invalid::Padding)?;
        out.truncate(out.len() - filled);
        Ok(())
    }
}

/// How many bytes of the last block are padding.
fn filled(last: &[u8], padding: Padding) -> Option<usize> {
    match padding {
        Padding::Iso7816 => {
            let zeros = last.iter().rev().take_while(|byte| **byte == 0).count();
            let mark = last.len().checked_sub(zeros + 1)?;
            (last[mark] == 0x80).then_some(zeros + 1)
        }
        Padding::Pkcs7 => {
            let count = last.last().copied()?;
            let start = last.len().checked_sub(usize::from(count))?;
            (count > 0 && last[start..].iter().all(|byte| *byte == count))
                .then_some(usize::from(count))
        }
    }
}

/// Takes each block through the rounds.
fn work(rounds: &[(u32, u32); 16], bytes: &mut [u8]) {
    let (blocks, _) = bytes.as_chunks_mut::<BLOCK>();
    let (groups, rest) = blocks.as_chunks_mut::<LANES>();
    for group in groups {
        work_side_by_side(rounds, group);
    }
    for block in rest.as_chunks_mut::<1>().0 {
        work_side_by_side(rounds, block);
    }
}

#[inline(always)]
fn work_side_by_side<const N: usize>(rounds: &[(u32, u32); 16], blocks: &mut [[u8; BLOCK]; N]) {
    let mut left = [0; N];
    let mut right = [0; N];
    for lane in 0..N {
        let [a, b, c, d, e, f, g, h] = blocks[lane];
        let halves = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        (left[lane], right[lane]) = spread(halves);
    }
    for pair in rounds.as_chunks::<2>().0 {
        for lane in 0..N {
            left[lane] ^= round(right[lane], pair[0]);
        }
        for lane in 0..N {
            right[lane] ^= round(left[lane], pair[1]);
        }
    }
    for lane in 0..N {
        let (first, second) = gather((right[lane], left[lane]));
        blocks[lane] = (u64::from(first) << 32 | u64::from(second)).to_be_bytes();
    }
}

#[inline(always)]
fn round(half: u32, (odd, even): (u32, u32)) -> u32 {
    let (odd, even) = (half ^ odd, half.rotate_left(4) ^ even);
    let six = |bits: u32, shift: u32| (bits >> shift & 63) as usize;
    ROUND[0][six(odd, 26)]
        ^ ROUND[2][six(odd, 18)]
        ^ ROUND[4][six(odd, 10)]
        ^ ROUND[6][six(odd, 2)]
        ^ ROUND[1][six(even, 26)]
        ^ ROUND[3][six(even, 18)]
        ^ ROUND[5][six(even, 10)]
        ^ ROUND[7][six(even, 2)]
}

/// Bits exchanged between the halves, one after the other, which together are the permutation at
/// the beginning: by how much they are apart, and which of the lower half.
const EXCHANGES: [(u32, u32); 5] =
    [(4, 0x0f0f_0f0f), (16, 0x0000_ffff), (2, 0x3333_3333), (8, 0x00ff_00ff), (1, 0x5555_5555)];

/// Exchanges bits of `high` with those of `low` that lie so many places lower.
#[inline(always)]
const fn exchange(high: u32, low: u32, (apart, mask): (u32, u32)) -> (u32, u32) {
    let other = ((high >> apart) ^ low) & mask;
    (high ^ other << apart, low ^ other)
}

/// The permutation at the beginning; the halves are turned.
#[inline(always)]
const fn spread((left, right): (u32, u32)) -> (u32, u32) {
    let (left, right) = exchange(left, right, EXCHANGES[0]);
    let (left, right) = exchange(left, right, EXCHANGES[1]);
    let (right, left) = exchange(right, left, EXCHANGES[2]);
    let (right, left) = exchange(right, left, EXCHANGES[3]);
    let (left, right) = exchange(left, right, EXCHANGES[4]);
    (left.rotate_right(1), right.rotate_right(1))
}

/// The permutation at the end, which undoes the one at the beginning.
#[inline(always)]
const fn gather((left, right): (u32, u32)) -> (u32, u32) {
    let (left, right) = (left.rotate_left(1), right.rotate_left(1));
    let (left, right) = exchange(left, right, EXCHANGES[4]);
    let (right, left) = exchange(right, left, EXCHANGES[3]);
    let (right, left) = exchange(right, left, EXCHANGES[2]);
    let (left, right) = exchange(left, right, EXCHANGES[1]);
    exchange(left, right, EXCHANGES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> [u8; BLOCK] {
        u64::from_str_radix(text, 16).unwrap().to_be_bytes()
    }

    #[test]
    fn known_blocks_of_the_standard() {
        let known = [
            ("133457799bbcdff1", "0123456789abcdef", "85e813540f0ab405"),
            ("0e329232ea6d0d73", "8787878787878787", "0000000000000000"),
            ("0101010101010101", "8000000000000000", "95f8a5e5dd31d900"),
            ("8001010101010101", "0000000000000000", "95a8d72813daa94d"),
            ("0101010101010101", "0000000000000001", "166b40b44aba4bd6"),
            ("0101010101010102", "0000000000000000", "869efd7f9f265a09"),
            ("7ca110454a1a6e57", "01a1d6d039776742", "690f5b0d9a26939b"),
            ("1c587f1c13924fef", "305532286d6f295a", "63fac0d034d9f793"),
        ];
        for (key, plain, secret) in known {
            let key = Key::new(block(key));
            let mut bytes = block(plain);
            work(&key.rounds, &mut bytes);
            assert_eq!(bytes, block(secret));
        }
    }

    #[test]
    fn every_length_comes_back_whatever_the_padding() {
        let key = Key::new(*b"01234567");
        for padding in [Padding::Iso7816, Padding::Pkcs7] {
            for length in 0..80 {
                let text: Vec<u8> = (0..length).collect();
                let (mut secret, mut plain) = (b"x".to_vec(), Vec::new());
                key.encrypt(&mut secret, &text, padding);
                assert_eq!((secret.len() - 1) % BLOCK, 0);
                assert_eq!(key.decrypt(&mut plain, &secret[1..], padding), Ok(()));
                assert_eq!(plain, text);
            }
        }
    }

    #[test]
    fn what_was_not_encrypted_so_is_refused() {
        let key = Key::new(*b"01234567");
        let mut out = Vec::new();
        for length in [0, 1, 7, 9, 15] {
            let decrypted = key.decrypt(&mut out, &vec![0; length], Padding::Iso7816);
            assert_eq!(decrypted, Err(Invalid::Length(length)));
        }
        for last in [[0; 8], [1; 8], *b"\x80\0\0\0\0\0\0\x01"] {
            assert_eq!(filled(&last, Padding::Iso7816), None, "{last:?}");
        }
        for last in [[0; 8], [9; 8], *b"\0\0\0\0\0\x02\x03\x03"] {
            assert_eq!(filled(&last, Padding::Pkcs7), None, "{last:?}");
        }
        assert_eq!(filled(&[8; 8], Padding::Pkcs7), Some(8));
        assert_eq!(filled(b"\x80\0\0\0\0\0\0\0", Padding::Iso7816), Some(8));
    }
}
