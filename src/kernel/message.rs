//! What travels between services: who sent it, which session it belongs to, of which kind it is,
//! and its bytes.
//!
//! Invariant: a payload is owned by exactly one message, but for shared ones, whose bytes nobody
//! changes. Short payloads live inside the message,
//! so that a small call costs no allocation beside its mailbox node; longer ones are blocks of
//! the C allocator, because scripts and C modules hand them around as `lightuserdata, size`.
//! Not here: what the bytes mean (`codec`).

use std::ffi::c_void;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use super::handle::Handle;

/// Longest payload kept inside the message. Chosen so that a mailbox node with its message is
/// exactly one cache line of 64 bytes.
pub const INLINE_CAPACITY: usize = 38;

/// Session of a request: positive when the sender waits for an answer, zero for a plain send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Session(pub i32);

impl Session {
    /// The session of a message that expects no answer.
    pub const NONE: Self = Self(0);

    /// True when somebody waits for an answer under this session.
    pub const fn expects_answer(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Kind of a message, `skynet.PTYPE_*`; every other number is a kind of the scripts' own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kind(pub u8);

impl Kind {
    /// Plain text, used by the logger and by C services.
    pub const TEXT: Self = Self(0);
    /// An answer to a request.
    pub const RESPONSE: Self = Self(1);
    /// A multicast package.
    pub const MULTICAST: Self = Self(2);
    /// Bytes of a game client, forwarded by a gate.
    pub const CLIENT: Self = Self(3);
    /// From the system, such as "reopen the log".
    pub const SYSTEM: Self = Self(4);
    /// Between harbors.
    pub const HARBOR: Self = Self(5);
    /// A socket event.
    pub const SOCKET: Self = Self(6);
    /// The request under this session failed, or (session 0) the sender is gone.
    pub const ERROR: Self = Self(7);
    /// Of the old mqueue module.
    pub const QUEUE: Self = Self(8);
    /// A debug command.
    pub const DEBUG: Self = Self(9);
    /// Packed Lua values.
    pub const LUA: Self = Self(10);
    /// Packed Lua values of a snax service.
    pub const SNAX: Self = Self(11);
    /// The trace tag of the request that follows.
    pub const TRACE: Self = Self(12);

    /// Name of a built-in kind for logs; `None` for the scripts' own.
    pub const fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 13] = [
            "text",
            "response",
            "multicast",
            "client",
            "system",
            "harbor",
            "socket",
            "error",
            "queue",
            "debug",
            "lua",
            "snax",
            "trace",
        ];
        if (self.0 as usize) < NAMES.len() { Some(NAMES[self.0 as usize]) } else { None }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "type {}", self.0),
        }
    }
}

/// One message on its way.
#[derive(Debug)]
pub struct Message {
    /// Who sent it; `None` for timers and other sources inside the node.
    pub source: Option<Handle>,
    /// The request it belongs to.
    pub session: Session,
    /// How to read the payload.
    pub kind: Kind,
    /// The bytes.
    pub payload: Payload,
}

impl Message {
    /// A message without bytes.
    pub fn empty(source: Option<Handle>, session: Session, kind: Kind) -> Self {
        Self { source, session, kind, payload: Payload::EMPTY }
    }
}

/// A message but for its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// As in `Message`.
    pub source: Option<Handle>,
    /// As in `Message`.
    pub session: Session,
    /// As in `Message`.
    pub kind: Kind,
}

/// Bytes of a message.
pub struct Payload(Storage);

enum Storage {
    /// The first `length` of the bytes are initialised; the others are nobody's business.
    Inline {
        length: u8,
        bytes: InlineBytes,
    },
    Block(Block),
    Vector(Vec<u8>),
    Shared(Arc<[u8]>),
}

type InlineBytes = [MaybeUninit<u8>; INLINE_CAPACITY];

impl Payload {
    /// No bytes at all.
    pub const EMPTY: Self = Self::unwritten(0);

