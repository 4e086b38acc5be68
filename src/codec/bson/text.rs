//! What counts as text: UTF-8, and halves of surrogate pairs, which some clients write.

/// True if a string of BSON may hold `bytes`.
#[inline]
pub fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() || has_surrogates_only(bytes)
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
