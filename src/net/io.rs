//! The I/O of a node: the tasks of its connections, and who runs them.
//!
//! There is no thread for it: idle workers run the tasks while they wait (`kernel::driver`), so a
//! message from a peer reaches a service on the thread that received it. Whoever is outside of a
//! node (a test) gives it a thread of its own.
//!
//! Invariant: nothing runs before the first connection needs it. Dropping `Io` ends every task; it
//! may be dropped on any thread.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;

use crate::kernel::driver::{Driver, Signal};

/// Threads for calls that block, which are look-ups of host names: the resolver of the system has
/// no other interface.
const BLOCKING_THREADS: usize = 4;

/// The I/O of a node.
#[derive(Default)]
pub struct Io {
    runtime: OnceLock<Runtime>,
    starting: Mutex<()>,
    begun: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Io {
    /// I/O that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The runtime.
    ///
    /// # Errors
    /// When it cannot be started.
    fn runtime(&self) -> io::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let _guard = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let started = Builder::new_current_thread()
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_io()
            .enable_time()
            .build()?;
        let runtime = self.runtime.get_or_init(|| started);
        if let Some(begun) = self.begun.get() {
            begun();
        }
        Ok(runtime)
    }

    /// For tasks that are to be started from elsewhere.
    ///
    /// # Errors
    /// When the I/O cannot be started.
    pub fn handle(&self) -> io::Result<Handle> {
        Ok(self.runtime()?.handle().clone())
    }

    /// Starts a task.
    ///
    /// # Errors
    /// When the I/O cannot be started.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        self.runtime()?.spawn(task);
        Ok(())
    }
}

impl Driver for Io {
    fn is_active(&self) -> bool {
        self.runtime.get().is_some()
    }

    fn on_begin(&self, begun: Box<dyn Fn() + Send + Sync>) {
        let _ = self.begun.set(begun);
    }

    fn wait(&self, signal: &Signal) {
        if let Some(runtime) = self.runtime.get() {
            runtime.block_on(poll_fn(|context| signal.poll(context)));
        }
    }

    fn look(&self) {
        if let Some(runtime) = self.runtime.get() {
            runtime.block_on(async {
                // The first lets events in, the second runs the tasks that they have woken.
                yield_now().await;
                yield_now().await;
            });
        }
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed within a task, and this may be one.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_active() { "I/O" } else { "I/O, not started" })
    }
}
