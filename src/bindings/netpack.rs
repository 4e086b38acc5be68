//! `skynet.netpack`: turns events of sockets into packets with their length in front, for gates.
//!
//! Source: reference 8.4. The queue that a gate passes from call to call is a userdata; it holds
//! the unfinished packet of each connection, and whole packets until they are popped.
//!
//! Invariant: what a queue holds counts as message blocks of its service, against the service's
//! memory limit, until it is popped, cleared or collected.
//! Not here: how a stream is cut (`codec/netpack.rs`), sockets.

use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::skynet::address::{self, push_owned};
use crate::codec::netpack::{self, HEADER, LONGEST, Splitter};
use crate::codec::socket_event::Event;
use crate::kernel::Payload;
use crate::natives;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"clear" => clear,
    c"filter" => filter,
    c"pack" => pack,
    c"pop" => pop,
    c"tostring" => to_string,
];

const METHODS: &[Entry] = natives![c"__gc" => clear];

/// Name of the metatable of queues.
const QUEUE: &CStr = c"skynet.netpack.queue";

/// What a packet or an unfinished one costs besides its bytes, about.
const OVERHEAD: usize = 64;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::luaL_newmetatable(state, QUEUE.as_ptr());
        register(state, METHODS);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// The packets of a gate.
#[derive(Default)]
struct Queue {
    /// Unfinished packets by connection.
    unfinished: HashMap<i32, Splitter>,
    /// Whole packets and whose they are.
    ready: VecDeque<(i32, Payload)>,
    /// Bytes of both, with overhead.
    held: usize,
    /// How much of that the service has been charged.
    charged: usize,
}

impl Queue {
    /// Cuts what a connection sends; true when that gave exactly one packet and nothing is left.
    fn add(&mut self, socket: i32, mut bytes: &[u8]) -> bool {
        let mut splitter = self.unfinished.remove(&socket).unwrap_or_default();
        self.held -= cost(splitter.pending());
        let mut packets = 0;
        while let Some(packet) = splitter.next(&mut bytes) {
            packets += 1;
            self.held += cost(packet.len()).max(OVERHEAD);
            self.ready.push_back((socket, Payload::copy_of(&packet)));
        }
        let pending = splitter.pending();
        if pending > 0 {
            self.held += cost(pending);
            self.unfinished.insert(socket, splitter);
        }
        packets == 1 && pending == 0
    }

    /// Takes the packet at the front, or at the back.
    fn take(&mut self, back: bool) -> Option<(i32, Payload)> {
        let taken = if back { self.ready.pop_back() } else { self.ready.pop_front() };
        if let Some((_, packet)) = &taken {
            self.held -= cost(packet.len()).max(OVERHEAD);
        }
        taken
    }

    /// Forgets the unfinished packet of a connection.
    fn forget(&mut self, socket: i32) {
        if let Some(splitter) = self.unfinished.remove(&socket) {
            self.held -= cost(splitter.pending());
        }
    }
}

/// What so many bytes are charged; none are free.
const fn cost(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + OVERHEAD }
}

/// The place where the userdata at index 1 keeps its queue; `None` when there is nil.
fn place(call: &mut Call) -> Result<Option<*mut *mut Queue>, Raise> {
    if call.is_none_or_nil(1) {
        return Ok(None);
    }
    // SAFETY: a userdata with this metatable was made by `new_queue`.
    let place = unsafe { ffi::luaL_testudata(call.state(), 1, QUEUE.as_ptr()) };
    if place.is_null() {
        let name = call.type_name(1);
        return Err(call.argument(1, format_args!("netpack queue expected, got {name}")));
    }
    Ok(Some(place.cast()))
}

/// Runs `f` on the queue at index 1, and charges the service for what has changed.
fn with_queue<T>(call: &mut Call, f: impl FnOnce(&mut Queue) -> T) -> Result<Option<T>, Raise> {
    let Some(place) = place(call)? else { return Ok(None) };
    // SAFETY: the place holds null or a box of its own, which nothing else points to; `f` runs no
    // Lua, so it cannot be collected meanwhile.
    let Some(queue) = (unsafe { (*place).as_mut() }) else { return Ok(None) };
    let result = f(queue);
    let vm = call.vm();
    vm.block_bytes = vm.block_bytes + queue.held - queue.charged;
    queue.charged = queue.held;
    Ok(Some(result))
}

/// Makes sure that there is a queue at index 1.
fn make_queue(call: &mut Call) -> Result<(), Raise> {
    let state = call.state();
    let place = match place(call)? {
        Some(place) => place,
        // SAFETY: a native has free slots; may raise before there is a queue.
        None => unsafe {
            let place = ffi::lua_newuserdata(state, size_of::<*mut Queue>());
            let place = place.cast::<*mut Queue>();
            place.write(std::ptr::null_mut());
            ffi::luaL_setmetatable(state, QUEUE.as_ptr());
            ffi::lua_replace(state, 1);
            place
        },
    };
    // SAFETY: the userdata at index 1 is alive; a box given to it is freed by `clear`.
    unsafe {
        if (*place).is_null() {
            place.write(Box::into_raw(Box::default()));
        }
    }
    Ok(())
}

