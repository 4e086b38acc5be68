//! JSON for scripts: text to Lua values, with the error texts of `cjson`.
//!
//! Invariant: a number without a fraction is an integer, so that it is written back as it was read.

use mlua::{Lua, Value};

use super::json::DEPTH;

/// Reads a value.
///
/// # Errors
/// When the text is no JSON.
pub(super) fn decode(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    let mut reader = Reader { lua, text, at: 0, depth: 0 };
    let value = reader.value()?;
    match reader.token() {
        (_, Token::End) => Ok(value),
        (at, found) => Err(reader.expected("the end", at, &found)),
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    depth: usize,
}

#[derive(Debug)]
enum Token {
    Open(u8),
    Close(u8),
    Colon,
    Comma,
    Text(Vec<u8>),
    Number(Value),
    Word(Value),
    End,
    Invalid(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::Open(b'{') => "T_OBJ_BEGIN",
            Self::Open(_) => "T_ARR_BEGIN",
            Self::Close(b'}') => "T_OBJ_END",
            Self::Close(_) => "T_ARR_END",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Word(Value::Boolean(_)) => "T_BOOLEAN",
            Self::Word(_) => "T_NULL",
            Self::End => "T_END",
            Self::Invalid(what) => what,
        }
    }
}

impl Reader<'_> {
    fn expected(&self, what: &str, at: usize, found: &Token) -> mlua::Error {
        let name = found.name();
        mlua::Error::runtime(format!("Expected {what} but found {name} at character {}", at + 1))
    }

    /// The next token and where it begins.
    fn token(&mut self) -> (usize, Token) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let at = self.at;
        let rest = &self.text[at..];
        let token = match rest {
            [] => return (at, Token::End),
            [bracket @ (b'{' | b'['), ..] => Token::Open(*bracket),
            [bracket @ (b'}' | b']'), ..] => Token::Close(*bracket),
            [b':', ..] => Token::Colon,
            [b',', ..] => Token::Comma,
            [b'"', ..] => return self.string(at),
            _ => return self.word(at),
        };
        self.at += 1;
        (at, token)
    }

    fn word(&mut self, at: usize) -> (usize, Token) {
        let rest = &self.text[at..];
        let words: [(&[u8], Value); 3] = [
            (b"true", Value::Boolean(true)),
            (b"false", Value::Boolean(false)),
            (b"null", Value::NULL),
        ];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at = at + word.len();
                return (at, Token::Word(value));
            }
        }
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let text = str::from_utf8(&rest[..end]).unwrap_or_default();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leads = digits.len() > 1 && digits.starts_with('0');
        let odd = leads && digits.as_bytes()[1].is_ascii_digit() || text.starts_with('+');
        if digits.is_empty() || odd {
            let what = if digits.is_empty() { "invalid token" } else { "invalid number" };
            return (at, Token::Invalid(what));
        }
        self.at = at + end;
        if let Ok(integer) = text.parse() {
            return (at, Token::Number(Value::Integer(integer)));
        }
        /// From here on a float is not exact as an integer.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match text.parse::<f64>() {
            #[allow(clippy::cast_possible_truncation, reason = "an integer below 2^53")]
            Ok(number) if number.trunc() == number && number.abs() < EXACT => {
                (at, Token::Number(Value::Integer(number as i64)))
            }
            Ok(number) => (at, Token::Number(Value::Number(number))),
            Err(_) => (at, Token::Invalid("invalid number")),
        }
    }

    fn string(&mut self, start: usize) -> (usize, Token) {
        let mut out = Vec::new();
        let mut at = start + 1;
        loop {
            match self.text.get(at..).unwrap_or_default() {
                [] => return (self.text.len(), Token::Invalid("unexpected end of string")),
                [b'"', ..] => break,
                [b'\\', b'u', ..] => {
                    let Some((character, length)) = self.unicode(at) else {
                        return (at, Token::Invalid("invalid unicode escape code"));
                    };
                    out.extend_from_slice(&character);
                    at += length;
                }
                [b'\\', escaped, ..] => {
                    out.push(match escaped {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        b'b' => 8,
                        b'f' => 12,
                        b'"' | b'\\' | b'/' => *escaped,
                        _ => return (at, Token::Invalid("invalid escape code")),
                    });
                    at += 2;
                }
                [0..=31, ..] => return (at, Token::Invalid("invalid token")),
                [byte, ..] => {
                    out.push(*byte);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        (start, Token::Text(out))
    }

    /// The character of `\uXXXX` at a place, perhaps of two such halves, and their length.
    fn unicode(&self, at: usize) -> Option<(Vec<u8>, usize)> {
        let unit = |at: usize| {
            let escape = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
            u32::from_str_radix(str::from_utf8(escape).ok()?, 16).ok()
        };
        let first = unit(at)?;
        let (code, length) = match first {
            0xd800..0xdc00 => {
                let second = unit(at + 6).filter(|second| (0xdc00..0xe000).contains(second))?;
                (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
            }
            other => (other, 6),
        };
        Some((char::from_u32(code)?.to_string().into_bytes(), length))
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let (at, token) = self.token();
        match token {
            Token::Text(text) => Ok(Value::String(self.lua.create_string(text)?)),
            Token::Number(value) | Token::Word(value) => Ok(value),
            Token::Open(bracket) => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err(mlua::Error::runtime(format!(
                        "Found too many nested data structures ({})",
                        self.depth
                    )));
                }
                let value = if bracket == b'{' { self.object() } else { self.array() };
                self.depth -= 1;
                value
            }
            other => Err(self.expected("value", at, &other)),
        }
    }

    fn array(&mut self) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        let before = self.at;
        if let (_, Token::Close(b']')) = self.token() {
            return Ok(Value::Table(table));
        }
        self.at = before;
        for index in 1_i64.. {
            table.raw_set(index, self.value()?)?;
            match self.token() {
                (_, Token::Comma) => {}
                (_, Token::Close(b']')) => break,
                (at, other) => return Err(self.expected("comma or array end", at, &other)),
            }
        }
        Ok(Value::Table(table))
    }

    fn object(&mut self) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        let mut first = true;
        loop {
            let key = match self.token() {
                (_, Token::Close(b'}')) if first => break,
                (_, Token::Text(key)) => self.lua.create_string(key)?,
                (at, other) if first => {
                    return Err(self.expected("object key string", at, &other));
                }
                (at, other) => return Err(self.expected("object key string", at, &other)),
            };
            first = false;
            match self.token() {
                (_, Token::Colon) => {}
                (at, other) => return Err(self.expected("colon", at, &other)),
            }
            table.raw_set(key, self.value()?)?;
            match self.token() {
                (_, Token::Comma) => {}
                (_, Token::Close(b'}')) => break,
                (at, other) => return Err(self.expected("comma or object end", at, &other)),
            }
        }
        Ok(Value::Table(table))
    }
}
