//! `skynet.cluster.network`: the cluster of this node, for `skynet.cluster` and `clusterd`. Not for
//! scripts.
//!
//! Invariant: a call is one message to the link of its peer, whose answer comes from there.
//! Not here: the wire (`codec/cluster`), connections (`cluster/`), the names of other nodes in a
//! file (`lua/service/clusterd.lua`).

use std::borrow::Cow;
use std::ffi::c_int;
use std::sync::Arc;

use mlua::ffi;

use super::skynet::{message, thread, tracing};
use crate::cluster::request::{self, BadName};
use crate::cluster::{Target, UNREACHABLE};
use crate::codec::cluster::Address;
use crate::codec::seri as bytes;
use crate::kernel::{Handle, Kind, Message, Payload, Session};
use crate::net;
use crate::vm::native::{
    Call, Entry, Lossy, NOTHING, NativeResult, Outcome, Raise, Resumed, register as add,
};
use crate::vm::thread::Waiting;
use crate::vm::{Wake, seri};
use crate::{continuation, natives};

const FUNCTIONS: &[Entry] = natives![
    c"call" => call_remote,
    c"listen" => listen,
    c"nodename" => own_name,
    c"proxy" => proxy,
    c"query" => query,
    c"register" => register,
    c"registered" => registered,
    c"send" => send_remote,
    c"sender" => sender,
    c"senders" => senders,
    c"set_finder" => set_finder,
    c"set_node" => set_node,
    c"set_nowaiting" => set_nowaiting,
    c"unregister" => unregister,
];

/// `nodename()`: what tells this node from others in traces.
fn own_name(call: &mut Call) -> NativeResult {
    let shared = Arc::clone(&call.vm().shared);
    let kept = call.vm().error_text.keep(&shared.cluster.settings().node_name);
    drop(shared);
    // SAFETY: the buffer belongs to the VM and is not touched by the push.
    unsafe { call.push_bytes(&*kept) };
    Ok(Outcome::Values(1))
}

/// Connections of peers that a listening socket takes when its opener says nothing, as skynet's.
const DEFAULT_PEERS: usize = 1024;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        add(state, FUNCTIONS);
    }
    1
}

/// Makes sure that `index` names a node.
fn check_node(call: &mut Call, index: c_int) -> Result<(), Raise> {
    if call.kind(index) == ffi::LUA_TSTRING {
        return Ok(());
    }
    let found = call.type_name(index);
    Err(call.argument(index, format_args!("name of a node expected, got {found}")))
}

/// The name of a node at `index`, borrowed from the stack unless it is not UTF-8. It must be gone
/// before Lua runs again.
fn node_name<'a>(call: &mut Call, index: c_int) -> Result<Cow<'a, str>, Raise> {
    check_node(call, index)?;
    let name: *const [u8] = call.string(index).unwrap_or_default();
    // SAFETY: the argument stays on the stack for as long as the native runs.
    Ok(String::from_utf8_lossy(unsafe { &*name }))
}

/// The address of a service of another node at `index`, borrowed from the stack.
fn remote_address<'a>(call: &mut Call, index: c_int) -> Result<Address<'a>, Raise> {
    match call.kind(index) {
        ffi::LUA_TNUMBER => {
            let number = call.check_integer(index)?;
            // skynet sends the low half of a larger number; nobody means that.
            match u32::try_from(number) {
                Ok(number) => Ok(Address::Handle(number)),
                Err(_) => Err(call.argument(index, format_args!("{number} is no address"))),
            }
        }
        ffi::LUA_TSTRING => {
            let name: *const [u8] = call.string(index).unwrap_or_default();
            // SAFETY: the argument stays on the stack for as long as the native runs.
            Ok(Address::Name(unsafe { &*name }))
        }
        _ => {
            let found = call.type_name(index);
            Err(call.error(format_args!("name is not a string, it's a {found}")))
        }
    }
}

/// Packs the address at index 2 and the arguments from `first` on into a request.
fn packed_request(call: &mut Call, to: Address<'_>, first: c_int) -> Result<Payload, Raise> {
    let vm = call.vm();
    let start = vm.scratch.len();
    // The tag and the buffer both belong to the VM.
    let mut scratch = std::mem::take(&mut vm.scratch);
    let tag = if vm.trace.is_idle() { None } else { vm.current_tag() };
    let written = request::write_head(&mut scratch, to, tag.unwrap_or_default());
    vm.scratch = scratch;
    if let Err(BadName(length)) = written {
        let text = format_args!("name of {length} bytes (1 to 255 are possible)");
        return Err(call.error(text));
    }
    match seri::pack(call, first) {
        Ok(_) => {}
        Err(raise) => {
            call.vm().scratch.truncate(start);
            return Err(raise.from_script());
        }
    }
    Ok(call.vm().take_packed(start))
}

