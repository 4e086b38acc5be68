//! Bytes from anywhere into the parser of requests; also what the fuzz target runs.

use node::codec::resp::request::{Limits, Malformed, Parser, Step};

/// The requests in `bytes`, which come in pieces of the given sizes, over and over.
fn requests(bytes: &[u8], sizes: &[usize]) -> (Vec<Vec<Vec<u8>>>, Option<Malformed>) {
    let limits = Limits::trusted(1 << 20);
    let (mut parser, mut buffer, mut found) = (Parser::new(), Vec::new(), Vec::new());
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    loop {
        loop {
            match parser.advance(&buffer, limits) {
                Ok(Step::More) => break,
                Ok(Step::Nothing(taken)) => {
                    assert!(taken > 0 && taken <= buffer.len());
                    buffer.drain(..taken);
                }
                Ok(Step::Request(taken)) => {
                    assert!(taken > 0 && taken <= buffer.len());
                    let request: Vec<_> = parser.arguments(&buffer).map(<[u8]>::to_vec).collect();
                    assert!(!request.is_empty());
                    found.push(request);
                    buffer.drain(..taken);
                }
                Err(malformed) => return (found, Some(malformed)),
            }
        }
        if rest.is_empty() {
            return (found, None);
        }
        let size = sizes.next().map_or(1, |size| (*size).clamp(1, rest.len()));
        let (piece, behind) = rest.split_at(size);
        buffer.extend_from_slice(piece);
        rest = behind;
    }
}

/// Reads `bytes` whole and in pieces: the requests are the same.
pub(crate) fn examine(bytes: &[u8]) {
    let whole = requests(bytes, &[bytes.len()]);
    for sizes in [&[1][..], &[2, 7, 1], &[64, 3]] {
        assert_eq!(requests(bytes, sizes), whole);
    }
    // What was read is read again from its plain form.
    let mut plain = Vec::new();
    for request in &whole.0 {
        plain.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
        for argument in request {
            plain.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            plain.extend_from_slice(argument);
            plain.extend_from_slice(b"\r\n");
        }
    }
    assert_eq!(requests(&plain, &[plain.len()]), (whole.0, None));
}
