//! Frames out of the bytes of a connection.
//!
//! Invariant: at most one incomplete frame is kept, so at most 64 KiB.

use crate::codec::cluster::split_frame;

/// The start of a frame whose rest has not arrived.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    left: Vec<u8>,
}

impl Inbound {
    /// Gives every frame that is complete now to `on_frame`, until one is refused.
    pub(super) fn feed<E>(
        &mut self,
        bytes: &[u8],
        mut on_frame: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = bytes;
        if !self.left.is_empty() {
            // Only the frame that was cut is put together here; what follows is read in place.
            let missing = self.missing();
            let (head, tail) = rest.split_at(missing.min(rest.len()));
            self.left.extend_from_slice(head);
            let again = self.missing();
            if again > 0 && tail.is_empty() {
                return Ok(());
            }
            let (head, tail) = tail.split_at(again.min(tail.len()));
            self.left.extend_from_slice(head);
            rest = tail;
            let Some((content, _)) = split_frame(&self.left) else { return Ok(()) };
            let taken = on_frame(content);
            self.left.clear();
            taken?;
        }
        while let Some((content, tail)) = split_frame(rest) {
            on_frame(content)?;
            rest = tail;
        }
        self.left.extend_from_slice(rest);
        Ok(())
    }

    /// True when no frame is incomplete.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Bytes without which nothing more can be said of the frame that was cut.
    fn missing(&self) -> usize {
        match self.left.split_first_chunk() {
            None => 2 - self.left.len(),
            Some((length, rest)) => usize::from(u16::from_be_bytes(*length)) - rest.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut() {
        let frames: [&[u8]; 5] = [b"", b"a", b"", b"bcd", b"0123456789"];
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend_from_slice(&u16::try_from(frame.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        for step in 1..=bytes.len() {
            let mut inbound = Inbound::default();
            let mut out: Vec<Vec<u8>> = Vec::new();
            for piece in bytes.chunks(step) {
                let fed = inbound.feed(piece, |content| {
                    out.push(content.to_vec());
                    Ok::<_, ()>(())
                });
                assert_eq!(fed, Ok(()));
            }
            assert_eq!(out, frames);
            assert!(inbound.left.is_empty());
        }
    }
}