/// `filter(queue, event, size)`: the queue, then what the event means to a gate: `"data", id,
/// packet, size`, `"more"` (pop them), `"open", id, address`, `"close", id`, `"error", id, text`,
/// `"warning", id, kilobytes`, `"init", id, address, port`, or nothing.
fn filter(call: &mut Call) -> NativeResult {
    place(call)?;
    let bytes = address::view(call, 2)?;
    // SAFETY: the bytes live as long as the string on the stack, the block, or the message.
    let Some((socket, event)) = Event::decode(unsafe { &*bytes }) else {
        return Err(call.argument(2, format_args!("no event of a socket")));
    };
    if let Event::Data(bytes) = event {
        return data(call, socket, bytes);
    }
    if event == Event::Close || matches!(event, Event::Error(_)) {
        with_queue(call, |queue| queue.forget(socket))?;
    }
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_pushvalue(state, 1) };
    let (name, subject) = match event {
        Event::Connect { .. } => (&b"init"[..], socket),
        Event::Accept { id, .. } => (&b"open"[..], id),
        Event::Close => (&b"close"[..], socket),
        Event::Error(_) => (&b"error"[..], socket),
        Event::Warning { .. } => (&b"warning"[..], socket),
        Event::Data(_) | Event::Udp { .. } => return Ok(Outcome::Values(1)),
    };
    call.push_bytes(name);
    call.push_integer(subject.into());
    match event {
        Event::Connect { port, text } => {
            call.push_bytes(text);
            call.push_integer(port.into());
            return Ok(Outcome::Values(5));
        }
        Event::Accept { peer: text, .. } | Event::Error(text) => call.push_bytes(text),
        Event::Warning { kilobytes } => call.push_integer(kilobytes.into()),
        _ => return Ok(Outcome::Values(3)),
    }
    Ok(Outcome::Values(4))
}

/// Bytes of a connection: a single packet is given at once, more wait in the queue.
fn data(call: &mut Call, socket: i32, bytes: &[u8]) -> NativeResult {
    let vm = call.vm();
    let used = vm.allocator().used() + vm.block_bytes;
    if used.saturating_add(bytes.len()) > vm.allocator().limit() {
        return Err(call.plain_error(format_args!("not enough memory")));
    }
    make_queue(call)?;
    let state = call.state();
    let (single, any) = with_queue(call, |queue| {
        let single = queue.add(socket, bytes);
        (single, !queue.ready.is_empty())
    })?
    .unwrap_or_default();
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_pushvalue(state, 1) };
    if single {
        call.push_bytes(b"data");
        call.push_integer(socket.into());
        // What may raise is done: only now is the packet in nobody's hands.
        return match with_queue(call, |queue| queue.take(true))?.flatten() {
            Some((_, packet)) => push_owned(call, packet).map(|_| Outcome::Values(5)),
            None => Ok(Outcome::Values(3)),
        };
    }
    if any {
        call.push_bytes(b"more");
        return Ok(Outcome::Values(2));
    }
    Ok(Outcome::Values(1))
}

/// `pop(queue)`: id, packet, size of the packet that has waited longest; nothing if there is none.
fn pop(call: &mut Call) -> NativeResult {
    call.reserve(3)?;
    match with_queue(call, |queue| queue.take(false))?.flatten() {
        Some((socket, packet)) => {
            call.push_integer(socket.into());
            push_owned(call, packet).map(|_| Outcome::Values(3))
        }
        None => NOTHING,
    }
}

/// `clear(queue)`: frees what is in the queue, which can be used further.
fn clear(call: &mut Call) -> NativeResult {
    with_queue(call, |queue| queue.held = 0)?;
    if let Some(place) = place(call)? {
        // SAFETY: the place holds null or a box of its own, which is taken out.
        unsafe {
            let queue = place.replace(std::ptr::null_mut());
            if !queue.is_null() {
                drop(Box::from_raw(queue));
            }
        }
    }
    NOTHING
}

/// `pack(text | packet, size)`: the packet with its length in front, and the size of both.
fn pack(call: &mut Call) -> NativeResult {
    let bytes = address::view(call, 1)?;
    // SAFETY: the bytes live as long as the string on the stack, the block, or the message.
    let bytes = unsafe { &*bytes };
    let Some(header) = netpack::header(bytes.len()) else {
        let size = bytes.len();
        return Err(call.error(format_args!(
            "Invalid size (too long) of data : {size} (a packet has at most {LONGEST} bytes)"
        )));
    };
    debug_assert_eq!(header.len(), HEADER);
    push_owned(call, Payload::of_pieces(&[&header, bytes]))
}

/// `tostring(packet, size)`: the bytes of a packet, which is freed.
fn to_string(call: &mut Call) -> NativeResult {
    let pointer = call.pointer(1);
    if pointer.is_null() {
        call.push_bytes(b"");
        return Ok(Outcome::Values(1));
    }
    let bytes = address::view(call, 1)?;
    // SAFETY: the bytes live as long as the block, which is freed below, or the message.
    unsafe { call.push_bytes(&*bytes) };
    drop(call.vm().take_block(pointer));
    Ok(Outcome::Values(1))
}
