//! The task of one connection: reads, writes what is queued, and sees to the end.
//!
//! Invariant: it sleeps only after it has left its waker with everything that can change: the
//! socket, the queue (`Stream::lock`) and the linger timer.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::Sleep;

use super::half::Reading;
use super::stream::{End, Flow, Phase, Receiver, Stream};

/// What one read takes at most. One buffer a thread, so that an idle connection costs none.
const READ: usize = 64 << 10;

/// Reads of one connection before the others of its thread get their turn.
const READS: usize = 4;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// Time for a peer to take the last bytes when a receiver closes.
const LINGER: Duration = Duration::from_secs(10);

pub(super) struct Pump<R> {
    stream: Arc<Stream>,
    socket: Reading,
    receiver: R,
    started: bool,
    /// The peer will send no more.
    eof: bool,
    linger: Option<Pin<Box<Sleep>>>,
}

impl<R: Receiver> Pump<R> {
    pub(super) fn new(stream: Arc<Stream>, socket: Reading, receiver: R) -> Self {
        Self { stream, socket, receiver, started: false, eof: false, linger: None }
    }

    pub(super) async fn run(mut self) {
        let end = poll_fn(|context| self.poll(context)).await;
        {
            let mut state = self.stream.lock();
            state.phase = Phase::Ended;
            state.outgoing.clear();
            state.direct = None;
        }
        let Self { stream, socket, mut receiver, .. } = self;
        drop(socket);
        receiver.on_end(&stream, end);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Poll::Ready(end) = self.poll_output(context) {
                return Poll::Ready(end);
            }
            // What a receiver asks for may change what there is to do.
            match self.poll_input(context) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Ready(None) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Writes what is queued. Ready when the connection has ended.
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let stream = Arc::clone(&self.stream);
        let mut state = stream.lock();
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        if let Some(error) = state.failure.take() {
            return Poll::Ready(End::Failed(error));
        }
        let mut written = 0;
        let socket = &self.socket;
        while !state.outgoing.is_empty() {
            match socket.poll_write_ready(context) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error)),
                Poll::Ready(Ok(())) => {}
            }
            match state.outgoing.write_with(|slices| socket.try_write_vectored(slices)) {
                Ok(count) => {
                    stream.count_sent(count);
                    written += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(End::Failed(error)),
            }
        }
        let (left, phase) = (state.outgoing.bytes(), state.phase);
        drop(state);
        if written > 0 {
            // A peer that takes something is patiently served.
            self.linger = None;
            self.receiver.on_written(&stream, left);
        }
        match phase {
            Phase::Closing(linger) => self.poll_closing(context, left, linger),
            Phase::Open | Phase::Ended => Poll::Pending,
        }
    }

    fn poll_closing(
        &mut self,
        context: &mut Context<'_>,
        left: usize,
        linger: Duration,
    ) -> Poll<End> {
        if linger.is_zero() {
            return Poll::Ready(End::Closed);
        }
        let timer = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(linger)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Lingered);
        }
        if left > 0 {
            return Poll::Pending;
        }
        Poll::Ready(if self.eof { End::Peer } else { End::Closed })
    }

    /// Reads. Ready with `None` when there may be more to do at once.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Option<End>> {
        for _ in 0..READS {
            {
                let state = self.stream.lock();
                if self.eof || !state.reading || state.phase != Phase::Open {
                    return Poll::Pending;
                }
            }
            let flow = BUFFER.with_borrow_mut(|buffer| {
                if !std::mem::replace(&mut self.started, true) {
                    return Poll::Ready(Ok(self.receiver.on_start(&self.stream)));
                }
                let mut into = ReadBuf::new(buffer);
                if let Err(error) = ready!(self.socket.poll_read(context, &mut into)) {
                    return Poll::Ready(Err(error));
                }
                let bytes = into.filled();
                if bytes.is_empty() {
                    self.eof = true;
                    return Poll::Ready(Ok(self.receiver.on_eof(&self.stream)));
                }
                self.stream.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Poll::Ready(Ok(self.receiver.on_bytes(&self.stream, bytes)))
            });
            match ready!(flow) {
                Err(error) => return Poll::Ready(Some(End::Failed(error))),
                Ok(Flow::Continue) => {}
                Ok(Flow::Abort) => return Poll::Ready(Some(End::Closed)),
                Ok(Flow::Close) => {
                    let mut state = self.stream.lock();
                    if state.phase == Phase::Open {
                        state.phase = Phase::Closing(LINGER);
                    }
                    return Poll::Ready(None);
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
