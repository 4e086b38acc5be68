//! The frames in which whole messages go, as a sender makes them.

use std::iter::once;

use node::codec::cluster::{
    Address, LARGE_REQUEST, PART, encode_begin, encode_ok, encode_response_begin, encode_single,
    parts, request_part_head, response_part_head,
};

/// The frames of a request in order, each by itself.
pub(crate) fn request_frames(
    to: Address<'_>,
    session: u32,
    push: bool,
    body: &[u8],
) -> Vec<Vec<u8>> {
    let mut first = Vec::new();
    if body.len() < LARGE_REQUEST {
        encode_single(&mut first, to, session, body);
        return vec![first];
    }
    encode_begin(&mut first, to, session, total(body), push);
    let frame = |(part, last): (&[u8], bool)| {
        [&request_part_head(session, part.len(), last)[..], part].concat()
    };
    once(first).chain(parts(body).map(frame)).collect()
}

/// The frames of an answer in order, each by itself.
pub(crate) fn answer_frames(session: u32, body: &[u8]) -> Vec<Vec<u8>> {
    let mut first = Vec::new();
    if body.len() <= PART {
        encode_ok(&mut first, session, body);
        return vec![first];
    }
    encode_response_begin(&mut first, session, total(body));
    let frame = |(part, last): (&[u8], bool)| {
        [&response_part_head(session, part.len(), last)[..], part].concat()
    };
    once(first).chain(parts(body).map(frame)).collect()
}

fn total(body: &[u8]) -> u32 {
    u32::try_from(body.len()).expect("no test sends 4 GiB")
}
