//! Properties of the serialisation: what is packed comes back, and no bytes do harm.
//!
//! Not here: the exact bytes (`src/codec/seri.rs`), Lua values (`tests/lua/pack_*.lua`), the endless
//! search for bad bytes (`fuzz/`, by `make fuzz-long`).

mod stream;

use proptest::collection::vec;
use proptest::prelude::*;

use node::codec::seri::{MAX_DEPTH, Reader};
use stream::{Value, examine, pack, unpack};

/// How many inputs the deterministic search takes: a few seconds in a debug build.
const RANDOM_INPUTS: usize = 100_000;

/// Where integers and lengths change their form.
const EDGES: [i64; 8] = [0, 31, 255, 256, 65_535, 65_536, i32::MAX as i64, i32::MIN as i64];

fn integer() -> impl Strategy<Value = i64> {
    let near_edge = (prop::sample::select(&EDGES), -1_i64..=1).prop_map(|(edge, by)| edge + by);
    prop_oneof![near_edge, any::<i64>()]
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    let long = (prop::sample::select(&[65_535, 65_536_usize][..]), any::<u8>());
    prop_oneof![
        20 => vec(any::<u8>(), 0..40),
        1 => long.prop_map(|(length, byte)| std::vec![byte; length]),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let single = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Boolean),
        integer().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Float),
        any::<f64>().prop_map(|float| Value::Float(float.to_bits())),
        any::<u64>().prop_map(Value::Pointer),
        string().prop_map(Value::String),
    ];
    single.prop_recursive(4, 100, 40, |inner| {
        let key = inner.clone().prop_filter("nil is no key", |key| *key != Value::Nil);
        (vec(inner.clone(), 0..40), vec((key, inner), 0..4))
            .prop_map(|(array, pairs)| Value::Table { array, pairs })
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(values in vec(value(), 0..6)) {
        prop_assert_eq!(unpack(&pack(&values)), (values, true));
    }

    #[test]
    fn a_stream_cut_short_gives_only_values_that_were_whole(
        values in vec(value(), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = pack(&values);
        let (found, _) = unpack(&bytes[..cut.index(bytes.len())]);
        prop_assert!(found.len() < values.len());
        prop_assert_eq!(&found[..], &values[..found.len()]);
    }

    #[test]
    fn a_value_cut_short_is_invalid(value in value(), cut in any::<prop::sample::Index>()) {
        let bytes = pack(std::slice::from_ref(&value));
        prop_assert_eq!(Value::read(&mut Reader::new(&bytes[..cut.index(bytes.len())])), None);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        examine(&bytes);
    }
}

#[test]
fn the_deepest_table_that_is_written_comes_back() {
    let mut value = Value::Nil;
    for _ in 0..MAX_DEPTH {
        value = Value::Table { array: vec![value], pairs: Vec::new() };
    }
    let values = [value];
    assert_eq!(unpack(&pack(&values)), (values.to_vec(), true));
}

#[test]
fn a_lie_about_a_length_is_found_out_without_making_room_for_it() {
    // A string of 4 GiB, a table of 2^62 values, one of -1 values.
    let lies: [&[u8]; 3] = [
        &[0x25, 0xff, 0xff, 0xff, 0xff, b'x'],
        &[0xfe, 0x32, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x00],
        &[0xfe, 0x22, 0xff, 0xff, 0xff, 0xff, 0x00],
    ];
    for bytes in lies {
        assert_eq!(unpack(bytes), (Vec::new(), false), "{bytes:02x?}");
        examine(bytes);
    }
}

/// SplitMix64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("it is below a usize")
    }

    /// A byte that often means something: a head of the format more often than any other.
    fn byte(&mut self) -> u8 {
        const HEADS: &[u8] = &[
            0x00, 0x01, 0x09, 0x02, 0x0a, 0x12, 0x22, 0x32, 0x42, 0x03, 0x04, 0x0c, 0x15, 0x25,
            0x06, 0x0e, 0xfe, 0x07, 0xff,
        ];
        match self.below(3) {
            0 => self.next().to_le_bytes()[0],
            _ => HEADS[self.below(HEADS.len())],
        }
    }
}

#[test]
fn a_hundred_thousand_inputs_the_same_in_every_run_do_no_harm() {
    let mut numbers = Numbers(1);
    let mut valid = 0;
    for _ in 0..RANDOM_INPUTS {
        let length = numbers.below(64);
        let mut bytes: Vec<u8> = (0..length).map(|_| numbers.byte()).collect();
        examine(&bytes);
        // What is valid in it, with one byte changed or cut off: close to what a peer could send.
        let mut near = pack(&unpack(&bytes).0);
        valid += usize::from(!near.is_empty());
        if !near.is_empty() {
            let at = numbers.below(near.len());
            near[at] = numbers.byte();
            examine(&near);
            near.truncate(at);
            examine(&near);
        }
        // Deep nesting: every byte a table with one value.
        bytes.fill(0x0e);
        examine(&bytes);
    }
    assert!(valid > RANDOM_INPUTS / 2, "only {valid} inputs had something valid: too tame");
}
