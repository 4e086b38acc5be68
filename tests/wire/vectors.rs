//! The frames of `tests/vectors/cluster`, recorded between nodes of a genuine skynet: read, written
//! again, and sent again from what they said.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use node::codec::cluster::{Address, Assembly, Request, Response, decode_request, decode_response};

use crate::frames::{examine, request_frame, response_frame};
use crate::send::{answer_frames, request_frames};
use crate::stream;
use crate::text::{Listener, content, example};

/// Bytes of unfinished messages; none of the recorded ones has more.
const LIMIT: usize = 70_009;

/// Whose frame it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Request,
    Response,
}

struct Frame {
    side: Side,
    bytes: Vec<u8>,
    meaning: String,
}

/// The connections: name and frames in order.
fn recorded() -> BTreeMap<String, Vec<Frame>> {
    let mut connections = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/cluster");
    for entry in fs::read_dir(folder).expect("the folder of the vectors opens") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".hex") {
            let text = fs::read_to_string(path).expect("a file of vectors is text");
            connections.insert(name, text.lines().map(frame).collect());
        }
    }
    assert_eq!(connections.len(), 26);
    assert_eq!(connections.values().map(Vec::len).sum::<usize>(), 203);
    connections
}

/// The frame of a line of vectors.
fn frame(line: &str) -> Frame {
    let (side, line) = match line.split_once(' ') {
        Some(("request", rest)) => (Side::Request, rest),
        Some(("response", rest)) => (Side::Response, rest),
        _ => panic!("{line}: begins neither with request nor with response"),
    };
    let (bytes, meaning) = example(line);
    Frame { side, bytes, meaning: meaning.to_owned() }
}

#[test]
fn recorded_frames_say_what_another_decoder_read_in_them() {
    for (name, frames) in recorded() {
        let mut listener = Listener::new();
        for Frame { side, bytes, meaning } in frames {
            let said = match side {
                Side::Request => listener.request(&bytes),
                Side::Response => listener.response(&bytes),
            };
            assert_eq!(said, meaning, "{name}");
        }
        assert!(listener.is_done(), "{name}");
    }
}

#[test]
fn recorded_frames_are_written_as_they_were_read() {
    for (name, frames) in recorded() {
        for Frame { side, bytes, .. } in frames {
            let again = match side {
                Side::Request => request_frame(&decode_request(content(&bytes)).unwrap()),
                Side::Response => response_frame(&decode_response(content(&bytes)).unwrap()),
            };
            assert!(again == bytes, "{name}: {again:02x?} instead of {bytes:02x?}");
            examine(&bytes);
        }
    }
}

#[test]
fn bodies_sent_again_take_the_recorded_frames_and_split_as_they_do() {
    let mut large = 0;
    for (name, frames) in recorded() {
        // By session, as frames of others may come between a begin and its parts.
        let mut recorded: BTreeMap<(Side, u32), Vec<u8>> = BTreeMap::new();
        let mut sent: BTreeMap<(Side, u32), Vec<u8>> = BTreeMap::new();
        let mut requests: Assembly<(Address<'_>, bool)> = Assembly::new(LIMIT);
        let mut answers = Assembly::new(LIMIT);
        for Frame { side, bytes: frame, .. } in &frames {
            let (session, again) = match side {
                Side::Request => match decode_request(content(frame)).unwrap() {
                    Request::Single { to, session, body } => {
                        check_values(body);
                        (session, request_frames(to, session, session == 0, body).concat())
                    }
                    Request::Begin { to, session, total, push } => {
                        requests.begin(session, total, (to, push)).unwrap();
                        (session, Vec::new())
                    }
                    Request::Part { session, bytes, last } => {
                        match requests.part(session, bytes, last).unwrap() {
                            None => (session, Vec::new()),
                            Some(((to, push), body)) => {
                                large += 1;
                                check_values(&body);
                                (session, request_frames(to, session, push, &body).concat())
                            }
                        }
                    }
                    Request::Trace(_) => continue,
                },
                Side::Response => match decode_response(content(frame)).unwrap() {
                    Response::Ok { session, body } => {
                        check_values(body);
                        (session, answer_frames(session, body).concat())
                    }
                    Response::Begin { session, total } => {
                        answers.begin(session, total, ()).unwrap();
                        (session, Vec::new())
                    }
                    Response::Part { session, bytes, last } => {
                        match answers.part(session, bytes, last).unwrap() {
                            None => (session, Vec::new()),
                            Some(((), body)) => {
                                large += 1;
                                check_values(&body);
                                (session, answer_frames(session, &body).concat())
                            }
                        }
                    }
                    Response::Error { .. } => continue,
                },
            };
            recorded.entry((*side, session)).or_default().extend(frame);
            sent.entry((*side, session)).or_default().extend(again);
        }
        assert!(sent == recorded, "{name}: sent again, other frames");
    }
    assert_eq!(large, 9);
}

/// Fails unless `body` is values from its start to its end, which pack to the same bytes.
fn check_values(body: &[u8]) {
    let (values, whole) = stream::unpack(body);
    assert!(whole, "{body:02x?} is not values alone");
    assert_eq!(stream::pack(&values), body);
    stream::examine(body);
}
