//! The I/O threads of a node.
//!
//! Invariant: they start when the first connection needs them, and a node without network has
//! none. Dropping `Io` ends every task at its next pause; it may be dropped on any thread.

use std::future::Future;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads for calls that block, which are look-ups of host names: the resolver of the system has
/// no other interface.
const BLOCKING_THREADS: usize = 4;

/// The I/O threads of a node.
#[derive(Debug)]
pub struct Io {
    threads: usize,
    runtime: Mutex<Option<Runtime>>,
}

impl Io {
    /// I/O on `threads` threads, which are not started yet.
    pub const fn new(threads: usize) -> Self {
        Self { threads, runtime: Mutex::new(None) }
    }

    /// The running threads.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn handle(&self) -> io::Result<Handle> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let started = Builder::new_multi_thread()
            .worker_threads(self.threads)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("io")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(runtime.insert(started).handle().clone())
    }

    /// Runs a task on the I/O threads.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        self.handle()?.spawn(task);
        Ok(())
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            // Waiting is not allowed on an I/O thread, and this may be one.
            runtime.shutdown_background();
        }
    }
}
