//! The text of a schema into a tree.
//!
//! Source: the grammar of sproto. Alternatives are tried in its order, so that the line of an error
//! is the one that clients' tools show too: the last line that was begun.
//! Not here: what the names mean (`compile.rs`).

/// How deep types may be defined inside each other.
const DEPTH: usize = 100;

/// What stands between the braces of a type, or at the outermost level.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A field of a type.
    Field(Field<'a>),
    /// A type.
    Type(&'a [u8], Vec<Item<'a>>),
    /// A protocol: its name, its number, its parts.
    Protocol(&'a [u8], u64, Vec<Part<'a>>),
}

/// A field of a type.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) tag: u64,
    pub(super) is_array: bool,
    pub(super) type_name: &'a [u8],
    /// What stands in parentheses behind the type; the second half says whether it is a number.
    pub(super) suffixes: Vec<(&'a [u8], bool)>,
}

/// The request or the response of a protocol.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) is_response: bool,
    pub(super) content: Content<'a>,
}

/// What a request or response holds.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A type defined elsewhere.
    Named(&'a [u8]),
    /// A type defined in place.
    Inline(Vec<Item<'a>>),
}

/// Why the text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Something else was expected; the line.
    Syntax(usize),
    /// Types are defined too deep inside each other; the line.
    TooDeep(usize),
}

/// Reads the whole text.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Item<'_>>, Refusal> {
    let mut parser = Parser { text, at: 0, line: 1, line_start: 0, too_deep: false };
    let items = parser.several(|parser| parser.type_definition(0).or_else(|| parser.protocol()));
    if parser.at == text.len() && !parser.too_deep {
        return Ok(items);
    }
    let line = parser.line;
    Err(if parser.too_deep { Refusal::TooDeep(line) } else { Refusal::Syntax(line) })
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    /// The last line that was begun, and where.
    line: usize,
    line_start: usize,
    too_deep: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn take_while(&mut self, accepts: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !accepts(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Runs `read`; when it fails, goes back to where it began.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let result = read(self);
        if result.is_none() {
            self.at = start;
        }
        result
    }

    fn newline(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let length = match rest {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return false,
        };
        self.at += length;
        if self.line_start < self.at {
            self.line_start = self.at;
            self.line += 1;
        }
        true
    }

    fn comment(&mut self) -> bool {
        if !self.take(b'#') {
            return false;
        }
        while self.at < self.text.len() && !self.newline() {
            self.at += 1;
        }
        true
    }

    /// Skips blanks and comments; true if there was any.
    fn blanks(&mut self) -> bool {
        let start = self.at;
        while self.take(b' ') || self.take(b'\t') || self.newline() || self.comment() {}
        self.at > start
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return None;
        }
        Some(self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    }

    fn type_name(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.word()?;
        while self.attempt(|parser| if parser.take(b'.') { parser.word() } else { None }).is_some()
        {
        }
        Some(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Option<&'a [u8]> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }

    fn number(&mut self) -> Option<u64> {
        Some(value_of(self.digits()?))
    }

    /// Items with blanks between them. Those without may follow each other at the end alone.
    fn several<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Vec<T> {
        let mut items = Vec::new();
        self.blanks();
        let mut are_apart = true;
        while let Some(item) = self.attempt(&mut read) {
            items.push(item);
            let after = self.at;
            if are_apart {
                are_apart = self.blanks();
                if !are_apart {
                    self.at = after;
                }
            }
        }
        self.blanks();
        items
    }

    fn structure(&mut self, depth: usize) -> Option<Vec<Item<'a>>> {
        if depth > DEPTH {
            self.too_deep = true;
            return None;
        }
        self.attempt(|parser| {
            if !parser.take(b'{') {
                return None;
            }
            let items = parser.several(|parser| {
                let field = parser.attempt(Self::field).map(Item::Field);
                field.or_else(|| parser.type_definition(depth + 1))
            });
            parser.take(b'}').then_some(items)
        })
    }

    fn type_definition(&mut self, depth: usize) -> Option<Item<'a>> {
        self.attempt(|parser| {
            if !parser.take(b'.') {
                return None;
            }
            let name = parser.word()?;
            parser.blanks();
            Some(Item::Type(name, parser.structure(depth)?))
        })
    }

    fn name_and_tag(&mut self) -> Option<(&'a [u8], u64)> {
        let name = self.word()?;
        if !self.blanks() {
            return None;
        }
        let tag = self.number()?;
        self.blanks();
        Some((name, tag))
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let (name, tag) = self.name_and_tag()?;
        if !self.take(b':') {
            return None;
        }
        self.blanks();
        let is_array = self.take(b'*');
        let type_name = self.type_name()?;
        let mut suffixes = Vec::new();
        while let Some(suffix) = self.attempt(Self::suffix) {
            suffixes.push(suffix);
        }
        Some(Field { name, tag, is_array, type_name, suffixes })
    }

    fn suffix(&mut self) -> Option<(&'a [u8], bool)> {
        if !self.take(b'(') {
            return None;
        }
        self.blanks();
        let (text, is_number) = match self.word() {
            Some(word) => (word, false),
            None => self.digits().map_or((&b""[..], false), |digits| (digits, true)),
        };
        self.blanks();
        self.take(b')').then_some((text, is_number))
    }

    fn protocol(&mut self) -> Option<Item<'a>> {
        self.attempt(|parser| {
            let (name, tag) = parser.name_and_tag()?;
            if !parser.take(b'{') {
                return None;
            }
            let parts = parser.several(Self::part);
            parser.take(b'}').then_some(Item::Protocol(name, tag, parts))
        })
    }

    fn part(&mut self) -> Option<Part<'a>> {
        let rest = &self.text[self.at..];
        let is_response = rest.starts_with(b"response");
        if !is_response && !rest.starts_with(b"request") {
            return None;
        }
        self.at += if is_response { b"response".len() } else { b"request".len() };
        if !self.blanks() {
            return None;
        }
        let content = match self.type_name() {
            Some(name) => Content::Named(name),
            None => Content::Inline(self.structure(0)?),
        };
        Some(Part { is_response, content })
    }
}

/// The value of digits; what is beyond 64 bits is the largest.
pub(super) fn value_of(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value: u64, digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}
