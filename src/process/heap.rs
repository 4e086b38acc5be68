//! The C allocator, through which payloads go: it shall keep what was freed for the next message.
//!
//! Invariant: set before the first thread starts, since the allocator reads it without a lock.

/// Free bytes at the end of a heap from which on they go back to the system. With the usual 128 KiB
/// every large message gives its pages back and faults them in again, which costs more than the
/// message.
#[cfg(target_env = "gnu")]
const TRIM_THRESHOLD: i32 = 32 << 20;

/// Size from which on a block is mapped by itself, and unmapped when it is freed.
#[cfg(target_env = "gnu")]
const MAP_THRESHOLD: i32 = 8 << 20;

/// Makes the C allocator keep freed blocks.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: plain settings; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAP_THRESHOLD);
    }
}
