//! `skynet.crypt`: what logins and clients of skynet encrypt and hash with.
//!
//! Source: reference 8.5.
//! Not here: the algorithms (`codec/crypt`).

use std::convert::Infallible;
use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::bytes::{answer, argument, fail, integer_or, module, produce};
use crate::codec::crypt::des::{Key, Padding};
use crate::codec::crypt::{base64, exchange, hash, hex, xor};
use crate::natives;
use crate::vm::native::{Call, Entry, NativeResult, Raise};

const FUNCTIONS: &[Entry] = natives![
    c"base64decode" => base64_decode,
    c"base64encode" => base64_encode,
    c"desdecode" => des_decode,
    c"desencode" => des_encode,
    c"dhexchange" => dh_exchange,
    c"dhsecret" => dh_secret,
    c"hashkey" => hash_key,
    c"hexdecode" => hex_decode,
    c"hexencode" => hex_encode,
    c"hmac64" => hmac64,
    c"hmac64_md5" => hmac64_md5,
    c"hmac_hash" => hmac_hash,
    c"hmac_sha1" => hmac_sha1,
    c"randomkey" => random_key,
    c"sha1" => sha1,
    c"xor_str" => xor_str,
];

/// Paddings of DES by the names and numbers that scripts give them.
const PADDINGS: [(&CStr, Padding); 2] =
    [(c"iso7816_4", Padding::Iso7816), (c"pkcs7", Padding::Pkcs7)];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected, with free slots.
    unsafe {
        module(state, FUNCTIONS);
        ffi::lua_createtable(state, 0, c_int::try_from(PADDINGS.len()).unwrap_or(0));
        for (number, (name, _)) in (0..).zip(PADDINGS) {
            ffi::lua_pushinteger(state, number);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_setfield(state, -2, c"padding".as_ptr());
    }
    1
}

/// The eight bytes at `index`, called `name` in the error.
fn eight(call: &mut Call, index: c_int, name: &str) -> Result<[u8; 8], Raise> {
    let bytes = argument(call, index)?;
    bytes.try_into().map_err(|_| fail(call, format_args!("Invalid {name}")))
}

fn des_key(call: &mut Call) -> Result<Key, Raise> {
    let bytes = argument(call, 1)?;
    match bytes.try_into() {
        Ok(bytes) => Ok(Key::new(bytes)),
        Err(_) => {
            let length = bytes.len();
            Err(fail(call, format_args!("Invalid key size {length}, need 8 bytes")))
        }
    }
}

fn padding(call: &mut Call) -> Result<Padding, Raise> {
    let mode = integer_or(call, 3, 0)?;
    match usize::try_from(mode).ok().and_then(|mode| PADDINGS.get(mode)) {
        Some((_, padding)) => Ok(*padding),
        None => Err(fail(call, format_args!("Invalid padding mode {mode}"))),
    }
}

/// `desencode(key, text [, padding])`.
fn des_encode(call: &mut Call) -> NativeResult {
    let key = des_key(call)?;
    let text = argument(call, 2)?;
    let padding = padding(call)?;
    produce(call, |out| {
        key.encrypt(out, text, padding);
        Ok::<_, Infallible>(())
    })
}

/// `desdecode(key, text [, padding])`.
fn des_decode(call: &mut Call) -> NativeResult {
    let key = des_key(call)?;
    let text = argument(call, 2)?;
    let padding = padding(call)?;
    produce(call, |out| key.decrypt(out, text, padding))
}

/// `base64encode(bytes)`.
fn base64_encode(call: &mut Call) -> NativeResult {
    let bytes = argument(call, 1)?;
    produce(call, |out| {
        base64::encode(out, bytes);
        Ok::<_, Infallible>(())
    })
}

/// `base64decode(text)`.
fn base64_decode(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    produce(call, |out| base64::decode(out, text))
}

/// `hexencode(bytes)`.
fn hex_encode(call: &mut Call) -> NativeResult {
    let bytes = argument(call, 1)?;
    produce(call, |out| {
        hex::encode(out, bytes);
        Ok::<_, Infallible>(())
    })
}

/// `hexdecode(text)`.
fn hex_decode(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    produce(call, |out| hex::decode(out, text))
}

/// `xor_str(text, key)`.
fn xor_str(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    let key = argument(call, 2)?;
    if key.is_empty() {
        return Err(fail(call, format_args!("Can't xor empty string")));
    }
    produce(call, |out| {
        xor(out, text, key);
        Ok::<_, Infallible>(())
    })
}

/// `randomkey()`: eight bytes that nobody can guess and that are not all zero.
fn random_key(call: &mut Call) -> NativeResult {
    match call.vm().shared.identifiers.random_key() {
        Some(key) => answer(call, &key),
        None => Err(fail(call, format_args!("randomkey: the system gives no random bytes"))),
    }
}

/// `hashkey(text)`.
fn hash_key(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    answer(call, &hash::key_of(text))
}

/// `hmac64(challenge, secret)`.
fn hmac64(call: &mut Call) -> NativeResult {
    let challenge = eight(call, 1, "uint64 x")?;
    let secret = eight(call, 2, "uint64 y")?;
    answer(call, &hash::hmac64(challenge, secret))
}

/// `hmac64_md5(challenge, secret)`.
fn hmac64_md5(call: &mut Call) -> NativeResult {
    let challenge = eight(call, 1, "uint64 x")?;
    let secret = eight(call, 2, "uint64 y")?;
    answer(call, &hash::hmac64_md5(challenge, secret))
}

/// `hmac_hash(secret, text)`.
fn hmac_hash(call: &mut Call) -> NativeResult {
    let secret = eight(call, 1, "uint64 key")?;
    let text = argument(call, 2)?;
    answer(call, &hash::hmac64(hash::key_of(text), secret))
}

/// `sha1(text)`.
fn sha1(call: &mut Call) -> NativeResult {
    let text = argument(call, 1)?;
    answer(call, &hash::sha1(text))
}

/// `hmac_sha1(key, text)`.
fn hmac_sha1(call: &mut Call) -> NativeResult {
    let key = argument(call, 1)?;
    let text = argument(call, 2)?;
    answer(call, &hash::hmac_sha1(key, text))
}

/// `dhexchange(secret)`: what to send.
fn dh_exchange(call: &mut Call) -> NativeResult {
    let secret = eight(call, 1, "dh uint64 key")?;
    answer_power(call, exchange::public(u64::from_le_bytes(secret)))
}

/// `dhsecret(message, secret)`: what both sides have in common.
fn dh_secret(call: &mut Call) -> NativeResult {
    let message = eight(call, 1, "uint64 x")?;
    let secret = eight(call, 2, "uint64 y")?;
    answer_power(call, exchange::shared(u64::from_le_bytes(message), u64::from_le_bytes(secret)))
}

fn answer_power(call: &mut Call, power: Option<u64>) -> NativeResult {
    match power {
        Some(power) => answer(call, &power.to_le_bytes()),
        None => Err(fail(call, format_args!("Can't be 0"))),
    }
}
