//! Bytes and what they say, as text: `0a ff # 255`. The recorded frames and the examples of the
//! documentation are written so.

use node::codec::cluster::{
    Address, Assembly, AssemblyError, Request, Response, decode_request, decode_response,
    split_frame,
};

use crate::stream::{Value, unpack};

/// Bytes of all unfinished messages in a text.
const LIMIT: usize = 1 << 20;

/// A string of at least so many equal bytes is written as `"x" * 32`.
const LEAST_RUN: usize = 32;

/// One line: the bytes, and what stands behind `#`.
pub(crate) fn example(line: &str) -> (Vec<u8>, &str) {
    let (hex, meaning) = line.split_once('#').unwrap_or((line, ""));
    (bytes(hex), meaning.trim())
}

/// The bytes of a hex text. Blanks and `|` set fields apart; `71*3` is `717171`.
fn bytes(hex: &str) -> Vec<u8> {
    let mut found = Vec::new();
    for word in hex.split_whitespace().filter(|word| *word != "|") {
        let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
        let times: usize = times.parse().expect("behind * stands a number");
        assert!(digits.len() % 2 == 0, "{word} is half a byte too long");
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex has 0-9 and a-f");
        let part: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        (0..times).for_each(|_| found.extend_from_slice(&part));
    }
    found
}

/// What packed values are: `1, "x", {true, ["k"] = 1.5}`.
pub(crate) fn values(packed: &[u8]) -> String {
    let (values, whole) = unpack(packed);
    assert!(whole, "not all of {packed:02x?} is values");
    let list: Vec<String> = values.iter().map(value).collect();
    if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
}

fn value(value_: &Value) -> String {
    match value_ {
        Value::Nil => "nil".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(bits) => format!("{:?}", f64::from_bits(*bits)),
        Value::Pointer(value) => format!("userdata {value:#x}"),
        Value::String(bytes) => string(bytes),
        Value::Table { array, pairs } => {
            let pair =
                |(key, of_key): &(Value, Value)| format!("[{}] = {}", value(key), value(of_key));
            let list: Vec<String> = array.iter().map(value).chain(pairs.iter().map(pair)).collect();
            format!("{{{}}}", list.join(", "))
        }
    }
}

/// A string in quotes. What is not printable is `\x` and two digits.
pub(crate) fn string(bytes: &[u8]) -> String {
    let quoted = |bytes: &[u8]| {
        let escaped = bytes.iter().map(|&byte| match byte {
            b'"' | b'\\' => format!("\\x{byte:02x}"),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        });
        format!("\"{}\"", escaped.collect::<String>())
    };
    match bytes {
        [first, ..] if bytes.len() >= LEAST_RUN && bytes.iter().all(|byte| byte == first) => {
            format!("{} * {}", quoted(&[*first]), bytes.len())
        }
        _ => quoted(bytes),
    }
}

/// The content of the one frame that `bytes` are.
pub(crate) fn content(bytes: &[u8]) -> &[u8] {
    match split_frame(bytes) {
        Some((content, [])) => content,
        _ => panic!("{} bytes, but not exactly one frame", bytes.len()),
    }
}

/// Says what the frames of one connection say; behind the last part of a message, its values.
pub(crate) struct Listener {
    requests: Assembly<()>,
    responses: Assembly<()>,
}

impl Listener {
    pub(crate) fn new() -> Self {
        Self { requests: Assembly::new(LIMIT), responses: Assembly::new(LIMIT) }
    }

    /// True when no message is unfinished.
    pub(crate) fn is_done(&self) -> bool {
        self.requests.is_empty() && self.responses.is_empty()
    }

    /// What a request frame says, or why it is refused.
    pub(crate) fn request(&mut self, frame: &[u8]) -> String {
        let request = match decode_request(content(frame)) {
            Ok(request) => request,
            Err(malformed) => return malformed.to_string(),
        };
        match request {
            Request::Single { to, session: 0, body } => {
                format!("push to {}: {}", address(to), values(body))
            }
            Request::Single { to, session, body } => {
                format!("call to {}, session {session}: {}", address(to), values(body))
            }
            Request::Begin { to, session, total, push } => {
                let kind = if push { "push" } else { "call" };
                let to = address(to);
                let what = format!("begin of {kind} to {to}, session {session}, {total} bytes");
                begin(what, self.requests.begin(session, total, ()))
            }
            Request::Part { session, bytes, last } => {
                let what = format!("part of {session}, {} bytes", bytes.len());
                part(what, self.requests.part(session, bytes, last))
            }
            Request::Trace(tag) => format!("trace {}", string(tag)),
        }
    }

    /// What a response frame says, or why it is refused.
    pub(crate) fn response(&mut self, frame: &[u8]) -> String {
        let response = match decode_response(content(frame)) {
            Ok(response) => response,
            Err(malformed) => return malformed.to_string(),
        };
        match response {
            Response::Error { session, text } => format!("error to {session}: {}", string(text)),
            Response::Ok { session, body } => format!("answer to {session}: {}", values(body)),
            Response::Begin { session, total } => {
                let what = format!("begin of answer to {session}, {total} bytes");
                begin(what, self.responses.begin(session, total, ()))
            }
            Response::Part { session, bytes, last } => {
                let what = format!("part of answer to {session}, {} bytes", bytes.len());
                part(what, self.responses.part(session, bytes, last))
            }
        }
    }
}

fn begin(what: String, begun: Result<(), AssemblyError>) -> String {
    match begun {
        Ok(()) => what,
        Err(error) => error.to_string(),
    }
}

fn part(what: String, taken: Result<Option<((), Vec<u8>)>, AssemblyError>) -> String {
    match taken {
        Ok(None) => what,
        Ok(Some(((), body))) => format!("last {what}: {}", values(&body)),
        Err(error) => error.to_string(),
    }
}

fn address(to: Address<'_>) -> String {
    match to {
        Address::Handle(handle) => format!(":{handle:08x}"),
        Address::Name(name) => String::from_utf8_lossy(name).into_owned(),
    }
}
