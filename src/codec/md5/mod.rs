//! MD5, and the cipher that the Lua library of that name makes of it.
//!
//! Source: RFC 1321; reference 17. MD5 protects nothing any more; scripts use it for names and for
//! protocols that demand it.
//! Not here: Lua (`bindings/md5.rs`).

pub mod cipher;

/// What a digest starts from.
pub const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Bytes that are taken at once.
const BLOCK: usize = 64;
/// Bytes of a block before the length, which ends the last one.
const BEFORE_LENGTH: usize = BLOCK - size_of::<u64>();

/// 2^32 times the sines of 1 to 64, without sign and fraction.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// Four steps of a round: what they mix, in two parts of which the second alone waits for the step
/// before; which words they take; and by how much they turn.
macro_rules! four_steps {
    ($state:ident, $words:ident, $step:expr, $mix:expr, $index:expr, $turns:expr) => {{
        let [mut a, mut b, mut c, mut d] = $state;
        let step = $step;
        let word = |at: usize| $words[$index(at) % 16].wrapping_add(SINES[at]);
        let add = |x: u32, y: u32, z: u32, w: u32, n: u32, turn: u32| {
            let (early, late): (u32, u32) = $mix(y, z, w);
            x.wrapping_add(n)
                .wrapping_add(early)
                .wrapping_add(late)
                .rotate_left(turn)
                .wrapping_add(y)
        };
        a = add(a, b, c, d, word(step), $turns[0]);
        d = add(d, a, b, c, word(step + 1), $turns[1]);
        c = add(c, d, a, b, word(step + 2), $turns[2]);
        b = add(b, c, d, a, word(step + 3), $turns[3]);
        $state = [a, b, c, d];
    }};
}

/// The 64 steps over a block, from `state` on, without adding what they started from.
#[inline(never)]
pub fn rounds(words: &[u32; 16], state: [u32; 4]) -> [u32; 4] {
    let mut state = state;
    for four in 0..4 {
        let mix = |x: u32, y: u32, z: u32| (0, z ^ (x & (y ^ z)));
        four_steps!(state, words, 4 * four, mix, |at| at, [7, 12, 17, 22]);
    }
    for four in 4..8 {
        // The two parts have no bit in common, so that they can be added one after the other.
        let mix = |x: u32, y: u32, z: u32| (y & !z, x & z);
        four_steps!(state, words, 4 * four, mix, |at| 5 * at + 1, [5, 9, 14, 20]);
    }
    for four in 8..12 {
        let mix = |x: u32, y: u32, z: u32| (0, x ^ (y ^ z));
        four_steps!(state, words, 4 * four, mix, |at| 3 * at + 5, [4, 11, 16, 23]);
    }
    for four in 12..16 {
        let mix = |x: u32, y: u32, z: u32| (0, y ^ (x | !z));
        four_steps!(state, words, 4 * four, mix, |at| 7 * at, [6, 10, 15, 21]);
    }
    state
}

fn add_block(state: &mut [u32; 4], block: &[u8; BLOCK]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let end = rounds(&words, *state);
    for (sum, part) in state.iter_mut().zip(end) {
        *sum = sum.wrapping_add(part);
    }
}

/// The digest of a text.
pub fn sum(text: &[u8]) -> [u8; 16] {
    sum_of(&[], text)
}

/// The digest of a block and a text behind it; the block is whole or empty.
fn sum_of(first: &[[u8; BLOCK]], text: &[u8]) -> [u8; 16] {
    let mut state = INITIAL;
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for block in first.iter().chain(blocks) {
        add_block(&mut state, block);
    }
    let bits = ((first.len() * BLOCK + text.len()) as u64).wrapping_mul(8);
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    if rest.len() >= BEFORE_LENGTH {
        add_block(&mut state, &last);
        last = [0; BLOCK];
    }
    last[BEFORE_LENGTH..].copy_from_slice(&bits.to_le_bytes());
    add_block(&mut state, &last);
    let mut digest = [0; 16];
    for (place, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_le_bytes();
    }
    digest
}

/// HMAC with MD5.
pub fn hmac(key: &[u8], text: &[u8]) -> [u8; 16] {
    let mut padded = [0; BLOCK];
    if key.len() > BLOCK {
        padded[..16].copy_from_slice(&sum(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = sum_of(&[padded.map(|byte| byte ^ 0x36)], text);
    sum_of(&[padded.map(|byte| byte ^ 0x5c)], &inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_examples_of_the_standards() {
        assert_eq!(text(&sum(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(text(&sum(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
        let digits = b"1234567890".repeat(8);
        assert_eq!(text(&sum(&digits)), "57edf4a22be3c955ac49da2e2107b67a");
        assert_eq!(
            text(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        assert_eq!(
            text(&hmac(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }

    #[test]
    fn lengths_around_a_block_are_padded_right() {
        // Known sums of so many letters `a`.
        let known = [
            (55, "ef1772b6dff9a122358552954ad0df65"),
            (56, "3b0c8ac703f828b04c6c197006d17218"),
            (63, "b06521f39153d618550606be297466d5"),
            (64, "014842d480b571495a4a0363793f7367"),
            (65, "c743a45e0d2e6a95cb859adae0248435"),
        ];
        for (length, digest) in known {
            assert_eq!(text(&sum(&vec![b'a'; length])), digest, "{length}");
        }
    }
}
