//! `skynet.redis.cluster`: clusters for `skynet.db.redis.cluster`. Not for scripts.
//!
//! Invariant: a cluster lives in a userdata of Lua and in the calls that are under way, and each of
//! these is answered by its task.
//! Not here: the cluster itself (`redis/cluster`), replies as Lua values (`decode.rs`).

use std::ffi::{CStr, OsStr, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mlua::ffi;

use super::decode::{self, Origin};
use crate::bindings::skynet::thread;
use crate::bindings::standard::check_readable;
use crate::net::tls::{CertificateFiles, Roots};
use crate::redis::answer;
use crate::redis::cluster::{Allows, Cluster, Command, Options, ReadFrom, Tls, slot};
use crate::vm::Wake;
use crate::vm::native::{
    Call, Entry, Lossy, NOTHING, NativeResult, Outcome, Raise, Resumed, register as add,
};
use crate::vm::thread::Waiting;
use crate::{continuation, native, natives};

const FUNCTIONS: &[Entry] = natives![
    c"call" => run,
    c"close" => close,
    c"crc16" => crc16,
    c"keyslot" => keyslot,
    c"new" => new,
];

/// Name of the metatable of clusters.
const CLUSTER: &CStr = c"skynet.redis.cluster";

/// What Lua counts for a cluster, which is about what its connections take.
const SIZE: usize = 64 << 10;

/// Time for a connection to come up if the script says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Longest time limit: added to any time of the clock it is still one.
const LONGEST: f64 = 4e9;

/// What is in the userdata.
type Slot = Option<Arc<Cluster>>;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(in crate::bindings) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        if ffi::luaL_newmetatable(state, CLUSTER.as_ptr()) != 0 {
            ffi::lua_pushcfunction(state, native!(collect));
            ffi::lua_setfield(state, -2, c"__gc".as_ptr());
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_settop(state, -2);
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        add(state, FUNCTIONS);
    }
    1
}

/// The slot at index 1.
fn slot<'a>(call: &mut Call) -> Option<&'a mut Slot> {
    // SAFETY: may raise for lack of memory, nothing here has a destructor. The metatable is that of
    // slots alone, which were written when they were made; the userdata stays at its index, and
    // nobody else uses it while a native runs.
    unsafe { ffi::luaL_testudata(call.state(), 1, CLUSTER.as_ptr()).cast::<Slot>().as_mut() }
}

/// The cluster at index 1.
fn cluster<'a>(call: &mut Call) -> Result<&'a Arc<Cluster>, Raise> {
    match slot(call) {
        Some(Some(cluster)) => Ok(cluster),
        _ => Err(call.error(format_args!("a redis cluster expected, got no such thing"))),
    }
}

/// Puts element `place` of the table at `index` on the stack; runs no Lua.
fn push_element(call: &mut Call, index: c_int, place: i64) {
    // SAFETY: the index is a table's; a native has free slots.
    unsafe { ffi::lua_rawgeti(call.state(), index, place) };
}

fn pop(call: &mut Call) {
    // SAFETY: an element is on top.
    unsafe { ffi::lua_settop(call.state(), -2) };
}

fn text(call: &mut Call, index: c_int, place: i64) -> Option<String> {
    push_element(call, index, place);
    let text = call.string(-1).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    pop(call);
    text
}

fn integer(call: &mut Call, index: c_int, place: i64) -> Option<i64> {
    push_element(call, index, place);
    let value = call.integer(-1);
    pop(call);
    value
}

fn seconds(call: &mut Call, index: c_int, place: i64) -> Option<Duration> {
    push_element(call, index, place);
    // SAFETY: reading a stack slot, without conversion.
    let value = unsafe {
        let is_number = ffi::lua_type(call.state(), -1) == ffi::LUA_TNUMBER;
        is_number.then(|| ffi::lua_tonumber(call.state(), -1))
    };
    pop(call);
    // The Lua files have checked that it is positive.
    value.and_then(|value| Duration::try_from_secs_f64(value.min(LONGEST)).ok())
}

/// The file named at `index`, which the service may read.
fn file(call: &mut Call, index: c_int) -> Result<Option<PathBuf>, Raise> {
    if call.kind(index) != ffi::LUA_TSTRING {
        return Ok(None);
    }
    check_readable(call, index)?;
    Ok(call.string(index).map(|name| OsStr::from_bytes(name).into()))
}

/// `new(servers, options, ca, certfile, keyfile)`: a cluster. `servers`: hosts and ports by turns.
/// `options`: password, user, database, reads (0: of masters, 1: of replicas in need, 2: of
/// replicas), seconds to connect, seconds for a command, TLS (false, or whether to judge, or true for
/// what the config says).
fn new(call: &mut Call) -> NativeResult {
    // SAFETY: fills up the arguments.
    unsafe { ffi::lua_settop(call.state(), 5) };
    call.check_type(1, ffi::LUA_TTABLE)?;
    call.check_type(2, ffi::LUA_TTABLE)?;
    // SAFETY: a native has free slots; may raise, nothing here has a destructor. The block is large
    // enough and aligned as for any type, and filled before the collector can see it with its
    // metatable.
    let place = unsafe {
        let place = ffi::lua_newuserdata(call.state(), SIZE).cast::<Slot>();
        place.write(None);
        ffi::luaL_setmetatable(call.state(), CLUSTER.as_ptr());
        place
    };
    let (ca, certificate, key) = (file(call, 3)?, file(call, 4)?, file(call, 5)?);
    let options = options(call, (ca, certificate, key));
    match options.and_then(Cluster::new) {
        Ok(made) => {
            // SAFETY: the userdata is on the stack, and nobody else knows it yet.
            unsafe { *place = Some(Arc::new(made)) };
            Ok(Outcome::Values(1))
        }
        Err(why) => {
            let raise = call.plain_error(format_args!("{why}"));
            drop(why);
            Err(raise)
        }
    }
}

