//! The client's side: the request, and whether the answer grants it.

use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{HEAD, LINES, end_of_head, has_word, headers_of, single, words};
use crate::codec::http::is_token;
use crate::websocket::event::Headers;

/// Longest text of a refusal that is waited for.
const INFO: usize = 4 << 10;

/// A request that has been sent.
#[derive(Clone, Debug)]
pub struct Asked {
    key: String,
    protocols: Vec<Vec<u8>>,
}

/// An answer that grants the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Its head.
    pub headers: Headers,
    /// How long it is; what follows are frames.
    pub length: usize,
}

/// Headers that make the handshake, and are made here.
const OURS: [&str; 4] = ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"];

/// Makes the request for `url` at `host`, with more headers.
///
/// # Errors
/// When a header is one of the handshake's own, or none of HTTP.
pub fn request(
    host: &str,
    url: &str,
    more: &[(Vec<u8>, Vec<u8>)],
) -> Result<(Vec<u8>, Asked), String> {
    let key = generate_key();
    let is_clean = |text: &[u8]| text.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    if !is_clean(url.as_bytes()) || !url.starts_with('/') {
        return Err(format!("the path `{}` is none of HTTP", url.escape_debug()));
    }
    let mut out = format!("GET {url} HTTP/1.1\r\n").into_bytes();
    if !more.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host")) {
        out.extend_from_slice(format!("Host: {host}\r\n").as_bytes());
    }
    out.extend_from_slice(
        format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Version: 13\r\n"
        )
        .as_bytes(),
    );
    let mut asked = Asked { key, protocols: Vec::new() };
    for (name, value) in more {
        let shown = String::from_utf8_lossy(name).to_ascii_lowercase();
        if OURS.contains(&shown.as_str()) {
            return Err(format!("the header `{shown}` is made by the handshake"));
        }
        if !is_token(name) {
            return Err(format!("`{}` is no name of a header", shown.escape_debug()));
        }
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(format!("the value of the header `{shown}` has a line break"));
        }
        if shown == "sec-websocket-protocol" {
            let words = value.split(|byte| *byte == b',').map(|word| word.trim_ascii().to_vec());
            asked.protocols.extend(words);
        }
        for piece in [name.as_slice(), b": ", value, b"\r\n"] {
            out.extend_from_slice(piece);
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok((out, asked))
}

/// Reads the answer off `bytes`, of which the first `seen` were looked at before. `None` means
/// "read more bytes"; at the `end` of the connection there are none.
///
/// # Errors
/// When the request is refused, with the status; or the answer is none, without one.
pub fn read(
    asked: &Asked,
    bytes: &[u8],
    seen: usize,
    end: bool,
) -> Result<Option<Granted>, (Option<u16>, String)> {
    let plain = |text: String| (None, text);
    let head = end_of_head(bytes, seen);
    if head.unwrap_or(bytes.len()) > HEAD {
        return Err(plain(format!("websocket handshake: the head is longer than {HEAD} bytes")));
    }
    let mut lines = [httparse::EMPTY_HEADER; LINES];
    let mut parsed = httparse::Response::new(&mut lines);
    let status = parsed.parse(bytes).map_err(|error| {
        plain(format!("websocket handshake: the answer is none of HTTP: {error}"))
    })?;
    let httparse::Status::Complete(length) = status else {
        if end {
            return Err(plain(
                "websocket handshake: the connection ended before the answer".into(),
            ));
        }
        return Ok(None);
    };
    let headers = headers_of(parsed.headers);
    let code = parsed.code.unwrap_or(0);
    if code != 101 {
        return refused(code, &headers, &bytes[length..], end).map_or(Ok(None), Err);
    }
    let refuse = |text: &str| Err((Some(code), format!("websocket handshake {text}")));
    if !has_word(&headers, "upgrade", "websocket") {
        return refuse("upgrade must websocket");
    }
    if !has_word(&headers, "connection", "upgrade") {
        return refuse("connection must upgrade");
    }
    match single(&headers, "sec-websocket-accept") {
        Ok(Some(accept)) if accept == derive_accept_key(asked.key.as_bytes()).as_bytes() => {}
        Ok(None) => return refuse("need Sec-WebSocket-Accept"),
        _ => return refuse("invalid Sec-WebSocket-Accept"),
    }
    if words(&headers, "sec-websocket-extensions").next().is_some() {
        return refuse("has an extension that was not asked for");
    }
    let stranger = words(&headers, "sec-websocket-protocol")
        .find(|word| !asked.protocols.iter().any(|own| own == word));
    if let Some(word) = stranger {
        let word = String::from_utf8_lossy(word);
        return refuse(&format!("has the subprotocol `{word}`, which was not asked for"));
    }
    Ok(Some(Granted { headers, length }))
}

