//! The text of a config file before Lua sees it: read as bytes, `$NAME` replaced.
//!
//! Invariant: no step removes or adds a line of the file, so that line numbers stay those of the
//! file (a variable that itself holds line breaks moves them, as it does in skynet).
//! Not here: which file an `include` means (`evaluate.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::{ConfigError, Place};

/// Largest config file in bytes. Real ones have a few KiB; the limit keeps a device or a log file,
/// named by mistake, from filling the memory.
const FILE_LENGTH: u64 = 4 * 1024 * 1024;

/// What some editors put in front of UTF-8 text; Lua takes it for an unexpected symbol.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a file to its end; pipes are fine.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LENGTH + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_LENGTH) {
        Ok(bytes)
    } else {
        let message = format!("the file is larger than {FILE_LENGTH} bytes");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
    }
}

/// Makes Lua text of a file's bytes: without byte order mark and `#!` line, every `$NAME` replaced
/// by the environment variable, in strings and comments too. `file` is for the error message.
pub(super) fn expand(
    bytes: &[u8],
    file: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, ConfigError> {
    let mut rest = lua_part(bytes);
    let mut expanded = Vec::with_capacity(rest.len());
    let mut line = 1;
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        let (before, from_dollar) = rest.split_at(dollar);
        expanded.extend_from_slice(before);
        line += before.iter().filter(|&&byte| byte == b'\n').count();
        let name = name_at_start(&from_dollar[1..]);
        if name.is_empty() {
            expanded.push(b'$');
        } else if let Some(value) = environment(name) {
            expanded.extend_from_slice(value.as_bytes());
        } else {
            let place = Place::new(file, line);
            return Err(ConfigError::UnsetVariable { place, name: name.to_owned() });
        }
        rest = &from_dollar[1 + name.len()..];
    }
    expanded.extend_from_slice(rest);
    Ok(expanded)
}

/// Skips what stands in front of the Lua text; the line break of a `#!` line stays.
fn lua_part(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if bytes.starts_with(b"#") {
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        &bytes[end..]
    } else {
        bytes
    }
}

/// The letters, digits and underscores (ASCII only) that `bytes` starts with.
fn name_at_start(bytes: &[u8]) -> &str {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = bytes.iter().take_while(|byte| is_name(byte)).count();
    str::from_utf8(&bytes[..length]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/game".to_owned()),
            "N_1" => Some("7".to_owned()),
            "EMPTY" => Some(String::new()),
            "LOOP" => Some("$LOOP".to_owned()),
            _ => None,
        }
    }

    fn expand_text(text: &[u8]) -> Result<Vec<u8>, String> {
        expand(text, "./config", &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_are_replaced_everywhere_in_the_text() {
        let text = b"path = '$HOME/x' -- see $HOME\nn = $N_1 e = [[$EMPTY]]";
        let expected = b"path = '/home/game/x' -- see /home/game\nn = 7 e = [[]]";
        assert_eq!(expand_text(text).unwrap(), expected);
    }

    #[test]
    fn a_dollar_without_a_name_and_a_dollar_in_a_value_stay() {
        assert_eq!(expand_text(b"a = '$' b = '$-' c = $").unwrap(), b"a = '$' b = '$-' c = $");
        assert_eq!(expand_text(b"'$LOOP'").unwrap(), b"'$LOOP'");
        assert_eq!(expand_text(b"'$$N_1'").unwrap(), b"'$7'");
    }

    #[test]
    fn a_name_takes_all_letters_digits_and_underscores() {
        let message = expand_text(b"x = '$HOMES'").unwrap_err();
        assert_eq!(
            message,
            "config ./config:1: os.getenv() failed: HOMES (environment variable is not set)"
        );
        assert_eq!(expand_text("'$N_1号'".as_bytes()).unwrap(), "'7号'".as_bytes());
    }

    #[test]
    fn an_unset_variable_is_reported_with_its_line_even_in_a_comment() {
        let message = expand_text(b"a = 1\n\n-- costs $MONEY\n").unwrap_err();
        assert!(message.starts_with("config ./config:3: os.getenv() failed: MONEY"), "{message}");
    }

    #[test]
    fn byte_order_mark_and_first_line_with_a_hash_are_skipped_without_moving_lines() {
        assert_eq!(expand_text(b"\xef\xbb\xbfa = 1").unwrap(), b"a = 1");
        assert_eq!(expand_text(b"#!/usr/bin/env $UNSET\na = 1").unwrap(), b"\na = 1");
        assert_eq!(expand_text(b"\xef\xbb\xbf#!x\na = 1").unwrap(), b"\na = 1");
        assert_eq!(expand_text(b"#!only").unwrap(), b"");
    }

    #[test]
    fn bytes_that_are_no_utf8_pass_unchanged() {
        let gbk = b"name = '\xd6\xd0\xce\xc4' -- \xb7\xfe\xce\xf1$N_1\n";
        assert_eq!(expand_text(gbk).unwrap(), b"name = '\xd6\xd0\xce\xc4' -- \xb7\xfe\xce\xf17\n");
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
