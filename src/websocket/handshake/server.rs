//! The server's side: what a request asks for, and what it is answered.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{HEAD, LINES, end_of_head, has_word, headers_of, single, words};
use crate::websocket::event::Headers;

/// The version of the protocol, the only one there is.
const VERSION: &[u8] = b"13";

/// Bytes of the key before its two signs of padding: 16 bytes as base64.
const KEY: usize = 22;

/// A request to open a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// What it asks for.
    pub url: String,
    /// HTTP/1.1.
    pub is_current: bool,
    /// Its head.
    pub headers: Headers,
}

/// A request that is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status of HTTP.
    pub status: u16,
    /// Why.
    pub reason: String,
}

impl Refusal {
    /// Refuses with a status.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    /// The answer of HTTP; the connection is closed behind it.
    pub fn response(&self) -> Vec<u8> {
        let (name, more) = match self.status {
            400 => ("Bad Request", ""),
            403 => ("Forbidden", ""),
            405 => ("Method Not Allowed", "Allow: GET\r\n"),
            408 => ("Request Timeout", ""),
            426 => ("Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            431 => ("Request Header Fields Too Large", ""),
            505 => ("HTTP Version Not Supported", ""),
            _ => ("Refused", ""),
        };
        let upgrade = if self.status == 426 { "upgrade, close" } else { "close" };
        let (status, reason) = (self.status, &self.reason);
        let length = reason.len() + 1;
        format!(
            "HTTP/1.1 {status} {name}\r\n{more}Connection: {upgrade}\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{reason}\n"
        )
        .into_bytes()
    }
}

/// Reads a request off `bytes`, of which the first `seen` were looked at before; also how long it
/// is. `None` means "read more bytes".
///
/// # Errors
/// When it is none of HTTP, or too long.
pub fn read(bytes: &[u8], seen: usize) -> Result<Option<(Request, usize)>, Refusal> {
    let end = end_of_head(bytes, seen);
    if end.unwrap_or(bytes.len()) > HEAD {
        return Err(Refusal::new(431, format!("the head is longer than {HEAD} bytes")));
    }
    let mut lines = [httparse::EMPTY_HEADER; LINES];
    let mut parsed = httparse::Request::new(&mut lines);
    // Also an unfinished request is looked at: nonsense is refused at once.
    let status =
        parsed.parse(&bytes[..end.unwrap_or(bytes.len())]).map_err(|error| match error {
            httparse::Error::TooManyHeaders => {
                Refusal::new(431, format!("more than {LINES} lines in the head"))
            }
            httparse::Error::Version => Refusal::new(505, "HTTP/1.1 is needed"),
            other => Refusal::new(400, format!("this is no request of HTTP: {other}")),
        })?;
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        url: parsed.path.unwrap_or_default().to_owned(),
        is_current: parsed.version == Some(1),
        headers: headers_of(parsed.headers),
    };
    Ok(Some((request, length)))
}

/// What a server agrees to.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Subprotocols, the first of which that the client names is taken. A client that names some,
    /// but none of these, is refused, unless `any_protocol`.
    pub protocols: Vec<String>,
    /// Takes the first subprotocol that the client names.
    pub any_protocol: bool,
}

/// Grants a request: the bytes of the answer.
///
/// # Errors
/// When it is none for a WebSocket, or none that can be granted.
pub fn grant(request: &Request, offer: &Offer) -> Result<Vec<u8>, Refusal> {
    let headers = &request.headers;
    let bad = |reason: String| Refusal::new(400, reason);
    if request.method != "GET" {
        return Err(Refusal::new(
            405,
            format!("a WebSocket is opened by GET, not {}", request.method),
        ));
    }
    if !request.is_current {
        return Err(Refusal::new(505, "HTTP/1.1 is needed"));
    }
    if !has_word(headers, "upgrade", "websocket") {
        return Err(Refusal::new(426, "this is a WebSocket server: Upgrade must be websocket"));
    }
    if !has_word(headers, "connection", "upgrade") {
        return Err(bad("Connection must have the word Upgrade".to_owned()));
    }
    if single(headers, "host").map_err(bad)?.is_none() {
        return Err(Refusal::new(400, "Host is missing"));
    }
    match single(headers, "sec-websocket-version").map_err(bad)? {
        Some(VERSION) => {}
        _ => return Err(Refusal::new(426, "Sec-WebSocket-Version must be 13")),
    }
    let key = single(headers, "sec-websocket-key").map_err(bad)?;
    let Some(key) = key.filter(|key| is_key(key)) else {
        return Err(Refusal::new(400, "Sec-WebSocket-Key must be 16 bytes as base64"));
    };
    let has_body = headers.iter().any(|(name, value)| match name.as_str() {
        "content-length" => value.trim_ascii() != b"0",
        "transfer-encoding" => true,
        _ => false,
    });
    if has_body {
        return Err(Refusal::new(400, "a request for a WebSocket has no body"));
    }
    let accept = derive_accept_key(key);
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    )
    .into_bytes();
    if let Some(protocol) = choose(headers, offer)? {
        answer.extend_from_slice(b"Sec-WebSocket-Protocol: ");
        answer.extend_from_slice(protocol);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    Ok(answer)
}

