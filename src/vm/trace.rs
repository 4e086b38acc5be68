//! Tracing: following one request through services in the log (`skynet.trace`).
//!
//! Each event is one log line `<TRACE tag> nanoseconds event : positions`. The tag travels to the
//! next service as a message of its own in front of the request.
//! Invariant: a service that is not traced pays one test a message.

use std::fmt::Write as _;

use super::session::Trace;
use super::thread::ThreadId;
use super::{Current, Vm};

impl Trace {
    /// True when nothing is traced and nothing is to be.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.tags.is_empty() && self.incoming.is_empty() && self.protocols.is_empty()
    }
}

impl Vm {
    /// A handler begins: it takes over the tag that came in front of its message, or starts one.
    pub(super) fn begin_traced(&mut self, id: ThreadId, message: Current) {
        let incoming = message.source.and_then(|source| self.trace.incoming.remove(&source));
        let tag = match (self.trace.protocols.get(&message.kind.0), incoming) {
            // No tag at all: this request is not traced, whatever its handler asks for.
            (Some(false), _) => Box::default(),
            (_, Some(tag)) => {
                self.log_trace(&tag, "request", "");
                tag
            }
            (Some(true), None) => {
                let tag = self.new_tag();
                self.log_trace(&tag, "trace", "");
                tag
            }
            (None, None) => return,
        };
        self.trace.tags.insert(id, tag);
        self.threads[id].traced = true;
    }

    /// A handler has ended.
    pub(super) fn end_traced(&mut self, id: ThreadId) {
        self.log_tag(id, "end");
        self.trace.tags.remove(&id);
    }

    /// Logs one event of a thread, if it is traced.
    #[inline]
    pub fn log_tag(&self, id: ThreadId, event: &str) {
        if self.trace.tags.is_empty() {
            return;
        }
        if let Some(tag) = self.trace.tags.get(&id).filter(|tag| !tag.is_empty()) {
            self.log_trace(tag, event, "");
        }
    }

    /// True when the running request must not be traced (`skynet.traceproto(type, false)`).
    pub fn is_trace_refused(&self) -> bool {
        self.current.and_then(|id| self.trace.tags.get(&id)).is_some_and(|tag| tag.is_empty())
    }

    /// A tag that nobody has used.
    pub fn new_tag(&mut self) -> Box<[u8]> {
        self.trace.last += 1;
        format!("{}-{}", self.handle(), self.trace.last).into_bytes().into()
    }

    /// The tag of the running thread.
    pub fn current_tag(&self) -> Option<&[u8]> {
        self.trace.tags.get(&self.current?).map(|tag| &**tag).filter(|tag| !tag.is_empty())
    }

    /// Logs one event of a tag; `positions` are `file:line` words.
    pub fn log_trace(&self, tag: &[u8], event: &str, positions: &str) {
        let mut line = format!("<TRACE {}> {} {event}", super::native::Lossy(tag), monotonic());
        if !positions.is_empty() {
            let _ = write!(line, " : {positions}");
        }
        self.log(&line);
    }
}

/// Nanoseconds of the system's monotonic clock, as `skynet.hpc` gives them.
pub fn monotonic() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live value of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
