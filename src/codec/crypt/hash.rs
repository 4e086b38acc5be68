//! Hashes of a login: skynet's own of eight bytes, and SHA-1.

use sha1::{Digest, Sha1};

use crate::codec::md5::{self, INITIAL};

/// Bytes that SHA-1 takes at once, and the longest key of HMAC that is used as it is.
const BLOCK: usize = 64;

/// The digest of SHA-1.
pub type Sha1Digest = [u8; 20];

/// Eight bytes that stand for a text: two simple hashes of 32 bits.
pub fn key_of(text: &[u8]) -> [u8; 8] {
    let mut left = 5381_u32;
    let mut right = 1_315_423_911_u32;
    for byte in text {
        let byte = u32::from(*byte);
        left = (left << 5).wrapping_add(left.wrapping_add(byte));
        right ^= (right << 5).wrapping_add((right >> 2).wrapping_add(byte));
    }
    join(left, right)
}

/// Skynet's own code of a challenge under a secret: the rounds of MD5 over both, without its
/// padding.
pub fn hmac64(challenge: [u8; 8], secret: [u8; 8]) -> [u8; 8] {
    let ([x0, x1], [y0, y1]) = (split(challenge), split(secret));
    let four = [x1, x0, y1, y0];
    let words = std::array::from_fn(|at| four[at % 4]);
    let [a, b, c, d] = md5::rounds(&words, INITIAL);
    join(c ^ d, a ^ b)
}

/// The same by plain MD5: the halves of the digest of both, three times, are xored.
pub fn hmac64_md5(challenge: [u8; 8], secret: [u8; 8]) -> [u8; 8] {
    /// Where the text ends, and MD5's padding begins.
    const END: usize = 12;
    let ([x0, x1], [y0, y1]) = (split(challenge), split(secret));
    let four = [x0, x1, y0, y1];
    let words = std::array::from_fn(|at| match at {
        ..END => four[at % 4],
        END => 0x80,
        14 => 8 * 4 * 12,
        _ => 0,
    });
    let end = md5::rounds(&words, INITIAL);
    let [a, b, c, d] = std::array::from_fn(|at| INITIAL[at].wrapping_add(end[at]));
    join(a ^ c, b ^ d)
}

/// The SHA-1 digest of a text.
pub fn sha1(text: &[u8]) -> Sha1Digest {
    Sha1::digest(text).into()
}

/// HMAC with SHA-1.
pub fn hmac_sha1(key: &[u8], text: &[u8]) -> Sha1Digest {
    let mut padded = [0; BLOCK];
    if key.len() > BLOCK {
        padded[..20].copy_from_slice(&sha1(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = Sha1::new().chain_update(padded.map(|byte| byte ^ 0x36)).chain_update(text);
    let outer = Sha1::new().chain_update(padded.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

fn split(bytes: [u8; 8]) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = bytes;
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

fn join(low: u32, high: u32) -> [u8; 8] {
    (u64::from(high) << 32 | u64::from(low)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_code_by_plain_md5_is_made_of_the_digest() {
        let (challenge, secret) = (*b"\x011234567", *b"abcdefg\xff");
        let digest = md5::sum(&[challenge, secret].concat().repeat(3));
        let halves: [u8; 8] = std::array::from_fn(|at| digest[at] ^ digest[at + 8]);
        assert_eq!(hmac64_md5(challenge, secret), halves);
    }

    #[test]
    fn the_examples_of_the_standards() {
        assert_eq!(text(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(text(&sha1(b"")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(
            text(&hmac_sha1(b"Jefe", b"what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            text(&hmac_sha1(
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
    }
}
