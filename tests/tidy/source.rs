//! Rust source as these tests read it: enough of a lexer to tell code from comments and literals.

/// `source` with comments and the inside of literals blanked; all else stays in its line.
pub(crate) fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word = leading_word(rest);
        let (kept, blanked) = match first {
            '/' if rest.starts_with("//") => (0, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (0, block_comment(rest)),
            '"' => (0, quoted(rest, '"')),
            '\'' => match character(rest) {
                0 => (1, 0),
                length => (0, length),
            },
            _ if matches!(word, "r" | "br" | "cr") => (word.len(), raw_string(&rest[word.len()..])),
            _ => (word.len().max(first.len_utf8()), 0),
        };
        code.push_str(&rest[..kept]);
        let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
        code.extend(rest[kept..kept + blanked].chars().map(blank));
        rest = &rest[kept + blanked..];
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word that `text` begins with, or nothing.
pub(crate) fn leading_word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// Length of the comment at the start of `text`; such comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// Length of the literal at the start of `text`, both quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Length of the character literal at the start of `text`, 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut inside = text.chars().skip(1);
    let is_literal = inside.next() == Some('\\') || inside.next() == Some('\'');
    if is_literal { quoted(text, '\'') } else { 0 }
}

/// Length of a raw string behind its `r`, 0 when it is none (`r#match`).
fn raw_string(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    if !text[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    text[hashes + 1..].find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
}

/// Where `phrase` stands in `code`, not as a part of longer words.
pub(crate) fn places(code: &str, phrase: &str) -> Vec<usize> {
    let is_apart = |&at: &usize| {
        let (before, after) = (&code[..at], &code[at + phrase.len()..]);
        let touches_before = phrase.starts_with(is_word) && before.ends_with(is_word);
        let touches_after = phrase.ends_with(is_word) && after.starts_with(is_word);
        !touches_before && !touches_after
    };
    code.match_indices(phrase).map(|(at, _)| at).filter(is_apart).collect()
}

/// The line of the byte `at`, counted from 1.
pub(crate) fn line_at(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The first names behind `root` (`crate::`), which may be a group, with their places.
pub(crate) fn names_behind<'a>(code: &'a str, root: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for at in places(code, root) {
        let path = &code[at + root.len()..];
        let Some(group) = path.strip_prefix('{') else {
            found.push((at, leading_word(path)));
            continue;
        };
        found.push((at, leading_word(group.trim_start())));
        let mut depth = 0;
        for (comma, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.push((at, leading_word(group[comma + 1..].trim_start())));
                }
                _ => {}
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

#[test]
fn code_is_told_from_comments_and_literals() {
    let source =
        "a /* b /* c */ d */ e // f\n\"g\\\"h\" r#\"i\"j\"# 'k' '\\'' &'l m br\"n\" r#o b'p'";
    let code = code_only(source);
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "e", "r", "&'l", "m", "br", "r#o", "b"]);
    assert_eq!(code.len(), source.len());
}

#[test]
fn names_are_found_alone_and_in_groups() {
    let names = |code| names_behind(code, "crate::").into_iter().map(|(_, name)| name);
    let names = |code| names(code).collect::<Vec<_>>();
    assert_eq!(names("use crate::kernel::{Node, Handle};"), ["kernel"]);
    let group = "use crate::{\n  vm::{Call, state::{A, B}}, codec, error as e,\n};";
    assert_eq!(names(group), ["vm", "codec", "error"]);
    assert_eq!(names("$crate::vm::call(crate::net::x)"), ["vm", "net"]);
    assert!(names("pub(crate) use mycrate::vm;").is_empty());
}

#[test]
fn a_phrase_is_no_part_of_a_longer_word() {
    assert_eq!(places("unsafe_op unsafe not_unsafe", "unsafe"), [10]);
    assert_eq!(places("my_todo!() todo!()", "todo!"), [11]);
}
