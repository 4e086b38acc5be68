//! What a message of a script carries, from its arguments to the mailbox.
//!
//! Invariant: what was packed into the VM's scratch buffer is taken from there by whoever sends it.
//! From the buffer the bytes go straight to where they will lie.

use std::ffi::c_int;

use mlua::ffi;

use super::address::{self, Destination, deliver};
use super::protocol::{find_type, unknown_type};
use crate::kernel::{Kind, Payload, SendError, Session};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Raise};
use crate::vm::seri;

/// A message type as a script names it, and how its payload is made.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    /// Packed natively.
    Native,
    /// By the `pack` of the type at this position.
    Script(usize),
}

/// Finds the message type at `index`, a name or an id.
#[inline]
pub(super) fn protocol(call: &mut Call, index: c_int) -> Result<(Kind, Packing), Raise> {
    // SAFETY: the string stays on the stack.
    if matches!(call.peek(index), Peek::String(name) if unsafe { &*name } == b"lua") {
        return Ok((Kind::LUA, Packing::Native));
    }
    uncommon_protocol(call, index)
}

/// Any type but `"lua"`.
fn uncommon_protocol(call: &mut Call, index: c_int) -> Result<(Kind, Packing), Raise> {
    let Some(position) = find_type(call, index) else {
        return Err(unknown_type(call, index));
    };
    let protocol = call.vm().protocols.at(position);
    let packing = if protocol.is_native() { Packing::Native } else { Packing::Script(position) };
    Ok((protocol.kind, packing))
}

/// What a message will carry.
pub(super) enum Body {
    /// The VM's scratch buffer from here on. The bytes go from there to where they will lie.
    Scratch(usize),
    /// Made by a script or a C module.
    Payload(Payload),
}

/// Sends a message with `body`.
#[inline]
pub(super) fn deliver_body(
    call: &mut Call,
    to: Destination,
    kind: Kind,
    session: Session,
    body: Body,
) -> Result<(), SendError> {
    match (body, to) {
        (Body::Scratch(start), Destination::Service(handle)) => {
            call.vm().send_packed(handle, kind, session, start)
        }
        (Body::Scratch(start), _) => {
            let payload = take_scratch(call, start);
            deliver(call, to, kind, session, payload)
        }
        (Body::Payload(payload), _) => deliver(call, to, kind, session, payload),
    }
}

/// Packs the arguments from index 3 on.
#[inline]
pub(super) fn packed(call: &mut Call, packing: Packing) -> Result<Body, Raise> {
    match packing {
        Packing::Native => seri::pack(call, 3).map(Body::Scratch).map_err(Raise::from_script),
        Packing::Script(position) => {
            let class = call.vm().protocols.at(position).class;
            let state = call.state();
            // SAFETY: room is reserved; `pack` may raise, nothing here has a destructor.
            unsafe {
                let count = call.top() - 2;
                call.reserve(count + 4)?;
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, class.into());
                ffi::lua_getfield(state, -1, c"pack".as_ptr());
                ffi::lua_remove(state, -2);
                for index in 3..3 + count {
                    ffi::lua_pushvalue(state, index);
                }
                ffi::lua_callk(state, count, 2, 0, None);
                let top = call.top();
                address::payload(call, top - 1).map(Body::Payload)
            }
        }
    }
}

/// Packs the arguments from index `first` on, natively.
#[inline]
pub(super) fn packed_from(call: &mut Call, first: c_int) -> Result<Payload, Raise> {
    let start = seri::pack(call, first)?;
    Ok(take_scratch(call, start))
}

/// Takes what was packed from `start` on.
fn take_scratch(call: &mut Call, start: usize) -> Payload {
    call.vm().take_packed(start)
}
