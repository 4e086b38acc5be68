//! The allocator of one Lua state: exact accounting, a limit, warnings.
//!
//! Invariant: `used` is the number of bytes Lua holds, and it is zero after the state is closed.

use std::ffi::c_void;
use std::ptr;

/// First memory warning; it doubles with each warning. skynet's figure.
const FIRST_WARNING: usize = 32 << 20;

/// Memory of one Lua state.
#[derive(Debug)]
pub struct Allocator {
    used: usize,
    limit: usize,
    warn_at: usize,
    /// Set when `used` has passed `warn_at`; the dispatcher logs it and clears it.
    warning: bool,
}

impl Allocator {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: 0, limit, warn_at: FIRST_WARNING, warning: false }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Replaces the limit.
    pub fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes to warn of, once for each doubling.
    #[inline]
    pub(super) fn take_warning(&mut self) -> Option<usize> {
        if !self.warning {
            return None;
        }
        self.warning = false;
        while self.used > self.warn_at {
            self.warn_at *= 2;
        }
        Some(self.used)
    }

    /// Lua's allocation function; `ud` is the `Allocator`.
    pub(super) unsafe extern "C" fn allocate(
        ud: *mut c_void,
        block: *mut c_void,
        old_size: usize,
        new_size: usize,
    ) -> *mut c_void {
        // SAFETY: Lua passes the pointer given to `lua_newstate`, which outlives the state, and
        // calls from the one thread that runs it.
        let this = unsafe { &mut *ud.cast::<Self>() };
        // For a new block `old_size` is the kind of object, not a size.
        let old_size = if block.is_null() { 0 } else { old_size };
        if new_size == 0 {
            this.used -= old_size;
            // SAFETY: `block` is null or came from `realloc` below.
            unsafe { libc::free(block) };
            return ptr::null_mut();
        }
        let used = this.used - old_size + new_size;
        if used > this.limit && new_size > old_size {
            return ptr::null_mut();
        }
        // SAFETY: as above.
        let moved = unsafe { libc::realloc(block, new_size) };
        if !moved.is_null() {
            this.used = used;
            if used > this.warn_at {
                this.warning = true;
            }
        }
        moved
    }
}
