//! Arenas: fixed ranges of memory for the small blocks of one service each.
//!
//! They are cut from large mappings, so that a hundred thousand services need few of them, and
//! given pages by the system only as far as they are used.
//! Invariant: an arena is used by one allocator at a time, and its mapping lives as long as the
//! pool.

use std::ptr;
use std::sync::{Mutex, PoisonError};

/// Size of an arena. Services beyond it are few enough to use the general
/// allocator.
pub const ARENA: usize = 256 << 10;
/// Arenas of one mapping.
const BATCH: usize = 64;
/// Arenas kept with their pages when services end; the pages of others go back to the system.
const KEPT_WARM: usize = 64;
/// Pages that an arena in the pool may keep; more than nearly every service uses in it.
const WARM_BYTES: usize = 64 << 10;

/// The arenas of one node.
#[derive(Debug)]
pub struct ArenaPool {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    warm: Vec<*mut u8>,
    cold: Vec<*mut u8>,
    mappings: Vec<*mut u8>,
}

// SAFETY: the pointers are ranges of memory that belong to the pool and to no thread.
unsafe impl Send for Inner {}

impl ArenaPool {
    /// An empty pool.
    pub fn new() -> Self {
        Self { inner: Mutex::default() }
    }

    /// An arena, or null when the system has no memory; its user then does without.
    pub fn take(&self) -> *mut u8 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arena) = inner.warm.pop().or_else(|| inner.cold.pop()) {
            return arena;
        }
        let size = ARENA * BATCH;
        // SAFETY: a new private mapping touches nothing that exists.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        // Huge pages would make the first byte of an arena cost two megabytes.
        // SAFETY: the range is the mapping made above. A refusal only costs memory.
        unsafe { libc::madvise(start, size, libc::MADV_NOHUGEPAGE) };
        let start = start.cast::<u8>();
        inner.mappings.push(start);
        // SAFETY: each arena lies within the mapping.
        inner.cold.extend((1..BATCH).rev().map(|index| unsafe { start.add(index * ARENA) }));
        start
    }

    /// Takes an arena back of which the first `touched` bytes have been used.
    pub fn give_back(&self, arena: *mut u8, touched: usize) {
        if arena.is_null() {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.warm.len() < KEPT_WARM && touched <= WARM_BYTES {
            inner.warm.push(arena);
            return;
        }
        drop(inner);
        // SAFETY: nobody uses the arena; its pages come back empty when touched again.
        unsafe { libc::madvise(arena.cast(), ARENA, libc::MADV_DONTNEED) };
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).cold.push(arena);
    }
}

impl Default for ArenaPool {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ArenaPool {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        for mapping in &inner.mappings {
            // SAFETY: every allocator holds the pool, so no arena is in use any more.
            unsafe { libc::munmap(mapping.cast(), ARENA * BATCH) };
        }
    }
}
