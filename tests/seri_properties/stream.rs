//! A model of packed values, and what has to hold for any bytes; the fuzz target shares it.

use node::codec::seri::{self, Item, MAX_DEPTH, Reader};

/// Nesting that the model reads, so that hostile bytes cannot use up its stack.
const DEEPEST: usize = 2 * MAX_DEPTH;

/// One packed value with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Nil,
    Boolean(bool),
    Integer(i64),
    /// The bits, so that "not a number" equals itself.
    Float(u64),
    Pointer(u64),
    String(Vec<u8>),
    Table {
        array: Vec<Value>,
        pairs: Vec<(Value, Value)>,
    },
}

impl Value {
    /// Appends the value to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => seri::put_nil(out),
            Self::Boolean(value) => seri::put_boolean(out, *value),
            Self::Integer(value) => seri::put_integer(out, *value),
            Self::Float(bits) => seri::put_float(out, f64::from_bits(*bits)),
            Self::Pointer(value) => seri::put_pointer(out, *value),
            Self::String(bytes) => assert!(seri::put_string(out, bytes), "the string is short"),
            Self::Table { array, pairs } => {
                seri::put_table(out, array.len());
                array.iter().for_each(|value| value.write(out));
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
                seri::put_nil(out);
            }
        }
    }

    /// Reads one value. None when the bytes are invalid or nested too deep.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Self::read_nested(reader, 0)
    }

    fn read_nested(reader: &mut Reader<'_>, depth: usize) -> Option<Self> {
        Some(match reader.next_item().ok()? {
            Item::Nil => Self::Nil,
            Item::Boolean(value) => Self::Boolean(value),
            Item::Integer(value) => Self::Integer(value),
            Item::Float(value) => Self::Float(value.to_bits()),
            Item::Pointer(value) => Self::Pointer(value),
            Item::String(bytes) => Self::String(bytes.to_vec()),
            Item::Table(_) if depth == DEEPEST => return None,
            Item::Table(length) => {
                let mut next = || Self::read_nested(reader, depth + 1);
                let array = (0..length).map(|_| next()).collect::<Option<_>>()?;
                let mut pairs = Vec::new();
                loop {
                    match next()? {
                        Self::Nil => break,
                        key => pairs.push((key, next()?)),
                    }
                }
                Self::Table { array, pairs }
            }
        })
    }
}

/// The bytes of `values`, one behind the other.
pub(crate) fn pack(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| value.write(&mut out));
    out
}

/// The values that `bytes` hold up to their end or up to what is invalid; true if all was read.
pub(crate) fn unpack(bytes: &[u8]) -> (Vec<Value>, bool) {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    while !reader.is_at_end() {
        match Value::read(&mut reader) {
            Some(value) => values.push(value),
            None => return (values, false),
        }
    }
    (values, true)
}

/// Fails unless reading `bytes`, whatever they are, stays inside them, goes forward, and gives
/// values that survive writing and reading.
pub(crate) fn examine(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    while !reader.is_at_end() {
        let left = reader.left();
        match reader.next_item() {
            Ok(item) => {
                assert!(reader.left() < left, "{item:?} was read from nothing");
                if let Item::String(string) = item {
                    let inside = bytes.as_ptr_range();
                    let found = string.as_ptr_range();
                    assert!(inside.start <= found.start && found.end <= inside.end);
                }
            }
            Err(invalid) => {
                assert_eq!(invalid.left, reader.left());
                assert!(invalid.left <= left);
                break;
            }
        }
    }
    let (values, _) = unpack(bytes);
    assert_eq!(unpack(&pack(&values)), (values, true));
}
