//! `bson`: documents of MongoDB as userdata with their bytes, and values that Lua does not have.
//!
//! Source: reference 17. Such a value is a string of a zero byte, its kind, and what it holds.
//! Not here: the bytes (`codec/bson`).

mod decode;
mod encode;
mod object;
mod value;

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::bytes::module;
use crate::codec::bson::Kind;
use crate::natives;
use crate::vm::native::{Entry, register};

const FUNCTIONS: &[Entry] = natives![
    c"binary" => value::binary,
    c"date" => value::date,
    c"decode" => decode::decode,
    c"encode" => encode::encode,
    c"encode_order" => encode::encode_order,
    c"int64" => value::int64,
    c"objectid" => value::object_id,
    c"regex" => value::regex,
    c"timestamp" => value::timestamp,
    c"to_lightuserdata" => object::to_light,
    c"type" => value::kind,
];

/// Methods of documents.
const METHODS: &[Entry] = natives![
    c"decode" => decode::decode,
    c"makeindex" => object::make_index,
];

/// Metamethods of documents.
const META: &[Entry] = natives![
    c"__len" => object::length,
    c"__newindex" => object::replace,
    c"__tostring" => object::to_string,
];

/// Name of the metatable of documents.
const OBJECT: &CStr = c"bson";

/// Values that are no more than their kind.
const MARKS: [(&CStr, Kind); 3] =
    [(c"maxkey", Kind::MaxKey), (c"minkey", Kind::MinKey), (c"null", Kind::Null)];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected, with free slots.
    unsafe {
        if ffi::luaL_newmetatable(state, OBJECT.as_ptr()) != 0 {
            register(state, META);
            module(state, METHODS);
            ffi::lua_setfield(state, -2, c"__index".as_ptr());
        }
        ffi::lua_settop(state, -2);
        module(state, FUNCTIONS);
        for (name, kind) in MARKS {
            let mark = [0, kind.number()];
            ffi::lua_pushlstring(state, mark.as_ptr().cast(), mark.len());
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
    1
}
