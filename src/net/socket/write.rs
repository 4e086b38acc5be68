//! Writing on a socket: straight to the kernel, through the filter if there is one.
//!
//! Invariant: what waits to be sent is bounded: warnings at `WARNING` and each doubling, and at
//! the node's limit the connection is given up.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::WARNING;
use super::one::{Link, Phase, Socket};
use crate::codec::socket_event::Event;
use crate::net::chunk::Chunk;
use crate::net::stream::{Ended, Priority, Stream};

impl Socket {
    /// Writes `bytes`, at once as far as the socket takes them; the rest is queued. Answers how
    /// many bytes wait.
    ///
    /// # Errors
    /// When it is closed, or too much waits already.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        self.write_with(bytes, Priority::High)
    }

    /// As `write`, behind everything that `write` has queued or queues.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_low(&self, bytes: &[u8]) -> Result<usize, Ended> {
        self.write_with(bytes, Priority::Low)
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.stream().map_or(0, |stream| stream.queued())
    }

    fn write_with(&self, bytes: &[u8], priority: Priority) -> Result<usize, Ended> {
        match self.link.get() {
            Some(Link::Tcp(stream)) => {
                self.note_write();
                let queued = if self.is_filtered.load(Ordering::Acquire) {
                    self.write_sealed(stream, bytes)
                } else {
                    send(stream, bytes, priority)
                }?;
                self.check_backlog(queued, bytes.len())
            }
            Some(Link::Udp(udp)) => udp.send(bytes).map(|()| 0),
            Some(Link::Bound(bound)) => {
                self.note_write();
                self.check_backlog(bound.write(bytes)?, bytes.len())
            }
            Some(Link::Listener(_)) => Err(Ended),
            None => self.write_early(bytes),
        }
    }

    /// Sealed records have an order of their own and none may overtake another, so there is no
    /// priority.
    fn write_sealed(&self, stream: &Stream, bytes: &[u8]) -> Result<usize, Ended> {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = &*filter else { return Err(Ended) };
        let mut sealed = Vec::with_capacity(bytes.len() + 64);
        if let Err(text) = session.seal(bytes, &mut sealed) {
            drop(filter);
            self.fail(&text);
            return Err(Ended);
        }
        stream.write(&sealed)
    }

    /// Keeps what is written before the connection is there.
    fn write_early(&self, bytes: &[u8]) -> Result<usize, Ended> {
        let mut state = self.lock();
        let limit = self.send_limit();
        if state.phase != Phase::Connecting || state.early.len() >= limit {
            return Err(Ended);
        }
        state.early.extend_from_slice(bytes);
        Ok(state.early.len())
    }

    fn send_limit(&self) -> usize {
        self.sockets.upgrade().map_or(usize::MAX, |sockets| sockets.options.send_limit)
    }

    fn check_backlog(&self, queued: usize, written: usize) -> Result<usize, Ended> {
        if queued < WARNING { Ok(queued) } else { self.note_backlog(queued, written) }
    }

    /// Much waits to be sent: warns, and gives up at the limit. A single write of any size is
    /// taken while nothing waits, since whoever made it holds as much anyway.
    #[cold]
    fn note_backlog(&self, queued: usize, written: usize) -> Result<usize, Ended> {
        let limit = self.send_limit();
        if queued > limit && queued > written {
            self.fail(&format!(
                "{queued} bytes wait to be sent, the limit is {limit} (config: socket_send_limit)"
            ));
            return Err(Ended);
        }
        let due = self.warn_at.load(Ordering::Relaxed);
        if queued >= due {
            let next = if due == 0 { 2 * WARNING } else { 2 * due };
            let ours =
                self.warn_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
            if ours.is_ok() {
                let kilobytes = i32::try_from(queued.div_ceil(1024)).unwrap_or(i32::MAX);
                self.tell(&Event::Warning { kilobytes });
            }
        }
        Ok(queued)
    }

    /// Queued bytes have gone out.
    pub(super) fn note_written(&self, left: usize) {
        if left == 0 && self.warn_at.load(Ordering::Relaxed) != 0 {
            self.warn_at.store(0, Ordering::Relaxed);
            self.tell(&Event::Warning { kilobytes: 0 });
        }
    }
}

fn send(stream: &Stream, bytes: &[u8], priority: Priority) -> Result<usize, Ended> {
    match priority {
        Priority::High => stream.write(bytes),
        Priority::Low => stream.write_chunks([Chunk::new(bytes.to_vec())], Priority::Low),
    }
}
