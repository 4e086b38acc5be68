//! Messages read in pieces, and what has to hold for any bytes; the fuzz target shares it.

use node::codec::http::{
    self, HEAD_LIMIT, Phase, RESPONSE_HEAD_LIMIT, Refusal, block, find_end, request, response, step,
};

type Fields = Vec<(String, Vec<u8>)>;

/// A head, as its owner would keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Method and target, or status and reason.
    pub(crate) start: (Vec<u8>, Vec<u8>),
    pub(crate) fields: Fields,
    pub(crate) end: usize,
}

/// What a reader makes of its input: nothing yet, a value, or a refusal.
pub(crate) type Reading<T> = Result<Option<T>, Refusal>;

fn owned(fields: &http::Fields<'_>) -> Fields {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The head of a request; `known` bytes were seen before.
pub(crate) fn request_head(input: &[u8], known: usize) -> Reading<Head> {
    let mut scratch = [0; HEAD_LIMIT];
    let head = request(input, known, &mut scratch)?;
    Ok(head.map(|head| Head {
        start: (head.method.to_owned(), head.target.to_owned()),
        fields: owned(&head.fields),
        end: head.end,
    }))
}

/// The head of a response; `known` bytes were seen before.
pub(crate) fn response_head(input: &[u8], known: usize) -> Reading<Head> {
    let mut scratch = [0; RESPONSE_HEAD_LIMIT];
    let head = response(input, known, &mut scratch)?;
    Ok(head.map(|head| Head {
        start: (head.status.to_string().into_bytes(), head.reason.to_owned()),
        fields: owned(&head.fields),
        end: head.end,
    }))
}

/// What `read` says when `input` arrives in pieces that end at `cuts`, which ascend.
pub(crate) fn in_pieces<T>(
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    read: impl Fn(&[u8], usize) -> Reading<T>,
) -> Reading<T> {
    let mut known = 0;
    for end in cuts.into_iter().chain([input.len()]) {
        match read(&input[..end], known) {
            Ok(None) => known = end,
            end => return end,
        }
    }
    Ok(None)
}

/// A chunked body in whole: its content, the fields behind it, and where it ends.
pub(crate) type Unchunked = (Vec<u8>, Vec<u8>, usize);

/// Reads a chunked body that arrives in pieces ending at `cuts`, which ascend.
pub(crate) fn unchunk(input: &[u8], cuts: impl IntoIterator<Item = usize>) -> Reading<Unchunked> {
    let (mut content, mut phase, mut at) = (Vec::new(), Phase::Size, 0);
    for end in cuts.into_iter().chain([input.len()]) {
        while let Some(taken) = step(phase, &input[at..end])? {
            assert!(taken.used > 0 && taken.used <= end - at, "{phase:?} takes {taken:?}");
            assert!(taken.content.end <= taken.used);
            let bytes = &input[at..][taken.content];
            at += taken.used;
            if taken.phase == Phase::Done {
                return Ok(Some((content, bytes.to_owned(), at)));
            }
            content.extend_from_slice(bytes);
            phase = taken.phase;
        }
    }
    Ok(None)
}

/// Fails unless a head stays inside `input` and keeps what the reader promises of it.
fn examine_head(input: &[u8], head: &Head, limit: usize) {
    assert!(head.end <= limit && head.end <= input.len());
    assert_eq!(find_end(input, 0), Some(head.end));
    let plain = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
    assert!(head.start.0.iter().chain(&head.start.1).all(plain));
    for (name, value) in &head.fields {
        assert!(
            !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()),
            "{name:?}"
        );
        assert!(value.iter().all(plain), "{value:?}");
    }
    // What was read can be written and read again.
    let mut lines = Vec::new();
    for (name, value) in &head.fields {
        lines.extend_from_slice(&[name.as_bytes(), b":", value, b"\r\n"].concat());
    }
    lines.extend_from_slice(b"\r\n");
    let mut scratch = vec![0; lines.len()];
    assert_eq!(block(&lines, &mut scratch).map(|fields| owned(&fields)), Ok(head.fields.clone()));
}

/// Fails unless reading `bytes`, whatever they are, stays inside them and gives the same in
/// whatever pieces they come.
pub(crate) fn examine(bytes: &[u8]) {
    let piece = bytes.first().map_or(1, |byte| usize::from(*byte) + 1);
    let cuts = || (piece..bytes.len()).step_by(piece);
    let head = request_head(bytes, 0);
    assert_eq!(in_pieces(bytes, cuts(), request_head), head);
    if let Ok(Some(head)) = &head {
        examine_head(bytes, head, HEAD_LIMIT);
    }
    let head = response_head(bytes, 0);
    assert_eq!(in_pieces(bytes, cuts(), response_head), head);
    if let Ok(Some(head)) = &head {
        examine_head(bytes, head, RESPONSE_HEAD_LIMIT);
    }
    assert_eq!(unchunk(bytes, cuts()), unchunk(bytes, []));
    let (length, coding) = bytes.split_at(bytes.len().min(piece));
    let _ = http::body(Some(length), Some(coding));
}
