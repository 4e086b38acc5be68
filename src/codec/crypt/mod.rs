//! What `skynet.crypt` computes, on bytes: DES, base64, hexadecimal digits, the key exchange, and
//! the hashes that a login makes of them.
//!
//! Source: reference 8.5. None of it is strong by today's measure; it is what clients speak.
//! Invariant: no input makes a function panic, and each output has a length known beforehand.
//! Not here: randomness, Lua (`bindings/crypt.rs`).

pub mod base64;
pub mod des;
pub mod exchange;
pub mod hash;
pub mod hex;

/// Bytes that an exclusive-or takes in one go; a short key is repeated up to that length.
const STRIDE: usize = 64;

/// Appends `text` with the bytes of `key`, repeated, xored into it. An empty key changes nothing.
pub fn xor(out: &mut Vec<u8>, text: &[u8], key: &[u8]) {
    let start = out.len();
    out.extend_from_slice(text);
    if key.is_empty() {
        return;
    }
    let mut pattern = [0; 2 * STRIDE];
    let whole = if key.len() < STRIDE {
        let length = STRIDE.div_ceil(key.len()) * key.len();
        for (place, byte) in pattern[..length].iter_mut().zip(key.iter().cycle()) {
            *place = *byte;
        }
        &pattern[..length]
    } else {
        key
    };
    for chunk in out[start..].chunks_mut(whole.len()) {
        for (byte, other) in chunk.iter_mut().zip(whole) {
            *byte ^= other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_length_is_repeated() {
        let text: Vec<u8> = (0..=255).cycle().take(700).collect();
        for length in [1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 100, 699, 700, 701] {
            let key: Vec<u8> = (0..=250).rev().cycle().take(length).collect();
            let mut out = vec![1, 2];
            xor(&mut out, &text, &key);
            let expected: Vec<u8> =
                text.iter().zip(key.iter().cycle()).map(|(byte, other)| byte ^ other).collect();
            assert_eq!(out[..2], [1, 2]);
            assert!(out[2..] == expected, "a key of {length} bytes");
        }
        let mut out = Vec::new();
        xor(&mut out, b"as it is", b"");
        assert_eq!(out, b"as it is");
    }
}
