//! The allocator of one Lua state: small blocks from an arena of its own, exact accounting, a
//! limit, warnings.
//!
//! Most services stay small, and what they hold are blocks of a few dozen bytes. The arena gives
//! these without headers, next to each other, and all at once back to the node when the service
//! ends. It is a fixed range: what does not fit, and every larger block, comes from mimalloc,
//! which grows without a system call a page and gives memory back when a service shrinks.
//!
//! Invariant: `used` is the number of bytes Lua holds, and it is zero after the state is closed.
//! A block belongs to the arena exactly if its address lies in the arena's range.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use mimalloc::MiMalloc;

use super::arena::{ARENA, ArenaPool};

/// First memory warning; it doubles with each warning. skynet's figure.
const FIRST_WARNING: usize = 32 << 20;

/// Step of the sizes the arena gives out, and the alignment of its blocks.
const GRAIN: usize = 16;
/// Largest block of the arena; the stack of a coroutine is 640 bytes. Larger ones are few.
const LARGEST: usize = 1024;
const CLASSES: usize = LARGEST / GRAIN;

/// Memory of one Lua state.
#[derive(Debug)]
pub struct Allocator {
    used: usize,
    limit: usize,
    warn_at: usize,
    /// Set when `used` has passed `warn_at`; the dispatcher logs it and clears it.
    warning: bool,
    /// Start of the arena.
    arena: *mut u8,
    /// First byte of the arena that was never given out.
    fresh: usize,
    /// Blocks given back, by size; each holds the address of the next.
    free: [*mut FreeBlock; CLASSES],
    pool: Arc<ArenaPool>,
}

#[derive(Debug)]
struct FreeBlock {
    next: *mut FreeBlock,
}

impl Allocator {
    /// An allocator with an arena of `pool`.
    pub(super) fn new(limit: usize, pool: &Arc<ArenaPool>) -> Self {
        Self {
            used: 0,
            limit,
            warn_at: FIRST_WARNING,
            warning: false,
            arena: pool.take(),
            fresh: 0,
            free: [ptr::null_mut(); CLASSES],
            pool: Arc::clone(pool),
        }
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

    /// A block of `size` bytes, or null.
    #[inline]
    fn get(&mut self, size: usize) -> *mut u8 {
        if size <= LARGEST {
            let class = (size - 1) / GRAIN;
            let block = self.free[class];
            if !block.is_null() {
                // SAFETY: a block in the list is free and holds the address of the next.
                self.free[class] = unsafe { (*block).next };
                return block.cast();
            }
            let end = self.fresh + (class + 1) * GRAIN;
            if end <= ARENA && !self.arena.is_null() {
                // SAFETY: the range up to `end` lies in the arena.
                let block = unsafe { self.arena.add(self.fresh) };
                self.fresh = end;
                return block;
            }
        }
        // SAFETY: the size is not zero.
        unsafe { MiMalloc.alloc(layout(size)) }
    }

    /// Takes a block of `size` bytes back.
    #[inline]
    fn put(&mut self, block: *mut u8, size: usize) {
        if self.is_of_arena(block) {
            let class = (size - 1) / GRAIN;
            let block = block.cast::<FreeBlock>();
            // SAFETY: Lua gives the block back, so nobody uses it; it has room for an address and
            // the arena's alignment.
            unsafe { (*block).next = self.free[class] };
            self.free[class] = block;
        } else {
            // SAFETY: what is not of the arena came from mimalloc with this size.
            unsafe { MiMalloc.dealloc(block, layout(size)) };
        }
    }

    #[inline]
    fn is_of_arena(&self, block: *mut u8) -> bool {
        (block as usize).wrapping_sub(self.arena as usize) < ARENA && !self.arena.is_null()
    }

    /// Gives a block another size; its contents move along.
    fn resize(&mut self, block: *mut u8, old_size: usize, new_size: usize) -> *mut u8 {
        let of_arena = self.is_of_arena(block);
        if of_arena && old_size.div_ceil(GRAIN) == new_size.div_ceil(GRAIN) {
            return block;
        }
        if !of_arena && new_size > LARGEST {
            // SAFETY: the block came from mimalloc with the old size; the new one is not zero.
            return unsafe { MiMalloc.realloc(block, layout(old_size), new_size) };
        }
        let moved = self.get(new_size);
        if !moved.is_null() {
            // SAFETY: both blocks are live, distinct and as long as what is copied.
            unsafe { ptr::copy_nonoverlapping(block, moved, old_size.min(new_size)) };
            self.put(block, old_size);
        }
        moved
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
            if old_size != 0 {
                this.used -= old_size;
                this.put(block.cast(), old_size);
            }
            return ptr::null_mut();
        }
        let used = this.used - old_size + new_size;
        if used > this.limit && new_size > old_size {
            return ptr::null_mut();
        }
        let moved = if old_size == 0 {
            this.get(new_size)
        } else {
            this.resize(block.cast(), old_size, new_size)
        };
        if !moved.is_null() {
            this.used = used;
            if used > this.warn_at {
                this.warning = true;
            }
        }
        moved.cast()
    }
}

