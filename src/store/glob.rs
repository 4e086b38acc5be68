//! Patterns of keys, channels and settings: `*`, `?`, `[a-z]`, `[^a]`, `\`.
//!
//! Invariant: what matches is what Redis matches, and the time is at most that of the pattern's
//! length times the text's, however many stars there are.

/// True when the whole `text` matches `pattern`.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, false)
}

/// The same, where letters match in either case.
pub(super) fn matches_any_case(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, true)
}

/// Goes back to the last star alone: what an earlier star could take, the last one can take too.
fn search(pattern: &[u8], text: &[u8], any_case: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the pattern goes on behind the last star, and where in the text that began.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, t));
            continue;
        }
        let Some(byte) = text.get(t) else { return p == pattern.len() };
        if let Some(length) = one(&pattern[p..], *byte, any_case) {
            (p, t) = (p + length, t + 1);
            continue;
        }
        let Some((behind, begun)) = star else { return false };
        (p, t) = (behind, begun + 1);
        star = Some((behind, t));
    }
}

/// How many bytes of the pattern match `byte`, if it does.
fn one(pattern: &[u8], byte: u8, any_case: bool) -> Option<usize> {
    let fold = |byte: u8| if any_case { byte.to_ascii_lowercase() } else { byte };
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => {
            let (found, length) = class(rest, fold(byte), fold);
            found.then_some(1 + length)
        }
        [b'\\', escaped, ..] => (fold(*escaped) == fold(byte)).then_some(2),
        [other, ..] => (fold(*other) == fold(byte)).then_some(1),
    }
}

/// Whether a class, behind its `[`, holds `byte`; and its length with the `]`, which may be
/// missing at the end of the pattern.
fn class(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> (bool, usize) {
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at.min(pattern.len())..] {
            [] => return (found != negated, pattern.len()),
            [b']', ..] => return (found != negated, at + 1),
            [b'\\', escaped, ..] => {
                found |= fold(escaped) == byte;
                at += 2;
            }
            [first, b'-', last, ..] => {
                let (low, high) = if first <= last { (first, last) } else { (last, first) };
                found |= (fold(low)..=fold(high)).contains(&byte);
                at += 3;
            }
            [other, ..] => {
                found |= fold(other) == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_those_of_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b", "acccb", true),
            ("a*b", "acccbc", false),
            ("*a*b*", "xxaxxbxx", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[\\]]llo", "h]llo", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[", "a", false),
            ("[a", "a", true),
            ("a\\", "a\\", true),
            ("news.*", "news.art", true),
            ("*?", "", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(matches_any_case(b"MaX[A-B]*", b"maxa"));
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let pattern = b"*a".repeat(30);
        let mut text = vec![b'a'; 20_000];
        text.push(b'b');
        assert!(!matches(&pattern, &text));
    }
}
