//! What counts as text: UTF-8, and halves of surrogate pairs, which some clients write.

/// True if a string of BSON may hold `bytes`.
#[inline]
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() || has_surrogates_only(bytes)
}

/// True if `bytes` are ASCII without a zero byte, as nearly all keys are.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * LOW;
    // A byte that is zero or beyond ASCII has its highest bit set in this.
    let marked = |word: u64| (word.wrapping_sub(LOW) | word) & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    let seen = words.iter().fold(0, |seen, word| seen | marked(u64::from_le_bytes(*word)));
    seen == 0 && rest.iter().all(|byte| (1..0x80).contains(byte))
}

/// True if nothing but halves of surrogate pairs keeps `bytes` from being UTF-8.
#[cold]
fn has_surrogates_only(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Err(error) = std::str::from_utf8(rest) {
        let [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] = &rest[error.valid_up_to()..] else {
            return false;
        };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf8_and_lone_surrogates() {
        for text in ["", "plain", "über", "漢字", "\u{10ffff}", "a\0b"] {
            assert!(is_text(text.as_bytes()), "{text}");
        }
        for text in ["", "a", "eight by", "more than eight", "\x7f\x01"] {
            assert!(is_plain(text.as_bytes()), "{text}");
        }
        for text in ["\0", "\u{80}", "eight by\0", "eigh\0 by", "eight b\u{fc}", "\u{fc} eight"] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
        assert!(is_text(b"\xed\xa0\x80 and \xed\xbf\xbf"));
        let bad: [&[u8]; 8] = [
            b"\x80",
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf4\x90\x80\x80",
            b"\xff",
            b"\xc3",
            b"ab\xe6\xbc",
            b"\xed\xa0\x80\xff",
        ];
        for bytes in bad {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }
}
