//! The cipher of the Lua library `md5`: each block of text is xored with the digest of what came
//! before it and the key.
//!
//! The result opens with the length of the seed and the seed.

use super::sum;

/// Bytes of a block, and of the longest seed.
pub const SEED: usize = 16;
/// Bytes of the longest key.
pub const KEY: usize = 256;

/// Why nothing was encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key has more bytes than a key can have.
    #[error("key too long (> {KEY})")]
    Key,
    /// The seed has more bytes than a seed can have.
    #[error("seed too long (> {SEED})")]
    Seed,
    /// The text does not begin with a seed.
    #[error("invalid cyphered string")]
    Text,
}

/// What the next block is xored with: the last block, or the seed, and the key behind it.
struct Feedback {
    bytes: [u8; SEED + KEY],
    length: usize,
}

impl Feedback {
    fn new(seed: &[u8], key: &[u8]) -> Result<Self, Refusal> {
        let mut bytes = [0; SEED + KEY];
        bytes[..SEED].get_mut(..seed.len()).ok_or(Refusal::Seed)?.copy_from_slice(seed);
        bytes[SEED..].get_mut(..key.len()).ok_or(Refusal::Key)?.copy_from_slice(key);
        Ok(Self { bytes, length: SEED + key.len() })
    }

    fn mask(&self) -> [u8; SEED] {
        sum(&self.bytes[..self.length])
    }

    fn take(&mut self, block: &[u8]) {
        self.bytes[..block.len()].copy_from_slice(block);
    }
}

/// Appends `text`, encrypted.
///
/// # Errors
/// When the key or the seed is too long; nothing is appended then.
pub fn encrypt(out: &mut Vec<u8>, text: &[u8], key: &[u8], seed: &[u8]) -> Result<(), Refusal> {
    let mut feedback = Feedback::new(seed, key)?;
    out.reserve(1 + seed.len() + text.len());
    out.push(u8::try_from(seed.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(seed);
    for block in text.chunks(SEED) {
        let start = out.len();
        out.extend(block.iter().zip(feedback.mask()).map(|(byte, mask)| byte ^ mask));
        feedback.take(&out[start..]);
    }
    Ok(())
}

/// Appends what was encrypted.
///
/// # Errors
/// When the key is too long, or the text does not begin with a seed.
pub fn decrypt(out: &mut Vec<u8>, text: &[u8], key: &[u8]) -> Result<(), Refusal> {
    let (length, rest) = text.split_first().ok_or(Refusal::Text)?;
    let (seed, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Refusal::Text)?;
    let mut feedback = Feedback::new(seed, key).map_err(|refusal| match refusal {
        Refusal::Seed => Refusal::Text,
        other => other,
    })?;
    out.reserve(rest.len());
    for block in rest.chunks(SEED) {
        out.extend(block.iter().zip(feedback.mask()).map(|(byte, mask)| byte ^ mask));
        feedback.take(block);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_comes_back_under_the_same_key() {
        for length in [0, 1, 15, 16, 17, 100] {
            let text: Vec<u8> = (0..length).collect();
            let (mut secret, mut plain) = (Vec::new(), Vec::new());
            assert_eq!(encrypt(&mut secret, &text, b"a key", b"seed"), Ok(()));
            assert_eq!(secret[..5], *b"\x04seed");
            assert_eq!(decrypt(&mut plain, &secret, b"a key"), Ok(()));
            assert_eq!(plain, text);
        }
    }

    #[test]
    fn what_is_too_long_or_too_short_is_refused() {
        let mut out = Vec::new();
        assert_eq!(encrypt(&mut out, b"", &[0; 257], b""), Err(Refusal::Key));
        assert_eq!(encrypt(&mut out, b"", b"", &[0; 17]), Err(Refusal::Seed));
        for text in [&b""[..], b"\x01", b"\x05seed", &[17; 30], &[255; 300]] {
            assert_eq!(decrypt(&mut out, text, b""), Err(Refusal::Text), "{text:?}");
        }
        assert_eq!(out, b"");
    }
}
