//! A connection of frames: what both ends of a link have in common.
//!
//! Invariant: frames are handled in the order of their bytes, and none after one was refused.
//! Not here: what a frame means (`connect.rs`, `agent.rs`).

use std::sync::Arc;

use super::secure::{Inflow, Opened};
use crate::net::{End, Flow, Receiver, Stream};

/// Who handles the frames of a connection.
pub(super) trait Frames: Send + 'static {
    /// A frame has arrived. An error refuses it, and says why.
    fn on_frame(&mut self, content: &[u8]) -> Result<(), String>;

    /// A frame was refused; the connection is closed.
    fn on_refused(&mut self, why: &str);

    /// All frames that are complete were handled; `partial` says whether one has begun.
    fn on_pause(&mut self, _partial: bool) {}

    /// As `Receiver::on_written`.
    fn on_written(&mut self, _stream: &Arc<Stream>, _left: usize) {}

    /// As `Receiver::on_end`.
    fn on_end(&mut self, end: End);
}

/// The receiver of a connection of frames.
pub(super) struct Framed<F> {
    inflow: Inflow,
    frames: F,
}

impl<F: Frames> Framed<F> {
    pub(super) fn new(opened: Opened, frames: F) -> Self {
        Self { inflow: Inflow::new(opened), frames }
    }

    fn go_on(&mut self, fed: Result<(), String>) -> Flow {
        match fed {
            Ok(()) => {
                self.frames.on_pause(!self.inflow.is_empty());
                Flow::Continue
            }
            Err(why) => {
                self.frames.on_refused(&why);
                Flow::Abort
            }
        }
    }
}

impl<F: Frames> Receiver for Framed<F> {
    fn on_start(&mut self, _stream: &Arc<Stream>) -> Flow {
        let fed = self.inflow.begin(|content| self.frames.on_frame(content));
        self.go_on(fed)
    }

    fn on_bytes(&mut self, stream: &Arc<Stream>, bytes: &[u8]) -> Flow {
        let fed = self.inflow.feed(stream, bytes, |content| self.frames.on_frame(content));
        self.go_on(fed)
    }

    fn on_written(&mut self, stream: &Arc<Stream>, left: usize) {
        self.frames.on_written(stream, left);
    }

    fn on_end(&mut self, _stream: &Arc<Stream>, end: End) {
        self.frames.on_end(end);
    }
}
