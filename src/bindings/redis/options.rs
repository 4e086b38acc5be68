//! What `redis.connect` and `redis.watch` are told.
//!
//! Invariant: a file or a socket of the file system that the script names is one that it may use.
//! Everything is read from Lua before anything with a destructor is made.

use std::ffi::{CStr, OsStr, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mlua::ffi;

use super::hosts::addresses;
use crate::bindings::socket::{may_connect, owner};
use crate::bindings::standard;
use crate::bindings::tls::options::client_options;
use crate::net::Address;
use crate::net::socket::{Counted, OpenError};
use crate::net::tls::ClientSettings;
use crate::redis::find::{Found, Hosts};
use crate::redis::sentinel::{SentinelOptions, Sentinels};
use crate::redis::settings::{CONNECT_LIMIT, PORT};
use crate::redis::{Login, Place, Settings, Url};
use crate::sandbox::AddressRule;
use crate::vm::native::{Call, Lossy, Raise};

/// The fields, in the order in which they are put on the stack.
const FIELDS: [&CStr; 16] = [
    c"hosts",
    c"sentinels",
    c"master",
    c"sentinel_auth",
    c"sentinel_username",
    c"url",
    c"host",
    c"port",
    c"unix",
    c"auth",
    c"username",
    c"db",
    c"tls",
    c"connect_timeout",
    c"command_timeout",
    c"servername",
];

/// Longest time-out: what fits the clocks, in centiseconds.
const LONGEST: f64 = u32::MAX as f64;

/// Where the fields are on the stack.
#[derive(Clone, Copy)]
struct Fields(c_int);

impl Fields {
    /// Puts the fields of the table at index 1 above the arguments. May raise.
    fn of(call: &mut Call) -> Result<Self, Raise> {
        call.check_type(1, ffi::LUA_TTABLE)?;
        call.reserve(40)?;
        let state = call.state();
        let first = call.top() + 1;
        for (offset, name) in FIELDS.iter().enumerate() {
            // SAFETY: room was reserved; nothing here has a destructor.
            unsafe {
                if offset == FIELDS.len() - 1 {
                    Self(first).push_servername(call);
                } else {
                    ffi::lua_getfield(state, 1, name.as_ptr());
                }
            }
        }
        Ok(Self(first))
    }

    /// The name for which a certificate has to be, from the options of TLS.
    unsafe fn push_servername(self, call: &mut Call) {
        let tls = self.at(c"tls");
        // SAFETY: the caller has reserved room.
        unsafe {
            if call.kind(tls) == ffi::LUA_TTABLE {
                ffi::lua_getfield(call.state(), tls, c"servername".as_ptr());
            } else {
                ffi::lua_pushnil(call.state());
            }
        }
    }

    /// Where a field is.
    fn at(self, name: &CStr) -> c_int {
        let offset = FIELDS.iter().position(|field| *field == name).unwrap_or(0);
        self.0 + c_int::try_from(offset).unwrap_or(0)
    }

    /// True for a field that is neither nil nor false.
    fn is_given(self, call: &Call, name: &CStr) -> bool {
        call.boolean(self.at(name))
    }

    /// Makes sure that a field is a text, or turns a number into one.
    fn check_text(self, call: &mut Call, name: &CStr) -> Result<(), Raise> {
        let index = self.at(name);
        match call.kind(index) {
            ffi::LUA_TSTRING => {}
            ffi::LUA_TNUMBER => {
                // SAFETY: converts the number on the stack in place.
                unsafe { ffi::lua_tolstring(call.state(), index, std::ptr::null_mut()) };
            }
            _ => {
                let found = call.type_name(index);
                let name = name.to_str().unwrap_or_default();
                let text = format_args!("redis: {name} is a {found} (a string expected)");
                return Err(call.plain_error(text));
            }
        }
        Ok(())
    }

    fn text(self, call: &Call, name: &CStr) -> Option<Vec<u8>> {
        call.string(self.at(name)).map(<[u8]>::to_vec)
    }

    fn string(self, call: &Call, name: &CStr) -> String {
        String::from_utf8_lossy(call.string(self.at(name)).unwrap_or_default()).into_owned()
    }

    /// A time in centiseconds.
    fn time(self, call: &mut Call, name: &CStr) -> Result<Option<Duration>, Raise> {
        let index = self.at(name);
        if call.is_none_or_nil(index) {
            return Ok(None);
        }
        // SAFETY: reading a stack slot.
        let time = unsafe { ffi::lua_tonumber(call.state(), index) };
        if call.kind(index) == ffi::LUA_TNUMBER && time > 0.0 && time <= LONGEST {
            return Ok(Some(Duration::from_secs_f64(time / 100.0)));
        }
        let name = name.to_str().unwrap_or_default();
        let text = format_args!("redis: {name} is no time in centiseconds above 0");
        Err(call.plain_error(text))
    }
}

/// What the table at index 1 says.
pub(super) fn settings(call: &mut Call) -> Result<Settings, Raise> {
    let fields = Fields::of(call)?;
    for name in [
        c"url",
        c"host",
        c"unix",
        c"username",
        c"db",
        c"servername",
        c"master",
        c"sentinel_auth",
        c"sentinel_username",
    ] {
        if fields.is_given(call, name) {
            fields.check_text(call, name)?;
        }
    }
    let auth = check_auth(call, fields)?;
    let port = port(call, fields)?;
    let connect_limit = fields.time(call, c"connect_timeout")?;
    let command_limit = fields.time(call, c"command_timeout")?;
    check_places(call, fields)?;
    let sentinels = fields.is_given(call, c"sentinels");
    if sentinels && !fields.is_given(call, c"master") {
        return Err(call.plain_error(format_args!("redis: sentinels without the name of a master")));
    }
    if fields.is_given(call, c"username") && auth == 0 && !fields.is_given(call, c"url") {
        return Err(call.plain_error(format_args!("redis: username without auth")));
    }
    let mut url = url(call, fields)?;
    let hosts = match hosts(call, fields) {
        Ok(hosts) => hosts,
        Err(raise) => {
            drop(url);
            return Err(raise);
        }
    };
    let mut place = match &mut url {
        Some(url) => url.place.clone(),
        None if !hosts.is_empty() => Place::Found(Found(Arc::new(Hosts::new(hosts.clone())))),
        None if fields.is_given(call, c"unix") => {
            let path = call.string(fields.at(c"unix")).unwrap_or_default();
            Place::Unix(Path::new(OsStr::from_bytes(path)).to_owned())
        }
        None => {
            let host = fields.string(call, c"host");
            let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = inner.unwrap_or(&host).into();
            Place::Tcp(Address { host, port })
        }
    };
    if let Place::Unix(path) = &place
        && !may_use(call, path)
    {
        let raise = standard::refuse(call, format_args!("connect to {}", path.display()), "write");
        drop((place, url));
        return Err(raise);
    }
    let tls = match tls(call, fields, &place, url.as_ref().and_then(|url| url.tls)) {
        Ok(tls) => tls,
        Err(raise) => {
            drop((place, url));
            return Err(raise);
        }
    };
    let mut login = url.map(|url| url.login).unwrap_or_default();
    if auth > 0 {
        login.auth = (1..=auth).map(|place| auth_part(call, fields, place)).collect();
    }
    if let Some(username) = fields.text(call, c"username").filter(|_| auth == 1) {
        login.auth.insert(0, username);
    }
    if fields.is_given(call, c"db") {
        login.db = fields.text(call, c"db");
    }
    let connect_limit = connect_limit.unwrap_or(CONNECT_LIMIT);
    if sentinels {
        let mut auth: Vec<_> = fields.text(call, c"sentinel_username").into_iter().collect();
        auth.extend(fields.text(call, c"sentinel_auth"));
        let options = SentinelOptions {
            sentinel_login: Login { auth, db: None },
            login: login.clone(),
            tls: tls.clone().map(|(tls, name)| (tls, Some(name).filter(|name| !name.is_empty()))),
            limit: connect_limit,
            allows: Arc::new(may_connect(call.vm())),
        };
        let master = fields.string(call, c"master");
        place = Place::Found(Found(Arc::new(Sentinels::new(hosts, master, options))));
    }
    let vm = call.vm();
    let (reply_limit, send_limit) = vm.shared.redis_limits;
    Ok(Settings {
        place,
        login,
        tls,
        connect_limit,
        command_limit,
        reply_limit: reply_limit.min(vm.allocator().limit()),
        send_limit,
        allows: may_connect(vm),
    })
}

/// Exactly one of the fields says where the server is.
fn check_places(call: &mut Call, fields: Fields) -> Result<(), Raise> {
    let places = [c"url", c"host", c"unix", c"hosts", c"sentinels"];
    let given = places.iter().filter(|name| fields.is_given(call, name)).count();
    if given == 1 {
        return Ok(());
    }
    let expected = "one of host, unix, url, hosts and sentinels expected";
    Err(call.plain_error(format_args!("redis: {expected}, got {given} of them")))
}

/// The servers of which each will do, or the sentinels, if there are such.
fn hosts(call: &mut Call, fields: Fields) -> Result<Vec<Address>, Raise> {
    if fields.is_given(call, c"sentinels") {
        return addresses(call, fields.at(c"sentinels"), "sentinels");
    }
    addresses(call, fields.at(c"hosts"), "hosts")
}

fn url(call: &mut Call, fields: Fields) -> Result<Option<Url>, Raise> {
    if !fields.is_given(call, c"url") {
        return Ok(None);
    }
    let text = fields.string(call, c"url");
    let parsed = Url::parse(&text);
    drop(text);
    match parsed {
        Ok(url) => Ok(Some(url)),
        Err(why) => {
            let raise = call.plain_error(format_args!("redis: url: {why}"));
            drop(why);
            Err(raise)
        }
    }
}

fn port(call: &mut Call, fields: Fields) -> Result<u16, Raise> {
    let index = fields.at(c"port");
    if !call.boolean(index) {
        return Ok(PORT);
    }
    let number = call.check_integer(index)?;
    match u16::try_from(number) {
        Ok(port @ 1..) => Ok(port),
        _ => Err(call.plain_error(format_args!("redis: {number} is no port"))),
    }
}

/// The number of parts of `auth`: a password, or a list as AUTH takes it.
fn check_auth(call: &mut Call, fields: Fields) -> Result<usize, Raise> {
    let index = fields.at(c"auth");
    if !call.boolean(index) {
        return Ok(0);
    }
    if call.kind(index) != ffi::LUA_TTABLE {
        fields.check_text(call, c"auth")?;
        return Ok(1);
    }
    let count = super::arguments::list(call, index, b"auth")?;
    if (1..=2).contains(&count) {
        return Ok(count);
    }
    Err(call
        .error(format_args!("redis: auth is a list of {count} (a name and a password expected)")))
}

fn auth_part(call: &mut Call, fields: Fields, place: usize) -> Vec<u8> {
    let index = fields.at(c"auth");
    if call.kind(index) != ffi::LUA_TTABLE {
        return call.string(index).unwrap_or_default().to_vec();
    }
    // SAFETY: room was reserved with the fields; a number becomes its text on the stack.
    unsafe {
        ffi::lua_rawgeti(call.state(), index, i64::try_from(place).unwrap_or(0));
        ffi::lua_tolstring(call.state(), -1, std::ptr::null_mut());
        let part = call.string(-1).unwrap_or_default().to_vec();
        ffi::lua_pop(call.state(), 1);
        part
    }
}

/// A socket of the file system is no address: a service that may connect to all of these may use
/// it, and one that may write it.
fn may_use(call: &mut Call, path: &Path) -> bool {
    let vm = call.vm();
    let policy = Arc::clone(&vm.policy);
    policy.connect == AddressRule::Any
        || policy.write.allows(path, &vm.shared.paths.working_directory)
}

/// How the connection is secured, if it is: by the field `tls`, or by the address.
fn tls(
    call: &mut Call,
    fields: Fields,
    place: &Place,
    by_url: Option<bool>,
) -> Result<Option<(Arc<ClientSettings>, String)>, Raise> {
    let index = fields.at(c"tls");
    if !call.boolean(index) && by_url.is_none() {
        return Ok(None);
    }
    let options = if call.kind(index) == ffi::LUA_TTABLE {
        index
    } else {
        call.push_nil();
        call.top()
    };
    let mut wanted = client_options(call, options)?;
    if by_url == Some(false) {
        wanted.verify = false;
    }
    let name = match (place, fields.text(call, c"servername")) {
        (_, Some(name)) => String::from_utf8_lossy(&name).into_owned(),
        (Place::Tcp(address), None) => address.host.to_string(),
        (Place::Unix(_), None) => "localhost".to_owned(),
        // The name is that of the host that is found.
        (Place::Found(_), None) => String::new(),
    };
    let vm = call.vm();
    match vm.shared.tls.client(&wanted, &vm.node) {
        Ok(settings) => Ok(Some((settings, name))),
        Err(why) => {
            let raise = call.plain_error(format_args!("redis: TLS: {}", Lossy(why.as_bytes())));
            drop((why, name, wanted));
            Err(raise)
        }
    }
}

/// Counts a connection among the sockets of the service.
pub(super) fn count(call: &mut Call) -> Result<Counted, Raise> {
    let vm = call.vm();
    let owner = owner(vm);
    let counted = vm.shared.sockets.count(&owner);
    drop(owner);
    match counted {
        Ok(counted) => Ok(counted),
        Err(limit) => Err(call.plain_error(format_args!("redis: {}", OpenError::TooMany(limit)))),
    }
}
