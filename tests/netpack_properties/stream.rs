//! What a stream of packets must do however it is cut, for the property tests and the fuzzer alike.

use node::codec::netpack::{HEADER, LONGEST, Splitter, header};

/// The stream of `packets`.
pub(crate) fn join(packets: &[Vec<u8>]) -> Vec<u8> {
    let whole = |packet: &Vec<u8>| {
        [&header(packet.len()).expect("at most LONGEST bytes")[..], packet].concat()
    };
    packets.iter().flat_map(whole).collect()
}

/// The packets of a stream that arrives in these pieces, and how many bytes are left waiting.
pub(crate) fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, usize) {
    let mut splitter = Splitter::default();
    let mut packets = Vec::new();
    for mut piece in pieces {
        while let Some(packet) = splitter.next(&mut piece) {
            packets.push(packet.into_owned());
        }
        assert!(piece.is_empty(), "all that arrives is taken");
        assert!(splitter.pending() < HEADER + LONGEST, "no whole packet is kept back");
    }
    (packets, splitter.pending())
}

/// Cuts `stream` into pieces whose lengths `cuts` gives, over and over.
pub(crate) fn cut<'a>(mut stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut lengths = cuts.iter().map(|cut| usize::from(*cut)).cycle();
    while !stream.is_empty() && cuts.iter().any(|cut| *cut > 0) {
        let length = lengths.next().unwrap_or(1).min(stream.len());
        let (piece, rest) = stream.split_at(length);
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// Takes bytes from anywhere as a stream, in one piece and cut as its first bytes say: the packets
/// are the same, and they and what waits are the stream.
pub(crate) fn examine(bytes: &[u8]) {
    let (cuts, stream) = bytes.split_at(bytes.len().min(8));
    let (packets, waiting) = split([stream]);
    assert_eq!(split(cut(stream, cuts)), (packets.clone(), waiting));
    let whole = join(&packets);
    assert_eq!(whole.len() + waiting, stream.len());
    assert!(stream.starts_with(&whole));
}
