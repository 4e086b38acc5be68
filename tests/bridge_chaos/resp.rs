//! As much of Redis' protocol as the test needs itself: commands, replies, and what is in an append-only file.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Vec<u8>),
    Integer(i64),
    Nil,
    List(Vec<Value>),
    Error(String),
}

impl Value {
    /// Its text; that of a number, too.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer(number) => number.to_string(),
            other => panic!("{other:?} is no text"),
        }
    }

    /// The texts of a list.
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::List(values) => values.iter().map(Self::text).collect(),
            other => panic!("{other:?} is no list"),
        }
    }
}

/// A connection.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Runs a command.
    pub(crate) fn ask<T: AsRef<[u8]>>(&mut self, parts: &[T]) -> io::Result<Value> {
        let mut out = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            let part = part.as_ref();
            out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            out.extend_from_slice(part);
            out.extend_from_slice(b"\r\n");
        }
        self.reader.get_mut().write_all(&out)?;
        read(&mut self.reader)
    }
}

/// Reads one value.
pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Value> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.trim_end();
    let number =
        || line[1..].parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    match line.as_bytes().first() {
        Some(b'+') => Ok(Value::Text(line.as_bytes()[1..].to_vec())),
        Some(b'-') => Ok(Value::Error(line[1..].to_owned())),
        Some(b':') => Ok(Value::Integer(number()?)),
        Some(b'$') => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Value::Nil) };
            let mut bytes = vec![0; length + 2];
            reader.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Value::Text(bytes))
        }
        Some(b'*') => {
            let count = number()?;
            (0..count).map(|_| read(reader)).collect::<io::Result<_>>().map(Value::List)
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