/// Gives a request to the link of the node at index 1.
fn post(call: &mut Call, session: Session, payload: Payload) -> Result<Handle, Raise> {
    let node = node_name(call, 1)?;
    let vm = call.vm();
    match vm.shared.cluster.link(&vm.node, &node) {
        Err(error) => {
            drop((node, payload));
            Err(call.error(format_args!("{error}")))
        }
        Ok(link) if vm.node.is_full(&link) => {
            let raise = call.error(format_args!("mailbox of cluster node [{node}] is full"));
            drop((node, payload, link));
            Err(raise)
        }
        Ok(link) => {
            let source = Some(vm.handle());
            let message = Message { source, session, kind: Kind::HARBOR, payload };
            let _ = vm.node.send(&link, message);
            Ok(link.handle)
        }
    }
}

fn trace_event(call: &mut Call) {
    if !call.vm().trace.is_idle() {
        let node: *const [u8] = call.string(1).unwrap_or_default();
        // SAFETY: the name stays on the stack.
        let event = format!("cluster {}", Lossy(unsafe { &*node }));
        tracing::log_event(call, &event, true);
    }
}

/// `call(node, address, ...)`: calls a service of another node. **Yields.**
fn call_remote(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    request_remote(call, 2, 3)
}

/// `query(node, name)`: the address behind a name registered there. **Yields.**
fn query(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    request_remote(call, 0, 2)
}

/// Calls the address at stack index `to`, or the other node itself when that is zero.
fn request_remote(call: &mut Call, to: c_int, first: c_int) -> NativeResult {
    check_node(call, 1)?;
    let to = if to == 0 { Address::Handle(0) } else { remote_address(call, to)? };
    trace_event(call);
    let payload = packed_request(call, to, first)?;
    let session = call.vm().sessions.allocate();
    let peer = Some(post(call, session, payload)?);
    thread::suspend(call, Waiting::Call { session, peer }, 0, continuation!(answer), 0)
}

fn answer(call: &mut Call, resumed: Resumed) -> NativeResult {
    if call.vm().wake == Wake::Failed {
        let message = call.vm().message;
        // SAFETY: the bytes live as long as the message, which is being handled.
        if message.kind == Kind::ERROR && unsafe { &*message.bytes } == UNREACHABLE {
            // skynet has no sender then, and these are its words for a nil address.
            let text = format_args!("dest address type (nil) must be a string or number.");
            return Err(call.error(text));
        }
    }
    message::answer(call, resumed)
}

/// `send(node, address, ...)`: sends without waiting.
fn send_remote(call: &mut Call) -> NativeResult {
    check_node(call, 1)?;
    let to = remote_address(call, 2)?;
    trace_event(call);
    let payload = packed_request(call, to, 3)?;
    post(call, Session::NONE, payload)?;
    NOTHING
}

/// `sender(node)`: the address of the service that carries requests to a node.
fn sender(call: &mut Call) -> NativeResult {
    let node = node_name(call, 1)?;
    let vm = call.vm();
    let link = vm.shared.cluster.link(&vm.node, &node).map(|link| link.handle);
    drop(node);
    match link {
        Ok(handle) => call.answer_integer(handle.number().into()),
        Err(error) => Err(call.error(format_args!("{error}"))),
    }
}

/// `senders()`: those services, by node.
fn senders(call: &mut Call) -> NativeResult {
    let links = call.vm().shared.cluster.links();
    let mut packed = Vec::new();
    bytes::put_table(&mut packed, 0);
    for (node, handle) in links {
        let _ = bytes::put_string(&mut packed, node.as_bytes());
        bytes::put_integer(&mut packed, handle.number().into());
    }
    bytes::put_nil(&mut packed);
    // The VM keeps the bytes while they are unpacked.
    call.vm().scratch = packed;
    let all: *const [u8] = call.vm().scratch.as_slice();
    // SAFETY: unpacking runs no script and leaves the buffer alone.
    let count = unsafe { seri::unpack(call, &*all)? };
    call.vm().scratch.clear();
    Ok(Outcome::Values(count))
}

/// `proxy(node, address)`: the local service that stands for an address of another node.
fn proxy(call: &mut Call) -> NativeResult {
    let to = remote_address(call, 2)?;
    let node = node_name(call, 1)?;
    let vm = call.vm();
    let made = vm.shared.cluster.proxy(&vm.node, &node, to);
    drop(node);
    match made {
        Ok(handle) => call.answer_integer(handle.number().into()),
        Err(error) => Err(call.error(format_args!("{error}"))),
    }
}

