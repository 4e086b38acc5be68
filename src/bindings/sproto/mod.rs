//! `sproto.core`: structures of a schema to bytes and back; and `skynet.sproto`, what `sproto` and
//! `sprotoparser` need besides.
//!
//! Source: reference 17. Handles are light userdata that mean something on this node alone.
//! Not here: the bytes (`codec/sproto`), who keeps a schema (`vm/schemas.rs`).

mod decode;
mod encode;
mod handle;
mod schema;

use std::convert::Infallible;
use std::ffi::c_int;

use mlua::ffi;

use super::bytes::{argument, module, produce};
use super::skynet::address;
use crate::codec::sproto::{self, pack};
use crate::natives;
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise};

const FUNCTIONS: &[Entry] = natives![
    c"decode" => decode::decode,
    c"default" => schema::default,
    c"deleteproto" => schema::delete,
    c"dumpproto" => schema::dump,
    c"encode" => encode::encode,
    c"loadproto" => schema::load,
    c"newproto" => schema::new,
    c"pack" => pack_zeros,
    c"protocol" => schema::protocol,
    c"querytype" => schema::query_type,
    c"saveproto" => schema::save,
    c"unpack" => unpack_zeros,
];

/// Functions of `skynet.sproto`, which is not for scripts.
const INTERNAL: &[Entry] = natives![
    c"compile" => compile,
    c"decode_from" => decode::decode_from,
    c"frame" => encode::frame,
];

/// Opens `sproto.core`.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe { module(state, FUNCTIONS) }
}

/// Opens `skynet.sproto`.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open_internal(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe { module(state, INTERNAL) }
}

/// The bytes at `index`: a string, or a pointer with its size behind it. They are good until Lua
/// runs.
#[inline]
fn input<'a>(call: &mut Call, index: c_int) -> Result<&'a [u8], Raise> {
    let bytes = match call.peek(index) {
        Peek::String(bytes) => bytes,
        _ if matches!(call.kind(index), ffi::LUA_TUSERDATA | ffi::LUA_TLIGHTUSERDATA) => {
            address::view(call, index)?
        }
        _ => return Err(call.argument(index, format_args!("Need a string or userdata"))),
    };
    // SAFETY: the string is on the stack; what a pointer leads to stays while no Lua runs.
    Ok(unsafe { &*bytes })
}

/// `pack(bytes | pointer, size)`.
fn pack_zeros(call: &mut Call) -> NativeResult {
    let bytes = input(call, 1)?;
    produce(call, |out| {
        pack::pack(out, bytes);
        Ok::<_, Infallible>(())
    })
}

/// `unpack(bytes | pointer, size)`.
fn unpack_zeros(call: &mut Call) -> NativeResult {
    let bytes = input(call, 1)?;
    produce(call, |out| pack::unpack(out, bytes))
}

/// `compile(text, name)`: a bundle; or nil and what is wrong with the text.
fn compile(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    let name = argument(call, 2)?;
    let compiled = sproto::compile(text, &String::from_utf8_lossy(name));
    let failed = compiled.is_err();
    let scratch = &mut call.vm().scratch;
    let start = scratch.len();
    match compiled {
        Ok(bundle) => scratch.extend_from_slice(&bundle),
        Err(failure) => scratch.extend_from_slice(failure.0.as_bytes()),
    }
    if failed {
        call.push_nil();
    }
    super::bytes::push_written(call, start);
    Ok(Outcome::Values(1 + c_int::from(failed)))
}