    /// An inline payload whose bytes are still to be written.
    #[inline(always)]
    const fn unwritten(length: u8) -> Self {
        Self(Storage::Inline { length, bytes: [MaybeUninit::uninit(); INLINE_CAPACITY] })
    }

    /// A payload with a copy of `bytes`.
    #[inline]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut payload = MaybeUninit::uninit();
        Self::write_copy(&mut payload, bytes);
        // SAFETY: written by the line above.
        unsafe { payload.assume_init() }
    }

    /// Makes `place` a payload with a copy of `bytes`. They are written where they will stay:
    /// moving a payload that was just written makes the processor wait for its own stores.
    #[inline(always)]
    pub(super) fn write_copy(place: &mut MaybeUninit<Self>, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= INLINE_CAPACITY => {
                if let Storage::Inline { bytes: inline, .. } =
                    &mut place.write(Self::unwritten(length)).0
                {
                    copy_small(inline, bytes);
                }
            }
            _ => {
                place.write(Self(Storage::Block(Block::copy_of(bytes))));
            }
        }
    }

    /// A payload of the bytes of a vector, which are not copied.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        if bytes.len() <= INLINE_CAPACITY {
            Self::copy_of(&bytes)
        } else {
            Self(Storage::Vector(bytes))
        }
    }

    /// A payload that others have too: one copy of the bytes for all of them.
    pub fn shared(bytes: &Arc<[u8]>) -> Self {
        if bytes.len() <= INLINE_CAPACITY {
            Self::copy_of(bytes)
        } else {
            Self(Storage::Shared(Arc::clone(bytes)))
        }
    }

    /// A payload with a copy of `pieces`, one behind the other.
    pub fn of_pieces(pieces: &[&[u8]]) -> Self {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        let mut start = 0;
        if length <= INLINE_CAPACITY {
            let mut inline = [0; INLINE_CAPACITY];
            for piece in pieces {
                inline[start..start + piece.len()].copy_from_slice(piece);
                start += piece.len();
            }
            return Self::copy_of(&inline[..length]);
        }
        let block = Block::new(length);
        for piece in pieces {
            // SAFETY: the block has room for all pieces and is not shared yet.
            unsafe {
                let to = block.start.as_ptr().add(start);
                std::ptr::copy_nonoverlapping(piece.as_ptr(), to, piece.len());
            }
            start += piece.len();
        }
        Self(Storage::Block(block))
    }

    /// Takes over `length` bytes at `pointer`.
    ///
    /// # Safety
    /// `pointer` is null (then the payload is empty) or the start of a block of the C allocator
    /// with at least `length` initialised bytes, which nobody else uses or frees from now on.
    pub unsafe fn from_raw(pointer: *mut c_void, length: usize) -> Self {
        match NonNull::new(pointer.cast::<u8>()) {
            Some(start) => Self(Storage::Block(Block { start, length })),
            None => Self::EMPTY,
        }
    }

    /// Gives the bytes away as a block of the C allocator, which the receiver frees with `free`.
    /// An empty payload gives a null pointer.
    pub fn into_raw(self) -> (*mut c_void, usize) {
        let block = match self.0 {
            Storage::Inline { length: 0, .. } => return (std::ptr::null_mut(), 0),
            Storage::Inline { length, bytes } => Block::copy_of(written(&bytes, length)),
            Storage::Vector(bytes) => Block::copy_of(&bytes),
            Storage::Shared(bytes) => Block::copy_of(&bytes),
            Storage::Block(block) => block,
        };
        let block = std::mem::ManuallyDrop::new(block);
        (block.start.as_ptr().cast(), block.length)
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Storage::Inline { length, bytes } => written(bytes, *length),
            Storage::Block(block) => block.as_slice(),
            Storage::Vector(bytes) => bytes,
            Storage::Shared(bytes) => bytes,
        }
    }

    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Storage::Inline { length, .. } => usize::from(*length),
            Storage::Block(block) => block.length,
            Storage::Vector(bytes) => bytes.len(),
            Storage::Shared(bytes) => bytes.len(),
        }
    }

    /// True when there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The initialised bytes of an inline payload.