/// `set_node(name, address)`: says where a node is; false says that it is down.
fn set_node(call: &mut Call) -> NativeResult {
    let target = match call.kind(2) {
        ffi::LUA_TBOOLEAN if !call.boolean(2) => Ok(Target::Down),
        ffi::LUA_TSTRING => {
            let text = String::from_utf8_lossy(call.string(2).unwrap_or_default()).into_owned();
            net::Address::parse(&text).map(Target::At).map_err(|error| error.to_string())
        }
        _ => Err(format!("{} (an address or false expected)", call.type_name(2))),
    };
    let target = match target {
        Ok(target) => target,
        Err(why) => {
            let name = String::from_utf8_lossy(call.string(1).unwrap_or_default()).into_owned();
            let raise = call.plain_error(format_args!("cluster node [{name}]: {why}"));
            drop((name, why));
            return Err(raise);
        }
    };
    let node = node_name(call, 1)?;
    let vm = call.vm();
    vm.shared.cluster.set_target(&vm.node, &node, target);
    NOTHING
}

/// `set_finder(on)`: whether this service finds out where nodes are.
fn set_finder(call: &mut Call) -> NativeResult {
    let on = call.boolean(1);
    let vm = call.vm();
    vm.shared.cluster.set_finder(on.then(|| vm.handle()));
    NOTHING
}

/// `set_nowaiting(on)`: whether calls to a node without an address fail at once.
fn set_nowaiting(call: &mut Call) -> NativeResult {
    let on = call.boolean(1);
    let vm = call.vm();
    vm.shared.cluster.set_nowaiting(&vm.node, on);
    NOTHING
}

/// `register(name, address)`: lets other nodes call a service by a name. False when the name is
/// another service's.
fn register(call: &mut Call) -> NativeResult {
    let number = call.check_integer(2)?;
    let Some(handle) = u32::try_from(number).ok().and_then(Handle::new) else {
        return Err(call.argument(2, format_args!("{number} is no address")));
    };
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    let done = call.vm().shared.cluster.register(unsafe { &*name }, handle);
    call.answer_boolean(done)
}

/// `unregister(name)`: takes a name away; the address that had it, or nil.
fn unregister(call: &mut Call) -> NativeResult {
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    let owner = call.vm().shared.cluster.unregister(unsafe { &*name });
    answer_handle(call, owner)
}

/// `registered(name)`: the address that has a name, or nil.
fn registered(call: &mut Call) -> NativeResult {
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    let owner = call.vm().shared.cluster.registered(unsafe { &*name });
    answer_handle(call, owner)
}

fn answer_handle(call: &mut Call, handle: Option<Handle>) -> NativeResult {
    match handle {
        Some(handle) => call.answer_integer(handle.number().into()),
        None => call.answer_nil(),
    }
}

/// `listen(address [, most])`: takes connections of other nodes. Returns host and port, or nil and
/// the reason. **Yields.**
fn listen(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    let most = if call.is_none_or_nil(2) {
        DEFAULT_PEERS
    } else {
        let most = call.check_integer(2)?;
        usize::try_from(most).unwrap_or(0)
    };
    let text = String::from_utf8_lossy(call.check_string(1)?).into_owned();
    let parsed = net::Address::parse(&text);
    drop(text);
    let address = match parsed {
        Ok(address) => address,
        Err(error) => {
            let raise = call.error(format_args!("{error}"));
            drop(error);
            return Err(raise);
        }
    };
    let vm = call.vm();
    let session = vm.sessions.allocate();
    let (node, service) = (Arc::clone(&vm.node), Arc::clone(&vm.service));
    let source = Some(vm.handle());
    let done = move |opened: Result<std::net::SocketAddr, _>| {
        let mut packed = Vec::new();
        match opened {
            Ok(here) => {
                let _ = bytes::put_string(&mut packed, here.ip().to_string().as_bytes());
                bytes::put_integer(&mut packed, here.port().into());
            }
            Err(error) => {
                let error: crate::cluster::ListenError = error;
                bytes::put_nil(&mut packed);
                let _ = bytes::put_string(&mut packed, error.to_string().as_bytes());
            }
        }
        let payload = Payload::from_vec(packed);
        let answer = Message { source: None, session, kind: Kind::RESPONSE, payload };
        let _ = node.send(&service, answer);
    };
    let (cluster, local) = (Arc::clone(&vm.shared.cluster), Arc::clone(&vm.node));
    cluster.listen(&local, source, address, most, done);
    drop((cluster, local));
    let waiting = Waiting::Call { session, peer: None };
    thread::suspend(call, waiting, 0, continuation!(message::answer), 0)
}
