//! Where the tables of a tree lie: an array that is filled once and then read by all threads.
//!
//! Reading a row of a large tree costs a miss of the processor's cache, and on pages of 4 KiB one of
//! its table of pages as well, which takes as long again. So an array of some size has a range of
//! its own, for which the system is asked for large pages; it goes back to the system with the tree.
//!
//! Invariant: the array is never changed after it was made.
//! Not here: what cells mean (`tree.rs`).

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

use super::tree::{Cell, Value};

/// Size of a large page where they matter. The range is laid out for it; what others have works too.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;
/// From which size on an array has a range of its own: two large pages are in it for certain.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 * LARGE_PAGE;

/// An array of cells.
pub(super) struct Cells {
    cells: NonNull<[Cell]>,
    /// The range that the array lies in; none if it is of the allocator.
    range: Option<Range>,
}

#[derive(Clone, Copy)]
struct Range {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: cells are plain values, nobody changes them, and the range belongs to the array alone.
unsafe impl Send for Cells {}
// SAFETY: as above.
unsafe impl Sync for Cells {}

impl Cells {
    /// An array of the first `count` cells that `cells` gives.
    pub(super) fn new(count: usize, cells: impl Iterator<Item = Cell>) -> Self {
        let filled = cells.chain(std::iter::repeat(Cell::Value(Value::Nil))).take(count);
        match Range::new(count * size_of::<Cell>()) {
            None => {
                let cells: Box<[Cell]> = filled.collect();
                // SAFETY: a box is never null.
                let cells = unsafe { NonNull::new_unchecked(Box::into_raw(cells)) };
                Self { cells, range: None }
            }
            Some((range, place)) => {
                let place = place.cast::<Cell>();
                for (at, cell) in filled.enumerate() {
                    // SAFETY: the range has room for `count` cells from `place` on, and its
                    // alignment is that of a page.
                    unsafe { place.add(at).write(cell) };
                }
                let cells = NonNull::slice_from_raw_parts(place, count);
                Self { cells, range: Some(range) }
            }
        }
    }
}

impl Range {
    /// A range with room for `size` bytes at the place given with it; `None` where the allocator
    /// does as well.
    #[cfg(target_os = "linux")]
    fn new(size: usize) -> Option<(Self, NonNull<u8>)> {
        if size < LARGE {
            return None;
        }
        let whole = size.checked_add(LARGE_PAGE)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new private range; nothing is mapped over.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), whole, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = NonNull::new(start.cast::<u8>())?;
        let skipped = start.addr().get().next_multiple_of(LARGE_PAGE) - start.addr().get();
        // SAFETY: less than a large page is skipped, which the range has in excess.
        let place = unsafe { start.add(skipped) };
        // What is no whole large page stays in small ones, so that no memory is taken in excess. A
        // system that has none says no, and nothing is lost.
        // SAFETY: the part lies in the range.
        unsafe {
            let part = size / LARGE_PAGE * LARGE_PAGE;
            libc::madvise(place.as_ptr().cast(), part, libc::MADV_HUGEPAGE);
        }
        Some((Self { start, size: whole }, place))
    }

    #[cfg(not(target_os = "linux"))]
    fn new(_size: usize) -> Option<(Self, NonNull<u8>)> {
        None
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        match self.range {
            // SAFETY: the array was made of a box of this length, and goes back once.
            None => drop(unsafe { Box::from_raw(self.cells.as_ptr()) }),
            // SAFETY: the range was mapped with this size, and nobody refers to it any more.
            Some(Range { start, size }) => unsafe {
                libc::munmap(start.as_ptr().cast(), size);
            },
        }
    }
}

impl Deref for Cells {
    type Target = [Cell];

    #[inline(always)]
    fn deref(&self) -> &[Cell] {
        // SAFETY: the array is filled, and stays as long as `self`.
        unsafe { self.cells.as_ref() }
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cells", self.len())
    }
}