/// Reads the tables; raises nothing, so that vectors may be alive.
fn options(
    call: &mut Call,
    (ca, certificate, key): (Option<PathBuf>, Option<PathBuf>, Option<PathBuf>),
) -> Result<Options, String> {
    let mut servers = Vec::new();
    for place in (1..).step_by(2) {
        let Some(host) = text(call, 1, place) else { break };
        let port = integer(call, 1, place + 1).and_then(|port| u16::try_from(port).ok());
        servers.push((host.clone(), port.ok_or_else(|| format!("redis cluster: bad port of {host}"))?));
    }
    let policy = Arc::clone(&call.vm().policy);
    let allows: Allows = Arc::new(move |address| policy.connect.allows(address));
    let tls = match integer(call, 2, 7) {
        None | Some(0) => None,
        Some(judge) => {
            let mut wanted = call.vm().shared.tls.defaults().clone();
            match judge {
                2 => wanted.verify = true,
                3 => wanted.verify = false,
                _ => {}
            }
            if let Some(ca) = ca {
                wanted.roots = Roots::File(ca);
            }
            wanted.certificate = match (certificate, key) {
                (Some(certificate), Some(key)) => Some(CertificateFiles { certificate, key }),
                (None, None) => None,
                _ => return Err("a certificate and a key belong together".to_owned()),
            };
            Some(Tls::read(&wanted)?)
        }
    };
    Ok(Options {
        servers,
        password: text(call, 2, 1),
        username: text(call, 2, 2),
        database: integer(call, 2, 3).unwrap_or(0),
        read_from: match integer(call, 2, 4) {
            Some(1) => ReadFrom::MasterFirst,
            Some(2) => ReadFrom::Replica,
            _ => ReadFrom::Master,
        },
        connect_limit: seconds(call, 2, 5).unwrap_or(CONNECT_LIMIT),
        command_limit: seconds(call, 2, 6),
        tls,
        allows,
    })
}

/// Makes the arguments from index 2 on strings; the index of the last. Nils at the end do not count.
fn stringify(call: &mut Call) -> Result<c_int, Raise> {
    let state = call.state();
    let mut last = call.top();
    while last > 2 && call.is_none_or_nil(last) {
        last -= 1;
    }
    for index in 3..=last {
        match call.kind(index) {
            ffi::LUA_TSTRING => {}
            ffi::LUA_TNIL => {
                let name: *const [u8] = call.string(2).unwrap_or_default();
                // SAFETY: the name stays on the stack.
                let name = Lossy(unsafe { &*name });
                let text = format_args!("redis: argument #{} of {name} is nil", index - 2);
                return Err(call.error(text));
            }
            // SAFETY: a native has free slots. May run a `__tostring` and raise; nothing here has
            // a destructor.
            _ => unsafe {
                ffi::luaL_tolstring(state, index, std::ptr::null_mut());
                ffi::lua_replace(state, index);
            },
        }
    }
    Ok(last)
}

/// `call(cluster, command, ...)`: runs a command; its reply. **Yields.**
fn run(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    cluster(call)?;
    call.check_string(2)?;
    let last = stringify(call)?;
    let cluster = Arc::clone(cluster(call)?);
    let arguments = (2..=last).map(|index| call.string(index).unwrap_or_default().to_vec());
    let command = match Command::new(arguments.collect()) {
        Ok(command) => command,
        Err(why) => {
            drop(cluster);
            let raise = call.error(format_args!("{why}"));
            drop(why);
            return Err(raise);
        }
    };
    let vm = call.vm();
    let session = vm.sessions.allocate();
    let (node, service, io) = (Arc::clone(&vm.node), vm.handle(), Arc::clone(&vm.shared.io));
    let task = async move {
        let outcome = cluster.run(&command).await;
        answer::answer(&node, service, session, outcome);
    };
    if let Err(error) = io.spawn(task) {
        drop(io);
        let raise = call.error(format_args!("redis cluster: the I/O cannot start ({error})"));
        drop(error);
        return Err(raise);
    }
    drop(io);
    // The cluster and the name of the command stay for the texts of errors.
    thread::suspend(call, Waiting::Call { session, peer: None }, 2, continuation!(answered), 0)
}

fn answered(call: &mut Call, _resumed: Resumed) -> NativeResult {
    if call.vm().wake != Wake::Answer {
        return Err(call.error(format_args!("call failed")));
    }
    let server: *const str = cluster(call)?.name();
    let command: *const [u8] = call.string(2).unwrap_or_default();
    let origin = Origin { server: Some(server), command: Some(command) };
    let payload = call.vm().message.bytes;
    let replies = decode::replies(call, payload, origin)?;
    // SAFETY: the bytes belong to the message being handled.
    decode::value(call, unsafe { &*replies }, origin)
}

/// `close(cluster)`: closes its connections; the next call opens new ones.
fn close(call: &mut Call) -> NativeResult {
    cluster(call)?.close();
    NOTHING
}

/// What the collector calls.
fn collect(call: &mut Call) -> NativeResult {
    if let Some(slot) = slot(call) {
        drop(slot.take());
    }
    NOTHING
}

/// `keyslot(key)`: the slot of a key.
fn keyslot(call: &mut Call) -> NativeResult {
    let found = slot::slot_of(call.check_string(1)?);
    call.answer_integer(found.into())
}

/// `crc16(text)`.
fn crc16(call: &mut Call) -> NativeResult {
    let sum = slot::crc16(call.check_string(1)?);
    call.answer_integer(sum.into())
}