/// The refusal, once its text is there.
fn refused(code: u16, headers: &Headers, body: &[u8], end: bool) -> Option<(Option<u16>, String)> {
    let length = single(headers, "content-length").ok().flatten();
    let length = length.and_then(|text| str::from_utf8(text).ok()?.parse::<usize>().ok());
    let wanted = length.unwrap_or(INFO).min(INFO);
    if body.len() < wanted && !end {
        return None;
    }
    let info = String::from_utf8_lossy(&body[..body.len().min(wanted)]);
    Some((Some(code), format!("websocket handshake error: code[{code}] info:{}", info.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::handshake::server;

    fn ask(more: &[(&str, &str)]) -> Result<(Vec<u8>, Asked), String> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let more: Vec<_> = more.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
        request("game.example:8001", "/ws", &more)
    }

    #[test]
    fn our_own_server_grants_our_own_request_however_it_is_cut() {
        let (bytes, asked) = ask(&[("Cookie", "a=b"), ("Sec-WebSocket-Protocol", "chat")]).unwrap();
        let (request, _) = server::read(&bytes, 0).unwrap().unwrap();
        assert!(request.headers.contains(&("cookie".into(), b"a=b".to_vec())));
        assert!(request.headers.contains(&("host".into(), b"game.example:8001".to_vec())));
        let offer = server::Offer { protocols: vec!["chat".into()], any_protocol: false };
        let answer = server::grant(&request, &offer).unwrap();
        for cut in 0..answer.len() {
            assert_eq!(read(&asked, &answer[..cut], 0, false), Ok(None));
            let granted = read(&asked, &answer, cut, false).unwrap().unwrap();
            assert_eq!(granted.length, answer.len());
        }
        assert!(read(&asked, &answer[..answer.len() - 1], 0, true).is_err());
    }

    #[test]
    fn an_answer_that_grants_something_else_is_refused() {
        let (bytes, asked) = ask(&[]).unwrap();
        let (request, _) = server::read(&bytes, 0).unwrap().unwrap();
        let good = server::grant(&request, &server::Offer::default()).unwrap();
        let good = String::from_utf8(good).unwrap();
        let accept = good.lines().find(|line| line.starts_with("Sec-")).unwrap().to_owned();
        for (from, to, expected) in [
            ("Upgrade: websocket\r\n", "", "upgrade must websocket"),
            ("Connection: Upgrade\r\n", "", "connection must upgrade"),
            (accept.as_str(), "X: y", "need Sec-WebSocket-Accept"),
            (accept.as_str(), "Sec-WebSocket-Accept: AAAA", "invalid Sec-WebSocket-Accept"),
            ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension"),
            ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n", "subprotocol `chat`"),
        ] {
            let text = good.replacen(from, to, 1);
            let (_, reason) = read(&asked, text.as_bytes(), 0, false).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn a_refusal_has_its_status_and_text() {
        let (_, asked) = ask(&[]).unwrap();
        let text = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nno way\n";
        for cut in 0..text.len() {
            assert_eq!(read(&asked, &text[..cut], 0, false), Ok(None));
        }
        let expected = "websocket handshake error: code[403] info:no way".to_owned();
        assert_eq!(read(&asked, text, 0, false), Err((Some(403), expected)));
        assert!(read(&asked, b"220 mail.example ESMTP\r\n", 0, false).is_err());
    }

    #[test]
    fn headers_cannot_smuggle_lines_or_replace_the_handshake() {
        assert!(ask(&[("Cookie", "a\r\nHost: evil")]).unwrap_err().contains("line break"));
        assert!(ask(&[("Co okie", "a")]).unwrap_err().contains("no name"));
        assert!(ask(&[("Upgrade", "h2c")]).unwrap_err().contains("handshake"));
        assert!(request("h", "/a b", &[]).is_err());
        let (bytes, _) = ask(&[("Host", "other")]).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("\r\nHost: other\r\n") && !text.contains("game.example"));
    }
}