/// What mimalloc is told of a block of Lua's.
#[inline]
fn layout(size: usize) -> Layout {
    // SAFETY: the alignment is a power of two, and Lua's sizes stay far below the largest.
    unsafe { Layout::from_size_align_unchecked(size, GRAIN) }
}

impl Drop for Allocator {
    fn drop(&mut self) {
        // Every block of the arena died with the state.
        self.pool.give_back(self.arena, self.fresh);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocate(this: &mut Allocator, block: *mut u8, old: usize, new: usize) -> *mut u8 {
        // SAFETY: the test keeps Lua's contract.
        unsafe { Allocator::allocate((&raw mut *this).cast(), block.cast(), old, new).cast() }
    }

    #[test]
    fn contents_survive_every_change_of_size() {
        let pool = Arc::new(ArenaPool::new());
        let mut allocator = Allocator::new(usize::MAX, &pool);
        let sizes = [1, 16, 17, 500, 512, 513, 4096, 512, 40, 1];
        let mut block = allocate(&mut allocator, ptr::null_mut(), 0, sizes[0]);
        // SAFETY: the block has one byte.
        unsafe { *block = 42 };
        for pair in sizes.windows(2) {
            block = allocate(&mut allocator, block, pair[0], pair[1]);
            // SAFETY: at least one byte was carried along.
            assert_eq!(unsafe { *block }, 42, "from {} to {}", pair[0], pair[1]);
            assert_eq!(allocator.used(), pair[1]);
        }
        allocate(&mut allocator, block, 1, 0);
        assert_eq!(allocator.used(), 0);
    }

    #[test]
    fn the_limit_refuses_growth_but_not_shrinking() {
        let pool = Arc::new(ArenaPool::new());
        let mut allocator = Allocator::new(1000, &pool);
        let block = allocate(&mut allocator, ptr::null_mut(), 0, 900);
        assert!(allocate(&mut allocator, ptr::null_mut(), 0, 200).is_null());
        allocator.set_limit(100);
        let block = allocate(&mut allocator, block, 900, 800);
        assert!(!block.is_null());
        allocate(&mut allocator, block, 800, 0);
        assert_eq!(allocator.used(), 0);
    }

    #[test]
    fn a_full_arena_goes_on_with_the_general_allocator() {
        let pool = Arc::new(ArenaPool::new());
        let mut allocator = Allocator::new(usize::MAX, &pool);
        let count = ARENA / 512 + 10;
        let blocks: Vec<*mut u8> =
            (0..count).map(|_| allocate(&mut allocator, ptr::null_mut(), 0, 512)).collect();
        assert!(blocks.iter().all(|block| !block.is_null()));
        for block in blocks {
            allocate(&mut allocator, block, 512, 0);
        }
        assert_eq!(allocator.used(), 0);
    }
}
