//! The arguments of the functions that make TLS sessions.
//!
//! Options are a table: `verify`, `ca`, `certfile`, `keyfile`, `ciphers`, `handshake_timeout`. What
//! is absent is as the config says.
//! Invariant: a file that the script names is one that it may read; the names in the config are the
//! node's own.

use std::ffi::{CStr, OsStr, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use mlua::ffi;

use super::super::standard::check_readable;
use crate::net::tls::{CertificateFiles, ClientOptions, Roots, ServerOptions, Session};
use crate::vm::native::{Call, Raise};

/// The fields, in the order in which they are put on the stack.
const FIELDS: [&CStr; 5] = [c"verify", c"ca", c"certfile", c"keyfile", c"ciphers"];

/// Where a field is on the stack.
#[derive(Clone, Copy)]
struct Fields(c_int);

impl Fields {
    /// Puts the fields of the table at `index`, if there is one, above the arguments.
    fn of(call: &mut Call, index: c_int) -> Result<Self, Raise> {
        let absent = call.is_none_or_nil(index);
        if !absent {
            call.check_type(index, ffi::LUA_TTABLE)?;
        }
        let state = call.state();
        // SAFETY: a native has free slots. May raise; nothing here has a destructor.
        unsafe {
            if call.top() < index {
                ffi::lua_settop(state, index);
            }
            let first = call.top() + 1;
            for name in FIELDS {
                if absent {
                    ffi::lua_pushnil(state);
                } else {
                    ffi::lua_pushstring(state, name.as_ptr());
                    ffi::lua_rawget(state, index);
                }
            }
            Ok(Self(first))
        }
    }

    const fn verify(self) -> c_int {
        self.0
    }

    const fn ca(self) -> c_int {
        self.0 + 1
    }

    const fn certificate(self) -> c_int {
        self.0 + 2
    }

    const fn key(self) -> c_int {
        self.0 + 3
    }

    /// The list of ciphers, if there is one.
    fn ciphers(self, call: &mut Call) -> Result<Option<String>, Raise> {
        if call.is_none_or_nil(self.0 + 4) {
            return Ok(None);
        }
        let list = text(call, self.0 + 4)?;
        Ok(Some(String::from_utf8_lossy(list).into_owned()))
    }
}

/// The string at `index`. A number is none: turning it into one could raise while names are held.
fn text(call: &mut Call, index: c_int) -> Result<&[u8], Raise> {
    if call.kind(index) != ffi::LUA_TSTRING {
        let found = call.type_name(index);
        return Err(call.error(format_args!("TLS: a string expected, got {found}")));
    }
    Ok(call.string(index).unwrap_or_default())
}

/// The file named at `index`, which the service may read.
fn file(call: &mut Call, index: c_int) -> Result<Option<PathBuf>, Raise> {
    if call.is_none_or_nil(index) {
        return Ok(None);
    }
    text(call, index)?;
    check_readable(call, index)?;
    Ok(call.string(index).map(|name| OsStr::from_bytes(name).into()))
}

/// The certificate and key named at two indexes. One without the other is an error.
fn certificate(
    call: &mut Call,
    certificate: c_int,
    key: c_int,
) -> Result<Option<CertificateFiles>, Raise> {
    match (file(call, certificate)?, file(call, key)?) {
        (Some(certificate), Some(key)) => Ok(Some(CertificateFiles { certificate, key })),
        (None, None) => Ok(None),
        (one, other) => {
            drop((one, other));
            Err(call.error(format_args!("a certificate and a key belong together")))
        }
    }
}

/// How long the handshake may take by the options at `index`.
pub(super) fn handshake_limit(call: &mut Call, index: c_int) -> Result<Duration, Raise> {
    let usual = call.vm().shared.tls.handshake_limit();
    if call.is_none_or_nil(index) {
        return Ok(usual);
    }
    call.check_type(index, ffi::LUA_TTABLE)?;
    let state = call.state();
    // SAFETY: a native has free slots. May raise; nothing here has a destructor.
    let (is_absent, seconds) = unsafe {
        ffi::lua_pushstring(state, c"handshake_timeout".as_ptr());
        let kind = ffi::lua_rawget(state, index);
        let mut is_number = 0;
        let seconds = ffi::lua_tonumberx(state, -1, &raw mut is_number);
        ffi::lua_pop(state, 1);
        (kind == ffi::LUA_TNIL, Some(seconds).filter(|_| is_number != 0))
    };
    match seconds.filter(|seconds| *seconds > 0.0) {
        // A time beyond the clock never comes.
        Some(seconds) => Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        None if is_absent => Ok(usual),
        None => Err(call.error(format_args!("TLS: handshake_timeout has to be seconds above 0"))),
    }
}

/// How to connect by the options at `options`.
pub(in crate::bindings) fn client_options(
    call: &mut Call,
    options: c_int,
) -> Result<ClientOptions, Raise> {
    let fields = Fields::of(call, options)?;
    let mut wanted = call.vm().shared.tls.defaults().clone();
    if !call.is_none_or_nil(fields.verify()) {
        wanted.verify = call.boolean(fields.verify());
    }
    if let Some(ca) = file(call, fields.ca())? {
        wanted.roots = Roots::File(ca);
    }
    wanted.certificate = certificate(call, fields.certificate(), fields.key())?;
    wanted.ciphers = fields.ciphers(call)?;
    Ok(wanted)
}

/// A session that connects to the host at `host`, with the options at `options`.
pub(super) fn client_session(
    call: &mut Call,
    host: c_int,
    options: c_int,
) -> Result<Result<Session, String>, Raise> {
    call.check_string(host)?;
    let wanted = client_options(call, options)?;
    let host = String::from_utf8_lossy(call.string(host).unwrap_or_default()).into_owned();
    let vm = call.vm();
    let settings = vm.shared.tls.client(&wanted, &vm.node);
    Ok(settings.and_then(|settings| Session::client(&host, &settings)))
}

/// A session of a server with the certificate at `files` and the key behind it, or else those of
/// the options at `options`, or else those of the config.
pub(super) fn server_session(
    call: &mut Call,
    files: c_int,
    options: c_int,
) -> Result<Result<Session, String>, Raise> {
    let fields = Fields::of(call, options)?;
    let named = match certificate(call, files, files + 1)? {
        None => certificate(call, fields.certificate(), fields.key())?,
        named => named,
    };
    let client_roots = file(call, fields.ca())?;
    let ciphers = fields.ciphers(call)?;
    let vm = call.vm();
    let shown = named.unwrap_or_else(|| vm.shared.tls.certificate().clone());
    let wanted = ServerOptions { certificates: vec![shown], client_roots, ciphers };
    let settings = vm.shared.tls.server(&wanted, &vm.node);
    Ok(settings.and_then(|settings| Session::server(&settings)))
}
