//! The examples of `docs/wire.md`: each line says what its bytes say, and each form has an example.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use node::codec::cluster::{
    LARGE_REQUEST, MOST_UNFINISHED, PART, decode_request, decode_response, split_frame,
};
use node::codec::seri::{Invalid, Item, MAX_READ_DEPTH, Reader};

use crate::dialog::Dialog;
use crate::frames::{request_frame, response_frame};
use crate::stream::{pack, unpack};
use crate::text::{Listener, content, example, string, values};

/// Every first byte of a request and code of a response, and every head of a value whose argument is
/// no length.
const REQUEST_KINDS: &[u8] = &[0x00, 0x01, 0x02, 0x03, 0x04, 0x41, 0x80, 0x81, 0xc1];
const GREETINGS: &[u8] = &[0x10, 0x11, 0x12, 0x13, 0x14];
const RESPONSE_CODES: &[u8] = &[0, 1, 2, 3, 4];
const VALUE_HEADS: &[u8] =
    &[0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x09, 0x0a, 0x12, 0x15, 0x22, 0x25, 0x32, 0x42, 0xfe];

/// A fenced block: its label, and its lines with their numbers.
struct Block {
    label: String,
    lines: Vec<(usize, String)>,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/wire.md");
    fs::read_to_string(path).expect("docs/wire.md is there")
}

/// The fenced blocks of the page.
fn blocks() -> Vec<Block> {
    let page = page();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(label), None) => {
                open = Some(Block { label: label.to_owned(), lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push((index + 1, line.to_owned())),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block of docs/wire.md has no end");
    blocks
}

#[test]
fn every_example_of_the_page_says_what_its_bytes_say() {
    let mut checked = 0;
    for block in blocks() {
        let mut listener = Listener::new();
        let mut dialog = Dialog::default();
        for (number, line) in &block.lines {
            let (kind, hex) = match block.label.as_str() {
                "seri" | "netpack" => (block.label.as_str(), line.as_str()),
                "cluster" | "handshake" => line.split_once(' ').expect("who, then bytes"),
                other => panic!("docs/wire.md:{number}: nothing checks blocks of `{other}`"),
            };
            let (bytes, meaning) = example(hex);
            let is_frame = matches!(split_frame(&bytes), Some((_, [])));
            assert!(block.label != "cluster" || is_frame, "docs/wire.md:{number}: a wrong length");
            let said = match kind {
                _ if block.label == "handshake" => dialog.said(kind, &bytes),
                "seri" => said_by_values(&bytes),
                "netpack" => said_by_packets(&bytes),
                "request" => said_by_request(&mut listener, &bytes),
                "response" => said_by_response(&mut listener, &bytes),
                other => panic!("docs/wire.md:{number}: {other} is no direction"),
            };
            assert_eq!(said, meaning, "docs/wire.md:{number}");
            checked += 1;
        }
        assert!(dialog.is_done(), "a handshake of docs/wire.md goes on");
        assert!(listener.is_done(), "a block of docs/wire.md leaves a message unfinished");
    }
    assert!(checked > 60, "only {checked} examples were found");
}

#[test]
fn the_page_has_an_example_of_every_form() {
    let (mut heads, mut kinds, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut greetings = BTreeSet::new();
    for block in blocks() {
        for (_, line) in &block.lines {
            if block.label == "seri" {
                heads.extend(value_heads(&example(line).0));
            } else if block.label == "handshake" {
                let (who, hex) = line.split_once(' ').expect("who, then bytes");
                let frame = example(hex).0;
                greetings.extend(frame.get(2).filter(|_| matches!(who, "caller" | "listener")));
            } else if let Some(hex) = line.strip_prefix("request ") {
                kinds.extend(example(hex).0.get(2));
            } else if let Some(hex) = line.strip_prefix("response ") {
                codes.extend(example(hex).0.get(6));
            }
        }
    }
    assert_eq!(missing(VALUE_HEADS, &heads), [0_u8; 0]);
    assert_eq!(missing(REQUEST_KINDS, &kinds), [0_u8; 0]);
    assert_eq!(missing(RESPONSE_CODES, &codes), [0_u8; 0]);
    assert_eq!(missing(GREETINGS, &greetings), [0_u8; 0]);
}

#[test]
fn the_page_names_the_bounds_of_the_code() {
    for bound in [
        format!("may have {MOST_UNFINISHED} unfinished messages"),
        format!("has **{LARGE_REQUEST} bytes or more**"),
        format!("has **more than {PART}**"),
    ] {
        assert!(page().replace('\n', " ").contains(&bound), "docs/wire.md does not say: {bound}");
    }
}

fn missing(wanted: &[u8], found: &BTreeSet<u8>) -> Vec<u8> {
    wanted.iter().copied().filter(|head| !found.contains(head)).collect()
}

/// The first bytes of the values of a stream, also of those inside tables.
fn value_heads(packed: &[u8]) -> BTreeSet<u8> {
    let mut reader = Reader::new(packed);
    let mut heads = BTreeSet::new();
    while !reader.is_at_end() {
        let head = packed[packed.len() - reader.left()];
        if reader.next_item().is_err() {
            break;
        }
        heads.insert(head);
    }
    heads
}

/// The values that are written as `packed`, or why it is none.
fn said_by_values(packed: &[u8]) -> String {
    if let Err(Invalid { left }) = measure(packed) {
        return format!("Invalid serialize stream {left}");
    }
    assert_eq!(pack(&unpack(packed).0), packed, "the same values are written otherwise");
    values(packed)
}

/// Reads all values without keeping them.
fn measure(packed: &[u8]) -> Result<(), Invalid> {
    let mut reader = Reader::new(packed);
    while !reader.is_at_end() {
        if let Item::Table(array) = reader.next_item()? {
            reader.measure_table(array, MAX_READ_DEPTH, &mut Vec::new())?;
        }
    }
    Ok(())
}

/// The packets of a stream, and how much of another one there is.
fn said_by_packets(stream: &[u8]) -> String {
    let mut said = Vec::new();
    let mut rest = stream;
    while let Some((packet, next)) = split_frame(rest) {
        said.push(string(packet));
        rest = next;
    }
    if !rest.is_empty() {
        let then = if said.is_empty() { "" } else { "then " };
        said.push(format!("{then}{} bytes of the next", rest.len()));
    }
    said.join(", ")
}

fn said_by_request(listener: &mut Listener, frame: &[u8]) -> String {
    if let Ok(request) = decode_request(content(frame)) {
        assert_eq!(request_frame(&request), frame, "the same request is written otherwise");
    }
    listener.request(frame)
}

fn said_by_response(listener: &mut Listener, frame: &[u8]) -> String {
    if let Ok(response) = decode_response(content(frame)) {
        assert_eq!(response_frame(&response), frame, "the same response is written otherwise");
    }
    listener.response(frame)
}
