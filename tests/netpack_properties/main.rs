//! Properties of packets with their length in front: any cutting of the stream gives the same.
//!
//! Not here: single cases (`src/codec/netpack.rs`), the native module (`tests/lua/netpack_*.lua`),
//! the endless search for bad bytes (`fuzz/`, by `make fuzz-long`).

mod stream;

use proptest::collection::vec;
use proptest::prelude::*;

use node::codec::netpack::LONGEST;
use stream::{cut, examine, join, split};

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let long = (LONGEST - 2..=LONGEST, any::<u8>());
    prop_oneof![
        20 => vec(any::<u8>(), 0..40),
        1 => (254..=258_usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
        1 => long.prop_map(|(length, byte)| vec![byte; length]),
    ]
}

proptest! {
    #[test]
    fn packets_come_back_however_the_stream_is_cut(
        packets in vec(packet(), 0..12),
        cuts in vec(any::<u8>(), 1..20),
    ) {
        let stream = join(&packets);
        prop_assert_eq!(split(cut(&stream, &cuts)), (packets, 0));
    }

    #[test]
    fn a_stream_that_ends_early_gives_the_packets_that_were_whole(
        packets in vec(packet(), 1..6),
        end in any::<prop::sample::Index>(),
        cuts in vec(any::<u8>(), 1..20),
    ) {
        let stream = join(&packets);
        let end = end.index(stream.len());
        let (found, waiting) = split(cut(&stream[..end], &cuts));
        prop_assert!(found.len() < packets.len());
        prop_assert_eq!(&found[..], &packets[..found.len()]);
        prop_assert_eq!(join(&found).len() + waiting, end);
    }

    #[test]
    fn bytes_from_anywhere_are_a_stream(bytes in vec(any::<u8>(), 0..400)) {
        examine(&bytes);
    }
}
