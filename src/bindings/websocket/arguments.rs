//! Lists of the Lua files as arguments: limits, names and values.
//!
//! Invariant: nothing here runs Lua or raises, so vectors may be alive.

use std::ffi::c_int;
use std::time::Duration;

use mlua::ffi;

use crate::vm::native::Call;
use crate::websocket::Limits;

/// Longest time that is kept: added to any time of the clock it is still one.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// The bytes at `place` of the list at stack index `index`; runs no Lua.
pub(super) fn element(call: &mut Call, index: c_int, place: i64) -> Option<Vec<u8>> {
    let state = call.state();
    // SAFETY: the list is a table; a native has free slots.
    unsafe {
        ffi::lua_rawgeti(state, index, place);
        let bytes = call.string(-1).map(<[u8]>::to_vec);
        ffi::lua_pop(state, 1);
        bytes
    }
}

/// The number at `place` of the list at stack index `index`.
fn number(call: &mut Call, index: c_int, place: i64) -> Option<f64> {
    let state = call.state();
    // SAFETY: as in `element`.
    unsafe {
        ffi::lua_rawgeti(state, index, place);
        let is_number = ffi::lua_type(state, -1) == ffi::LUA_TNUMBER;
        let number = is_number.then(|| ffi::lua_tonumber(state, -1));
        ffi::lua_pop(state, 1);
        number
    }
}

/// The truth at `place` of the list at stack index `index`, if it is said.
fn truth(call: &mut Call, index: c_int, place: i64) -> Option<bool> {
    let state = call.state();
    // SAFETY: as in `element`.
    unsafe {
        ffi::lua_rawgeti(state, index, place);
        let is_said = ffi::lua_type(state, -1) == ffi::LUA_TBOOLEAN;
        let truth = is_said.then(|| ffi::lua_toboolean(state, -1) != 0);
        ffi::lua_pop(state, 1);
        truth
    }
}

/// What the list of limits at `index` says: frame, message, write (bytes), handshake, close, ping
/// (seconds), accept_unmasked, mask_outgoing; the rest is as the config says.
pub(super) fn limits(call: &mut Call, index: c_int, is_client: bool) -> (Limits, bool) {
    let mut limits = call.vm().shared.websockets.1;
    if is_client {
        limits = limits.of_client();
    }
    if call.kind(index) != ffi::LUA_TTABLE {
        return (limits, false);
    }
    // The Lua files have checked that they are positive.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let bytes = |number: f64| number as usize;
    let time = |number: f64| Duration::try_from_secs_f64(number).unwrap_or(LONGEST).min(LONGEST);
    for (place, limit) in [(1, &mut limits.frame), (2, &mut limits.message), (3, &mut limits.write)]
    {
        *limit = number(call, index, place).map_or(*limit, bytes);
    }
    for (place, limit) in
        [(4, &mut limits.handshake), (5, &mut limits.close), (6, &mut limits.ping)]
    {
        *limit = number(call, index, place).map_or(*limit, time);
    }
    limits.accept_unmasked = truth(call, index, 7).unwrap_or(limits.accept_unmasked);
    (limits, truth(call, index, 8).unwrap_or(false))
}

/// The list of names and values at `index`, from `place` on.
pub(super) fn headers(call: &mut Call, index: c_int, mut place: i64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    if call.kind(index) != ffi::LUA_TTABLE {
        return all;
    }
    while let (Some(name), Some(value)) =
        (element(call, index, place), element(call, index, place + 1))
    {
        all.push((name, value));
        place += 2;
    }
    all
}
