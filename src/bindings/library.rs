//! The library that is built into the binary: native modules, Lua modules, system services.

use std::ffi::CStr;

use mlua::ffi;

use crate::vm::state::{Embedded, Library};

/// The one instance.
pub static BUILTIN: Builtin = Builtin;

/// See the module's text.
#[derive(Debug)]
pub struct Builtin;

// Made by build.rs from the files under lua/: `LIB` and `SERVICE`, sorted by name.
include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Native modules by name.
const NATIVE: &[(&str, ffi::lua_CFunction)] = &[
    ("lpeg", super::lpeg::open),
    ("bson", super::bson::open),
    ("md5", super::md5::open),
    ("md5.core", super::md5::open_core),
    ("bridge.core", super::bridge::open),
    ("skynet", super::skynet::open),
    ("skynet.cluster.network", super::cluster::open),
    ("skynet.codecache", super::codecache::open),
    ("skynet.core", super::core::open),
    ("skynet.coroutine", super::skynet_coroutine::open),
    ("skynet.crypt", super::crypt::open),
    ("skynet.debugchannel", super::debugchannel::open),
    ("skynet.http.codec", super::http::open),
    ("skynet.internal", super::internal::open),
    ("skynet.memory", super::memory::open),
    ("skynet.multicast.core", super::multicast::open),
    ("skynet.netpack", super::netpack::open),
    ("skynet.profile", super::profile::open),
    ("skynet.redis.cluster", super::redis::cluster::open),
    ("skynet.datasheet.core", super::shared::sheet::open),
    ("skynet.shared", super::shared::open),
    ("skynet.sharedata.core", super::shared::core::open),
    ("skynet.stm", super::shared::stm::open),
    ("skynet.socket.tls", super::tls::open),
    ("skynet.tls.memory", super::tls::memory::open),
    ("skynet.redis.client", super::redis::open),
    ("skynet.require", super::require::open),
    ("skynet.socket", super::socket::open),
    ("skynet.socketdriver", super::socket::driver::open),
    ("skynet.sproto", super::sproto::open_internal),
    ("skynet.websocket", super::websocket::open),
    ("sproto.core", super::sproto::open),
];

/// Standard libraries by name; the others are opened late (`standard/late.rs`).
const STANDARD: [(&CStr, ffi::lua_CFunction); 5] = [
    (c"_G", ffi::luaopen_base),
    (c"package", ffi::luaopen_package),
    (c"coroutine", ffi::luaopen_coroutine),
    (c"table", ffi::luaopen_table),
    (c"string", ffi::luaopen_string),
];

impl Library for Builtin {
    unsafe fn install(&self, state: *mut ffi::lua_State) {
        // SAFETY: the caller's promise: a fresh main state, protected.
        unsafe {
            for (name, open) in STANDARD {
                ffi::luaL_requiref(state, name.as_ptr(), open, 1);
                ffi::lua_settop(state, 0);
            }
            super::coroutine::install(state);
            super::package::install(state);
            super::require::install(state);
            super::standard::install(state);
            super::shared::raw::install(state);
        }
    }

    fn native(&self, module: &[u8]) -> Option<ffi::lua_CFunction> {
        NATIVE.iter().find(|(name, _)| name.as_bytes() == module).map(|(_, open)| *open)
    }

    fn module(&self, module: &[u8]) -> Option<Embedded> {
        find(LIB, module)
    }

    fn service(&self, name: &[u8]) -> Option<Embedded> {
        find(SERVICE, name)
    }
}

fn find(files: &[(&str, Embedded)], name: &[u8]) -> Option<Embedded> {
    let index = files.binary_search_by(|(other, _)| other.as_bytes().cmp(name)).ok()?;
    Some(files[index].1)
}
