//! `skynet.socket`: what is known of the sockets, and addresses of hosts.

use std::ffi::{CStr, c_int};
use std::net::ToSocketAddrs as _;

use mlua::ffi;

use super::super::skynet::thread::check_yieldable;
use super::lookup::{answer, on_thread};
use crate::continuation;
use crate::kernel::Payload;
use crate::net::socket::info::{Info, InfoKind};
use crate::net::socket::text_of;
use crate::vm::native::{Call, Lossy, NativeResult, Outcome, Resumed};

/// `netstat()`: a list of all sockets of the node.
pub(super) fn netstat(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let listing = vm.shared.sockets.info();
    let count = listing.len();
    vm.sockets.listing = listing;
    let state = call.state();
    // SAFETY: a native has free slots; the list is held by the VM, so a raise loses nothing.
    unsafe { ffi::lua_createtable(state, c_int::try_from(count).unwrap_or(0), 0) };
    for index in 0..count {
        // SAFETY: as above.
        unsafe { ffi::lua_createtable(state, 0, 12) };
        push_info(call, index);
        // SAFETY: the list is below the entry.
        unsafe { ffi::lua_rawseti(state, -2, i64::try_from(index + 1).unwrap_or(0)) };
    }
    call.vm().sockets.listing = Vec::new();
    Ok(Outcome::Values(1))
}

/// Fills the table on top with one entry of the list.
fn push_info(call: &mut Call, index: usize) {
    let Info { id, address, kind, read, write, wbuffer, rtime, wtime, reading, writing, .. } =
        call.vm().sockets.listing[index];
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    set_integer(call, c"id", id.into());
    set_integer(call, c"address", address.into());
    let name = kind.name();
    call.push_bytes(name.as_bytes());
    set_top(call, c"type");
    let listens = kind == InfoKind::Listen;
    set_integer(call, if listens { c"accept" } else { c"read" }, number(read));
    set_integer(call, c"rtime", number(rtime));
    if !listens {
        set_integer(call, c"write", number(write));
        set_integer(call, c"wbuffer", i64::try_from(wbuffer).unwrap_or(i64::MAX));
        set_integer(call, c"wtime", number(wtime));
        call.push_boolean(reading);
        set_top(call, c"reading");
        call.push_boolean(writing);
        set_top(call, c"writing");
    }
    let peer = call.vm().sockets.listing[index].name.as_deref().map(std::ptr::from_ref::<str>);
    if let Some(peer) = peer {
        // SAFETY: the list is not touched while its entries are pushed.
        call.push_bytes(unsafe { &*peer }.as_bytes());
        set_top(call, if listens { c"sock" } else { c"peer" });
    }
}

fn set_integer(call: &mut Call, name: &'static CStr, value: i64) {
    call.push_integer(value);
    set_top(call, name);
}

fn set_top(call: &mut Call, name: &'static CStr) {
    // SAFETY: the table is below the value on top.
    unsafe { ffi::lua_setfield(call.state(), -2, name.as_ptr()) };
}

/// `resolve(host)`: a list of its addresses. **Yields** where it can; else the thread waits.
pub(super) fn resolve(call: &mut Call) -> NativeResult {
    let host: *const [u8] = call.check_string(1)?;
    // SAFETY: the host stays on the stack.
    let host = Lossy(unsafe { &*host }).to_string();
    if check_yieldable(call).is_err() {
        let found = look_up(&host);
        drop(host);
        let payload = Payload::from_vec(found.into_bytes());
        // Held by the VM, so that a raise does not lose it.
        let block = call.vm().keep_block(payload);
        let length = call.vm().blocks.get(&(block as usize)).map_or(0, Payload::len);
        // SAFETY: the block belongs to the VM until it is taken.
        let bytes = unsafe { std::slice::from_raw_parts(block.cast_const().cast::<u8>(), length) };
        let outcome = push_addresses(call, bytes);
        drop(call.vm().take_block(block));
        return outcome;
    }
    on_thread(call, 0, continuation!(resolved), move || look_up(&host))
}

/// The addresses of a host as lines, or behind a `-` why there are none.
fn look_up(host: &str) -> String {
    match (host, 0).to_socket_addrs() {
        Ok(found) => {
            let lines: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            lines.join("\n")
        }
        Err(error) => format!("-{}", text_of(&error)),
    }
}

fn resolved(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let bytes = answer(call)?;
    // SAFETY: the bytes live as long as the message, which is being handled.
    push_addresses(call, unsafe { &*bytes })
}

fn push_addresses(call: &mut Call, lines: &[u8]) -> NativeResult {
    if let Some(text) = lines.strip_prefix(b"-") {
        return Err(call.error(format_args!("{}", Lossy(text))));
    }
    let state = call.state();
    // SAFETY: a native has free slots; nothing here has a destructor.
    unsafe { ffi::lua_createtable(state, 1, 0) };
    for (index, line) in (1..).zip(lines.split(|byte| *byte == b'\n')) {
        call.push_bytes(line);
        // SAFETY: the table is below.
        unsafe { ffi::lua_rawseti(state, -2, index) };
    }
    Ok(Outcome::Values(1))
}
