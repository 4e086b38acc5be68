//! `md5` and `md5.core`: the digest, and the cipher made of it.
//!
//! Source: reference 17.
//! Not here: the algorithms (`codec/md5`).

use std::convert::Infallible;
use std::ffi::c_int;
use std::time::{SystemTime, UNIX_EPOCH};

use mlua::ffi;

use super::bytes::{answer, argument, fail, module, produce};
use crate::codec::crypt::hex;
use crate::codec::md5::cipher::{self, Refusal};
use crate::codec::md5::{hmac, sum as digest};
use crate::natives;
use crate::vm::native::{Call, Entry, NativeResult, Raise};

/// Functions of `md5`.
const FUNCTIONS: &[Entry] = natives![
    c"crypt" => crypt,
    c"decrypt" => decrypt,
    c"exor" => exor,
    c"hmacmd5" => hmac_hex,
    c"sum" => sum,
    c"sumhexa" => sum_hex,
];

/// Functions of `md5.core`.
const CORE: &[Entry] = natives![
    c"crypt" => crypt,
    c"decrypt" => decrypt,
    c"exor" => exor,
    c"sum" => sum,
];

/// Opens `md5`.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe { module(state, FUNCTIONS) }
}

/// Opens `md5.core`.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open_core(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe { module(state, CORE) }
}

/// `sum(text)`: sixteen bytes.
fn sum(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    answer(call, &digest(text))
}

/// `sumhexa(text)`: the same as digits.
fn sum_hex(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    answer_digits(call, digest(text))
}

/// `hmacmd5(text, key)`: as digits.
fn hmac_hex(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    let key = argument(call, 2)?;
    answer_digits(call, hmac(key, text))
}

fn answer_digits(call: &mut Call, digest: [u8; 16]) -> NativeResult {
    produce(call, |out| {
        hex::encode(out, &digest);
        Ok::<_, Infallible>(())
    })
}

/// `exor(one, other)`: of two strings of one length.
fn exor(call: &mut Call) -> NativeResult {
    let one = argument(call, 1)?;
    let other = argument(call, 2)?;
    if one.len() != other.len() {
        return Err(call.argument(2, format_args!("lengths must be equal")));
    }
    produce(call, |out| {
        out.extend(one.iter().zip(other).map(|(byte, other)| byte ^ other));
        Ok::<_, Infallible>(())
    })
}

/// `crypt(text, key [, seed])`: without a seed the time is one.
fn crypt(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    let key = argument(call, 2)?;
    if call.kind(3) == ffi::LUA_TNONE {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        return produce(call, |out| cipher::encrypt(out, text, key, &now.to_le_bytes()));
    }
    let seed = argument(call, 3)?;
    produce(call, |out| cipher::encrypt(out, text, key, seed))
}

/// `decrypt(text, key)`.
fn decrypt(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    let key = argument(call, 2)?;
    let scratch = &mut call.vm().scratch;
    let start = scratch.len();
    match cipher::decrypt(scratch, text, key) {
        Ok(()) => {
            super::bytes::push_written(call, start);
            Ok(crate::vm::native::Outcome::Values(1))
        }
        Err(refusal) => {
            scratch.truncate(start);
            Err(refuse(call, refusal))
        }
    }
}

fn refuse(call: &mut Call, refusal: Refusal) -> Raise {
    match refusal {
        Refusal::Text => call.argument(1, format_args!("{refusal}")),
        Refusal::Key | Refusal::Seed => fail(call, format_args!("{refusal}")),
    }
}