/// The subprotocol, if the client names some.
fn choose<'a>(headers: &'a Headers, offer: &Offer) -> Result<Option<&'a [u8]>, Refusal> {
    let name = "sec-websocket-protocol";
    let Some(first) = words(headers, name).next() else { return Ok(None) };
    if offer.any_protocol {
        return Ok(Some(first));
    }
    let ours = |word: &&[u8]| offer.protocols.iter().any(|own| own.as_bytes() == *word);
    match words(headers, name).find(ours) {
        Some(word) => Ok(Some(word)),
        None => {
            let known = offer.protocols.join(", ");
            Err(Refusal::new(400, format!("Sec-WebSocket-Protocol must name one of: {known}")))
        }
    }
}

fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == KEY + 2 && key[..KEY].iter().all(is_digit) && key[KEY..] == *b"=="
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: game.example\r\nUpgrade: WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";

    fn answer(text: &str) -> Result<String, Refusal> {
        let (request, length) = read(text.as_bytes(), 0)?.expect("a whole request");
        assert_eq!(length, text.len());
        let offer = Offer { protocols: vec!["chat".to_owned()], any_protocol: false };
        grant(&request, &offer).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_sample_of_the_rfc_gets_the_answer_of_the_rfc() {
        let answer = answer(GOOD).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(answer.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_request_is_read_however_it_is_cut() {
        for cut in 0..GOOD.len() {
            assert_eq!(read(&GOOD.as_bytes()[..cut], 0).unwrap(), None, "{cut}");
            let (request, length) = read(GOOD.as_bytes(), cut).unwrap().unwrap();
            assert_eq!((request.url.as_str(), length), ("/chat?room=1", GOOD.len()));
        }
        let more = format!("{GOOD}\u{1}frame");
        assert_eq!(read(more.as_bytes(), 0).unwrap().unwrap().1, GOOD.len());
    }

    #[test]
    fn words_may_be_spread_over_two_connection_headers() {
        let text = GOOD.replace(
            "Connection: keep-alive, Upgrade\r\n",
            "Connection: keep-alive\r\nConnection: upgrade\r\n",
        );
        assert!(answer(&text).is_ok());
    }

    #[test]
    fn each_fault_has_its_status() {
        for (from, to, status) in [
            ("GET", "POST", 405),
            ("HTTP/1.1", "HTTP/1.0", 505),
            ("HTTP/1.1", "HTTP/3.0", 505),
            ("Upgrade: WebSocket\r\n", "", 426),
            ("Upgrade: WebSocket\r\n", "Upgrade: h2c\r\n", 426),
            ("Connection: keep-alive, Upgrade\r\n", "Connection: keep-alive\r\n", 400),
            ("Connection: keep-alive, Upgrade\r\n", "", 400),
            ("Host: game.example\r\n", "", 400),
            ("Host: game.example\r\n", "Host: a\r\nHost: b\r\n", 400),
            ("Sec-WebSocket-Version: 13\r\n", "", 426),
            ("Version: 13", "Version: 8", 426),
            ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", 400),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub2!jZQ==", 400),
            ("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", 400),
            ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: game, lobby\r\n\r\n", 400),
            ("Host: game.example", "Ho st: x", 400),
            ("GET /chat", "GET\0/chat", 400),
        ] {
            let refusal = answer(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!(refusal.status, status, "{from} -> {to}: {}", refusal.reason);
            let response = String::from_utf8(refusal.response()).unwrap();
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")));
            let needs_version = response.contains("Sec-WebSocket-Version: 13\r\n");
            assert_eq!(needs_version, status == 426, "{response}");
        }
    }

    #[test]
    fn nonsense_and_endless_heads_are_refused_before_they_end() {
        assert_eq!(read(b"\x16\x03\x01\x02\x00\x01", 0).unwrap_err().status, 400);
        let long = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(HEAD));
        assert_eq!(read(long.as_bytes(), 0).unwrap_err().status, 431);
        let many = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(LINES + 1));
        assert_eq!(read(many.as_bytes(), 0).unwrap_err().status, 431);
    }

    #[test]
    fn a_subprotocol_is_chosen_among_those_of_the_client() {
        let text = GOOD.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: superchat, chat\r\n\r\n");
        assert!(answer(&text).unwrap().contains("\r\nSec-WebSocket-Protocol: chat\r\n"));
        let (request, _) = read(text.as_bytes(), 0).unwrap().unwrap();
        let any = Offer { protocols: Vec::new(), any_protocol: true };
        let answer = String::from_utf8(grant(&request, &any).unwrap()).unwrap();
        assert!(answer.contains("\r\nSec-WebSocket-Protocol: superchat\r\n"));
    }
}
