//! Fuzz target: a stream of Redis replies, cut in any way.
#![no_main]

use node::codec::resp::reply::Reader;
use node::codec::resp::split::Splitter;

/// Longest reply that is let in: short, so that the limit is reached too.
const LIMIT: usize = 512;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((step, bytes)) = bytes.split_first() else { return };
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let at_once = cut(bytes, bytes.len().max(1), &mut whole);
    let by_steps = cut(bytes, usize::from(*step).max(1), &mut pieces);
    assert_eq!(whole, pieces, "the cuts decide");
    assert_eq!(at_once, by_steps);
    for reply in &whole {
        assert!(reply.len() <= LIMIT);
        let mut reader = Reader::new(reply);
        assert!(reader.skip() && reader.is_at_end(), "what was cut off cannot be read");
    }
});

/// The replies in `bytes`; true when all of it was good.
fn cut(bytes: &[u8], step: usize, replies: &mut Vec<Vec<u8>>) -> bool {
    let mut splitter = Splitter::new(LIMIT);
    bytes.chunks(step).all(|piece| {
        let fed = splitter.feed(piece, |bytes, ends| {
            let mut start = 0;
            for end in ends {
                replies.push(bytes[start..*end].to_vec());
                start = *end;
            }
        });
        fed.is_ok()
    })
}