#[inline(always)]
fn written(bytes: &InlineBytes, length: u8) -> &[u8] {
    let bytes = &bytes[..usize::from(length)];
    // SAFETY: the invariant of `Storage::Inline`.
    unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// Copies at most `INLINE_CAPACITY` bytes. As two overlapping moves of a fixed size they cost less
/// than the call of a function that can copy any number.
#[inline(always)]
fn copy_small(to: &mut InlineBytes, from: &[u8]) {
    /// Copies `from[at..at + N]`.
    #[inline(always)]
    fn chunk<const N: usize>(to: &mut InlineBytes, from: &[u8], at: usize) {
        if let (Some(to), Some(from)) = (
            to.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()),
            from.get(at..).and_then(|rest| rest.first_chunk::<N>()),
        ) {
            *to = from.map(MaybeUninit::new);
        }
    }
    match from.len() {
        length @ 16.. => {
            chunk::<16>(to, from, 0);
            if length > 32 {
                chunk::<16>(to, from, 16);
            }
            chunk::<16>(to, from, length - 16);
        }
        length @ 8.. => {
            chunk::<8>(to, from, 0);
            chunk::<8>(to, from, length - 8);
        }
        length @ 4.. => {
            chunk::<4>(to, from, 0);
            chunk::<4>(to, from, length - 4);
        }
        length => (0..length).for_each(|at| chunk::<1>(to, from, at)),
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.len())
    }
}

/// An owned block of the C allocator.
struct Block {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a block is plain bytes with one owner; nothing in it belongs to a thread.
unsafe impl Send for Block {}
// SAFETY: a shared block is only read.
unsafe impl Sync for Block {}

impl Block {
    /// A block whose bytes are not written yet, which the caller does before it gives it away.
    fn new(length: usize) -> Self {
        // SAFETY: `malloc` may be called with any size; the size is not zero here or the extra
        // byte is harmless.
        let raw = unsafe { libc::malloc(length.max(1)) };
        let Some(start) = NonNull::new(raw.cast::<u8>()) else {
            // The same end as for every other Rust allocation that cannot be met.
            std::alloc::handle_alloc_error(
                std::alloc::Layout::array::<u8>(length).unwrap_or(std::alloc::Layout::new::<u8>()),
            )
        };
        Self { start, length }
    }

    fn copy_of(bytes: &[u8]) -> Self {
        let block = Self::new(bytes.len());
        // SAFETY: the block has room for `bytes.len()` bytes and cannot overlap a live slice.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), block.start.as_ptr(), bytes.len()) };
        block
    }

    fn as_slice(&self) -> &[u8] {
        // SAFETY: a block owns `length` initialised bytes at `start` until it is dropped.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `start` came from the C allocator and this block is its only owner.
        unsafe { libc::free(self.start.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_keep_their_bytes_inline_and_as_blocks() {
        for length in (0..=INLINE_CAPACITY + 1).chain([255, 256, 70_000]) {
            let bytes: Vec<u8> =
                (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let payload = Payload::copy_of(&bytes);
            assert_eq!(payload.as_slice(), bytes);
            let (front, back) = bytes.split_at(length / 3);
            assert_eq!(Payload::of_pieces(&[front, &[], back]).as_slice(), bytes);
            let shared: Arc<[u8]> = bytes.as_slice().into();
            let (one, other) = (Payload::shared(&shared), Payload::shared(&shared));
            assert_eq!((one.as_slice(), one.len()), (other.as_slice(), length));
            let (pointer, size) = payload.into_raw();
            assert_eq!(size, length);
            // SAFETY: the block was just given away by `into_raw`.
            let again = unsafe { Payload::from_raw(pointer, size) };
            assert_eq!(again.as_slice(), bytes);
        }
    }

    #[test]
    fn a_message_is_small_enough_for_one_cache_line_with_its_link() {
        assert!(size_of::<Message>() + size_of::<usize>() <= 64, "{}", size_of::<Message>());
    }
}
