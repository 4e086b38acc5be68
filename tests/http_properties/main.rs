//! Properties of the HTTP reader: pieces do not matter, what is written comes back, no bytes do harm.
//!
//! Not here: single cases (`src/codec/http/`), sockets (`tests/lua/http_*.lua`), the endless search
//! for bad bytes (`fuzz/`, by `make fuzz-long`).

mod message;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use message::{Head, examine, in_pieces, request_head, response_head, unchunk};

/// Bytes that look like HTTP often enough to reach the inner branches.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&str] = &[
        "GET ",
        "/ ",
        "HTTP/1.1",
        "HTTP/1.0 200 OK",
        "\r\n",
        "\n",
        "\r",
        "\t",
        " ",
        ":",
        "a: b",
        "Host: x",
        "content-length: 5",
        "transfer-encoding: chunked",
        "0",
        "5",
        "f;x=y",
        "\0",
        "é",
    ];
    let word = prop::sample::select(words).prop_map(|word| word.as_bytes().to_owned());
    prop_oneof![8 => word, 1 => vec(any::<u8>(), 0..8)]
}

fn cuts(indices: &[Index], input: &[u8]) -> Vec<usize> {
    let mut cuts: Vec<usize> = indices.iter().map(|index| index.index(input.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("[a-zA-Z0-9-]{1,12}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..12)
}

fn with_fields(start: &str, fields: &[(String, String)], line_end: &str) -> Vec<u8> {
    let mut text = format!("{start}{line_end}");
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}{line_end}"));
    }
    format!("{text}{line_end}").into_bytes()
}

fn expected(start: (&str, &str), fields: &[(String, String)], end: usize) -> Head {
    let lower =
        |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone().into_bytes());
    let start = (start.0.as_bytes().to_owned(), start.1.as_bytes().to_owned());
    Head { start, fields: fields.iter().map(lower).collect(), end }
}

proptest! {
    #[test]
    fn a_request_head_comes_back_in_whatever_pieces_it_arrives(
        (method, target) in ("[A-Z]{1,8}", "/[!-~]{0,30}"),
        fields in fields(),
        line_end in prop::sample::select(&["\r\n", "\n"][..]),
        indices in vec(any::<Index>(), 0..6),
    ) {
        let mut input = with_fields(&format!("{method} {target} HTTP/1.1"), &fields, line_end);
        let head = expected((&method, &target), &fields, input.len());
        input.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
        let read = in_pieces(&input, cuts(&indices, &input), request_head);
        prop_assert_eq!(read, Ok(Some(head)));
    }

    #[test]
    fn a_response_head_comes_back_in_whatever_pieces_it_arrives(
        (status, reason) in (100_u16..1000, "([!-~]([ -~]{0,20}[!-~])?)?"),
        fields in fields(),
        indices in vec(any::<Index>(), 0..6),
    ) {
        let mut input = with_fields(&format!("HTTP/1.1 {status} {reason}"), &fields, "\r\n");
        let head = expected((&status.to_string(), &reason), &fields, input.len());
        input.extend_from_slice(b"body");
        let read = in_pieces(&input, cuts(&indices, &input), response_head);
        prop_assert_eq!(read, Ok(Some(head)));
    }

    #[test]
    fn a_head_cut_short_asks_for_more(fields in fields(), cut in any::<Index>()) {
        let input = with_fields("GET / HTTP/1.1", &fields, "\r\n");
        prop_assert_eq!(request_head(&input[..cut.index(input.len())], 0), Ok(None));
    }

    #[test]
    fn a_chunked_body_comes_back_in_whatever_pieces_it_arrives(
        chunks in vec(vec(any::<u8>(), 1..40), 0..6),
        fields in fields(),
        indices in vec(any::<Index>(), 0..6),
    ) {
        let mut input = Vec::new();
        for chunk in &chunks {
            input.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            input.extend_from_slice(chunk);
            input.extend_from_slice(b"\r\n");
        }
        let trailer = with_fields("", &fields, "\r\n")[2..].to_owned();
        input.extend_from_slice(b"0\r\n");
        input.extend_from_slice(&trailer);
        let end = input.len();
        input.extend_from_slice(b"GET /");
        let read = unchunk(&input, cuts(&indices, &input));
        prop_assert_eq!(read, Ok(Some((chunks.concat(), trailer, end))));
        for cut in cuts(&indices, &input).into_iter().filter(|cut| *cut < end) {
            prop_assert_eq!(unchunk(&input[..cut], []), Ok(None));
        }
    }

    #[test]
    fn pieces_do_not_matter_whatever_the_bytes_are(
        fragments in vec(fragment(), 0..40),
        indices in vec(any::<Index>(), 0..6),
    ) {
        let input = fragments.concat();
        let cuts = cuts(&indices, &input);
        let whole = request_head(&input, 0);
        prop_assert_eq!(in_pieces(&input, cuts.iter().copied(), request_head), whole);
        prop_assert_eq!(unchunk(&input, cuts), unchunk(&input, []));
        examine(&input);
    }

    #[test]
    fn no_bytes_do_harm(input in vec(any::<u8>(), 0..200)) {
        examine(&input);
    }
}
