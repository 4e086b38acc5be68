//! Frames on their way out: one message is one block of bytes, written at once.
//!
//! Invariant: a mask is never used twice and cannot be foretold.
//! Not here: control frames that answer the peer's (`engine.rs`).

use std::cell::RefCell;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

/// A mask, as it stands in the frame.
pub type Mask = [u8; 4];

/// Longest head: opcode, length in nine bytes, mask.
const HEAD: usize = 14;

/// Random bytes fetched at once: the system is asked once for 64 masks.
const POOL: usize = 256;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static MASKS: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

/// A fresh mask; `None` when the system has no random numbers.
pub fn random_mask() -> Option<Mask> {
    MASKS.with_borrow_mut(|pool| {
        if pool.used == POOL {
            SystemRandom::new().fill(&mut pool.bytes).ok()?;
            pool.used = 0;
        }
        let mask = pool.bytes[pool.used..].first_chunk().copied();
        pool.used += size_of::<Mask>();
        mask
    })
}

/// Appends a frame to `out`.
pub fn encode(out: &mut Vec<u8>, opcode: OpCode, last: bool, payload: &[u8], mask: Option<Mask>) {
    let header =
        FrameHeader { is_final: last, opcode, mask, rsv1: false, rsv2: false, rsv3: false };
    out.reserve(HEAD + payload.len());
    // Writing to a vector does not fail.
    let _ = header.format(payload.len() as u64, out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply(&mut out[start..], mask);
    }
}

/// Masks `bytes`, or takes the mask off again.
pub fn apply(bytes: &mut [u8], mask: Mask) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;

    use super::*;

    fn encoded(payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, OpCode::Data(Data::Binary), true, payload, mask);
        out
    }

    #[test]
    fn the_length_takes_one_three_or_nine_bytes() {
        for (length, head) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xff, 0xff]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload = vec![7; length];
            assert_eq!(encoded(&payload, None), [head, payload].concat(), "{length}");
        }
    }

    #[test]
    fn a_masked_frame_has_its_mask_and_every_byte_masked() {
        let payload: Vec<u8> = (0..29).collect();
        let frame = encoded(&payload, Some([1, 2, 3, 4]));
        assert_eq!(frame[..6], [0x82, 0x80 | 29, 1, 2, 3, 4]);
        let plain: Vec<u8> = frame[6..]
            .iter()
            .enumerate()
            .map(|(index, byte)| byte ^ [1, 2, 3, 4][index % 4])
            .collect();
        assert_eq!(plain, payload);
    }

    #[test]
    fn masks_differ() {
        let masks: std::collections::HashSet<Mask> =
            (0..200).map(|_| random_mask().unwrap()).collect();
        assert!(masks.len() > 190, "{}", masks.len());
    }
}
