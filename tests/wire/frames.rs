//! Frames written again from what was read, and what has to hold for any bytes; the fuzz target
//! shares it.

use node::cluster::secure::handshake::{Caller, Listener, Secret, Terms};
use node::codec::cluster::{
    Assembly, Greeting, HANDSHAKE_VERSION, LONGEST_GREETING, NONCE, NotGreeting, PART, Request,
    Response, decode_greeting, decode_request, decode_response, encode_begin, encode_error,
    encode_greeting, encode_ok, encode_response_begin, encode_single, encode_trace,
    request_part_head, response_part_head, split_frame, split_greeting,
};

/// Bytes of unfinished messages that `examine` allows: few, so that short inputs get there.
const LIMIT: usize = 4096;

/// The frame that says `request`.
pub(crate) fn request_frame(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match *request {
        Request::Single { to, session, body } => encode_single(&mut out, to, session, body),
        Request::Begin { to, session, total, push } => {
            encode_begin(&mut out, to, session, total, push);
        }
        Request::Part { session, bytes, last } => {
            out.extend(request_part_head(session, bytes.len(), last));
            out.extend(bytes);
        }
        Request::Trace(tag) => encode_trace(&mut out, tag),
    }
    out
}

/// The frame that says `response`; of an error's text, what a frame may have.
pub(crate) fn response_frame(response: &Response<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match *response {
        Response::Error { session, text } => encode_error(&mut out, session, text),
        Response::Ok { session, body } => encode_ok(&mut out, session, body),
        Response::Begin { session, total } => encode_response_begin(&mut out, session, total),
        Response::Part { session, bytes, last } => {
            out.extend(response_part_head(session, bytes.len(), last));
            out.extend(bytes);
        }
    }
    out
}

/// The frame of a handshake that says `greeting`.
pub(crate) fn greeting_frame(greeting: Greeting<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_greeting(&mut out, greeting);
    out
}

/// Fails unless `bytes` begin with frames of a handshake up to where it is said that they do not,
/// and neither side of one is convinced by them: nobody can guess a proof.
fn examine_handshake(bytes: &[u8]) {
    let terms = Terms { secret: Some(Secret::new(b"that nobody knows")), binding: None };
    let mut caller = Caller::new(terms.clone(), [1; NONCE], b"a", &mut Vec::new());
    let mut listener = Listener::new(terms, [2; NONCE]);
    let mut rest = bytes;
    loop {
        let (content, next) = match split_greeting(rest) {
            Ok(Some(split)) => split,
            Ok(None) => return assert!(rest.len() < LONGEST_GREETING + 2),
            Err(NotGreeting::Size { .. }) => panic!("nothing is decoded yet"),
            Err(_) => return,
        };
        let frame = &rest[..rest.len() - next.len()];
        match decode_greeting(content) {
            Ok(Greeting::Foreign { version }) => assert_ne!(version, HANDSHAKE_VERSION),
            Ok(greeting) => assert_eq!(greeting_frame(greeting), frame),
            Err(_) => {}
        }
        let (mut out, mut answer) = (Vec::new(), Vec::new());
        assert_ne!(caller.take(content, &mut out), Ok(true));
        assert_ne!(listener.take(content, &mut answer), Ok(true));
        rest = next;
    }
}

/// Fails unless reading `bytes` in both directions, whatever they are, stays inside them, gives
/// frames that are written as they were read, and keeps an assembly inside its bounds.
pub(crate) fn examine(bytes: &[u8]) {
    examine_handshake(bytes);
    let mut requests = Assembly::new(LIMIT);
    let mut responses = Assembly::new(LIMIT);
    let mut rest = bytes;
    while let Some((content, next)) = split_frame(rest) {
        let frame = &rest[..rest.len() - next.len()];
        assert!(frame.ends_with(content));
        assert_eq!(split_frame(&frame[..frame.len() - 1]), None);
        examine_request(frame, content, &mut requests);
        examine_response(frame, content, &mut responses);
        rest = next;
    }
    if let Some((length, content)) = rest.split_first_chunk() {
        assert!(content.len() < usize::from(u16::from_be_bytes(*length)));
    }
}

fn examine_request(frame: &[u8], content: &[u8], assembly: &mut Assembly<u32>) {
    match decode_request(content) {
        Ok(request) => {
            assert_eq!(request_frame(&request), frame);
            match request {
                Request::Begin { session, total, .. } => begin(assembly, session, total),
                Request::Part { session, bytes, last } => part(assembly, session, bytes, last),
                Request::Single { .. } | Request::Trace(_) => {}
            }
        }
        Err(malformed) => assert!(malformed.to_string().starts_with("Invalid ")),
    }
}

fn examine_response(frame: &[u8], content: &[u8], assembly: &mut Assembly<u32>) {
    match decode_response(content) {
        Ok(response) => {
            let again = response_frame(&response);
            match response {
                Response::Error { text, .. } if text.len() > PART => {
                    assert_eq!(again[2..], content[..content.len() - text.len() + PART]);
                    return;
                }
                Response::Begin { session, total } => begin(assembly, session, total),
                Response::Part { session, bytes, last } => part(assembly, session, bytes, last),
                Response::Ok { .. } | Response::Error { .. } => {}
            }
            assert_eq!(again, frame);
        }
        Err(malformed) => assert!(malformed.to_string().starts_with("Invalid ")),
    }
}

fn begin(assembly: &mut Assembly<u32>, session: u32, total: u32) {
    let before = assembly.bytes();
    if assembly.begin(session, total, total).is_ok() {
        assert!(total as usize <= LIMIT);
        assert!(!assembly.is_empty());
    }
    assert_eq!(assembly.bytes(), before);
}

fn part(assembly: &mut Assembly<u32>, session: u32, bytes: &[u8], last: bool) {
    let before = assembly.bytes();
    match assembly.part(session, bytes, last) {
        Ok(Some((total, body))) => {
            assert!(last);
            assert_eq!(body.len(), total as usize);
            assert!(body.ends_with(bytes));
            assert_eq!(before - assembly.bytes(), body.len() - bytes.len());
        }
        Ok(None) => {
            assert!(!last);
            assert_eq!(assembly.bytes(), before + bytes.len());
        }
        Err(error) => {
            assert!(error.to_string().starts_with(&format!("large message {session}: ")));
            assert!(assembly.bytes() <= before);
        }
    }
    assert!(assembly.bytes() <= LIMIT);
    assert!(!assembly.is_empty() || assembly.bytes() == 0);
}
