//! `skynet`: sending, calling, answering.

use mlua::ffi;

use super::address::{self, Destination, address_text, deliver, deliver_as, destination};
use super::body::{Body, Packing, deliver_body, packed, protocol};
use super::tracing;
use crate::kernel::{Handle, Kind, Message, Payload, SendError, Session};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::session::OpenResponse;
use crate::vm::thread::{Request, Waiting};
use crate::vm::{Wake, request, seri};
use crate::{continuation, native};

/// Sends the trace tag of the running thread ahead of a request.
#[inline]
fn send_tag(call: &mut Call, to: Destination) {
    if !call.vm().trace.is_idle() {
        send_present_tag(call, to);
    }
}

#[cold]
fn send_present_tag(call: &mut Call, to: Destination) {
    tracing::log_event(call, "call", true);
    let Some(tag) = call.vm().current_tag().map(Payload::copy_of) else { return };
    let _ = deliver(call, to, Kind::TRACE, Session::NONE, tag);
}

/// `send(address, type, ...)`: 0, nothing when nobody is there, false when it is refused.
pub(super) fn send(call: &mut Call) -> NativeResult {
    let to = destination(call, 1)?;
    let (kind, packing) = protocol(call, 2)?;
    let body = packed(call, packing)?;
    let sent = deliver_body(call, to, kind, Session::NONE, body);
    answer_send(call, sent, Session::NONE)
}

/// `rawsend(address, type, message[, size])`: `send` of bytes that are packed already.
pub(super) fn raw_send(call: &mut Call) -> NativeResult {
    let to = destination(call, 1)?;
    let (kind, _) = protocol(call, 2)?;
    let payload = address::payload(call, 3)?;
    let sent = deliver(call, to, kind, Session::NONE, payload);
    answer_send(call, sent, Session::NONE)
}

/// What a send answers.
pub(crate) fn answer_send(
    call: &mut Call,
    sent: Result<(), SendError>,
    session: Session,
) -> NativeResult {
    match sent {
        Ok(()) => call.answer_integer(session.0.into()),
        Err(SendError::NoService) => NOTHING,
        Err(SendError::Full) => call.answer_boolean(false),
    }
}

/// `call(address, type, ...)`: sends and waits for the answer. **Yields.**
pub(super) fn call(call: &mut Call) -> NativeResult {
    call_then(call, continuation!(answer))
}

/// `call` that goes on with `then`, which gets at a native answer with `answer`.
pub(super) fn call_then(call: &mut Call, then: ffi::lua_KFunction) -> NativeResult {
    super::thread::check_yieldable(call)?;
    let to = destination(call, 1)?;
    let (kind, packing) = protocol(call, 2)?;
    let body = packed(call, packing)?;
    send_tag(call, to);
    let session = call.vm().sessions.allocate();
    match deliver_body(call, to, kind, session, body) {
        Ok(()) => {}
        Err(error) => return Err(refused(call, error, true)),
    }
    match packing {
        Packing::Native => wait_for_answer(call, session, to, then, 0),
        Packing::Script(position) => {
            let context = isize::try_from(position).unwrap_or(0);
            wait_for_answer(call, session, to, continuation!(answer_by_script), context)
        }
    }
}

/// `rawcall(address, type, message[, size])`: `call` without packing; the answer is a pointer
/// and a size, valid until the next yield. **Yields.**
pub(super) fn raw_call(call: &mut Call) -> NativeResult {
    super::thread::check_yieldable(call)?;
    let to = destination(call, 1)?;
    let (kind, _) = protocol(call, 2)?;
    let payload = address::payload(call, 3)?;
    send_tag(call, to);
    let session = send_raw_call(call, to, kind, payload)?;
    wait_for_answer(call, session, to, continuation!(answer_raw), 0)
}

/// `tracecall(tag, address, type, message[, size])`: `rawcall` under a trace tag. **Yields.**
pub(super) fn trace_call(call: &mut Call) -> NativeResult {
    super::thread::check_yieldable(call)?;
    let to = destination(call, 2)?;
    let (kind, _) = protocol(call, 3)?;
    let tag = Payload::copy_of(call.check_string(1)?);
    call.vm().log_trace(tag.as_slice(), "tracecall begin", "");
    let _ = deliver(call, to, Kind::TRACE, Session::NONE, tag);
    let payload = address::payload(call, 4)?;
    let session = send_raw_call(call, to, kind, payload)?;
    note_name(call, session, to);
    // The tag stays at index 1 for the end.
    super::thread::suspend(call, waiting_for(session, to), 1, continuation!(answer_traced), 0)
}

fn answer_traced(call: &mut Call, resumed: Resumed) -> NativeResult {
    let tag: *const [u8] = call.string(1).unwrap_or_default();
    if call.vm().wake == Wake::Answer {
        // SAFETY: the tag stays on the stack.
        call.vm().log_trace(unsafe { &*tag }, "tracecall end", "");
    }
    answer_raw(call, resumed)
}

fn send_raw_call(
    call: &mut Call,
    to: Destination,
    kind: Kind,
    payload: Payload,
) -> Result<Session, Raise> {
    let session = call.vm().sessions.allocate();
    match deliver(call, to, kind, session, payload) {
        Ok(()) => Ok(session),
        Err(error) => Err(refused(call, error, false)),
    }
}

#[cold]
fn refused(call: &mut Call, error: SendError, with_address: bool) -> Raise {
    let text = address_text(call, 1);
    let raise = match error {
        SendError::NoService => {
            log_invalid_call(call, &text);
            if with_address {
                call.error(format_args!("call to invalid address {text}"))
            } else {
                call.error(format_args!("call to invalid address"))
            }
        }
        SendError::Full => call.error(format_args!("mailbox of {text} is full")),
    };
    drop(text);
    raise
}

/// The log names what was meant by an address; the script sees skynet's words.
fn log_invalid_call(call: &mut Call, text: &str) {
    let handle = match call.kind(1) {
        ffi::LUA_TNUMBER => call.integer(1).and_then(|number| u32::try_from(number).ok()),
        _ => Handle::parse(call.string(1).unwrap_or_default()).map(Handle::number),
    };
    let vm = call.vm();
    let meant = match handle {
        Some(number) => vm.node.describe(number),
        None => format!("{text} (a name that nobody has)"),
    };
    vm.node.log_failed_call(Some(vm.handle()), &format!("call to invalid address: {meant}"));
}

/// Suspends the running thread until the answer to `session` comes.
#[inline]
fn wait_for_answer(
    call: &mut Call,
    session: Session,
    to: Destination,
    then: ffi::lua_KFunction,
    context: ffi::lua_KContext,
) -> NativeResult {
    note_name(call, session, to);
    super::thread::suspend(call, waiting_for(session, to), 0, then, context)
}

/// Keeps the name that a call went to, for `term`.
#[inline]
fn note_name(call: &mut Call, session: Session, to: Destination) {
    if let Destination::Global(index) = to {
        let name = call.string(index).map(Box::from).unwrap_or_default();
        let vm = call.vm();
        let sessions = &vm.sessions;
        vm.calls_by_name.note(session, name, |session| sessions.get(session).is_some());
    }
}

#[inline]
const fn waiting_for(session: Session, to: Destination) -> Waiting {
    let peer = match to {
        Destination::Service(handle) => Some(handle),
        _ => None,
    };
    Waiting::Call { session, peer }
}

#[inline]
fn check_answer(call: &mut Call) -> Result<(), Raise> {
    if call.vm().wake == Wake::Answer {
        return Ok(());
    }
    Err(call.error(format_args!("call failed")))
}

pub(crate) fn answer(call: &mut Call, _resumed: Resumed) -> NativeResult {
    check_answer(call)?;
    let bytes = call.vm().message.bytes;
    // SAFETY: the bytes live as long as the message, which is being handled.
    let count = unsafe { seri::unpack(call, &*bytes).map_err(Raise::from_script)? };
    Ok(Outcome::Values(count))
}

fn answer_by_script(call: &mut Call, resumed: Resumed) -> NativeResult {
    check_answer(call)?;
    let message = call.vm().message;
    let class = call.vm().protocols.at(usize::try_from(resumed.context).unwrap_or(0)).class;
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, class.into());
        ffi::lua_getfield(state, -1, c"unpack".as_ptr());
        ffi::lua_remove(state, -2);
    }
    request::push_message(call, message);
    Ok(Outcome::Call(2, continuation!(all_values), 0))
}

fn all_values(call: &mut Call, _resumed: Resumed) -> NativeResult {
    Ok(Outcome::Values(call.top()))
}

fn answer_raw(call: &mut Call, _resumed: Resumed) -> NativeResult {
    check_answer(call)?;
    let message = call.vm().message;
    request::push_message(call, message);
    Ok(Outcome::Values(2))
}

/// `redirect(destination, source, type, session, message[, size])`.
pub(super) fn redirect(call: &mut Call) -> NativeResult {
    let to = destination(call, 1)?;
    let (kind, _) = protocol(call, 3)?;
    redirect_as(call, to, kind)
}

/// Sends the message at index 5 under the source at 2, 0 for this service, and the session at 4.
pub(crate) fn redirect_as(call: &mut Call, to: Destination, kind: Kind) -> NativeResult {
    let source = call.check_integer(2)?;
    let named = u32::try_from(source).ok().and_then(Handle::new);
    let source = named.or_else(|| (source == 0).then(|| call.vm().handle()));
    let session =
        if call.is_none_or_nil(4) { call.vm().sessions.allocate() } else { session(call, 4)? };
    let payload = address::payload(call, 5)?;
    // Answers are always accepted; what a script makes up need not be one.
    if let Destination::Service(handle) = to {
        let full =
            call.vm().route_with_node(handle).is_some_and(|(service, node)| node.is_full(service));
        if full {
            drop(payload);
            return answer_send(call, Err(SendError::Full), session);
        }
    }
    let sent = deliver_as(call, to, Message { source, session, kind, payload });
    answer_send(call, sent, session)
}

/// A session number at `index`.
pub(crate) fn session(call: &mut Call, index: std::ffi::c_int) -> Result<Session, Raise> {
    let number = call.check_integer(index)?;
    match i32::try_from(number) {
        Ok(number) => Ok(Session(number)),
        Err(_) => Err(call.argument(index, format_args!("session {number} does not fit 32 bits"))),
    }
}

/// Takes the request that the running thread still has to answer.
fn take_request(call: &mut Call) -> Result<Request, Raise> {
    let vm = call.vm();
    match vm.current.and_then(|id| vm.threads[id].request.take()) {
        Some(request) => Ok(request),
        None => Err(call.error(format_args!("No session"))),
    }
}

/// Sends an answer; true when the requester is still there. A message that was only sent needs
/// none.
fn send_answer(call: &mut Call, request: Request, kind: Kind, body: Body) -> bool {
    let Some(source) = request.source.filter(|_| request.session.expects_answer()) else {
        if let Body::Scratch(start) = body {
            call.vm().scratch.truncate(start);
        }
        return false;
    };
    deliver_body(call, Destination::Service(source), kind, request.session, body).is_ok()
}

/// `ret([message[, size]])`: answers the current request.
pub(super) fn ret(call: &mut Call) -> NativeResult {
    tracing::log_event(call, "response", false);
    let request = take_request(call)?;
    let payload = if call.is_none_or_nil(1) { Payload::EMPTY } else { address::payload(call, 1)? };
    let sent = send_answer(call, request, Kind::RESPONSE, Body::Payload(payload));
    call.answer_boolean(sent)
}

/// `retpack(...)`: `ret(pack(...))`.
pub(super) fn retpack(call: &mut Call) -> NativeResult {
    let start = seri::pack(call, 1).map_err(Raise::from_script)?;
    tracing::log_event(call, "response", false);
    let sent = match take_request(call) {
        Ok(request) => send_answer(call, request, Kind::RESPONSE, Body::Scratch(start)),
        Err(raise) => {
            call.vm().scratch.truncate(start);
            return Err(raise);
        }
    };
    call.answer_boolean(sent)
}

/// `ignoreret()`: the current request will not be answered by its handler.
pub(super) fn ignore_ret(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    if let Some(id) = vm.current {
        vm.threads[id].request = None;
    }
    NOTHING
}

/// `context()`: session (nil once it is answered) and source of the current request.
pub(super) fn context(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let Some(id) = vm.current else { return NOTHING };
    let (request, context) = (vm.threads[id].request, vm.threads[id].context);
    match request {
        Some(request) => call.push_integer(request.session.0.into()),
        None => call.push_nil(),
    }
    match context {
        Some(context) => call.push_integer(context.source.map_or(0, Handle::number).into()),
        None => call.push_nil(),
    }
    Ok(Outcome::Values(2))
}

/// `response([pack])`: a closure that answers the current request later.
pub(super) fn response(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let Some(id) = vm.current else {
        return Err(call.plain_error(format_args!("no session")));
    };
    let number = match vm.threads[id].request.take() {
        Some(request) if request.session.expects_answer() => vm.responses.open(request),
        Some(_) => {
            // SAFETY: pushing a function without upvalues allocates nothing.
            unsafe { ffi::lua_pushcfunction(call.state(), native!(no_response)) };
            return Ok(Outcome::Values(1));
        }
        None => return Err(call.plain_error(format_args!("no session"))),
    };
    let state = call.state();
    // SAFETY: a native has free slots; if the closure cannot be made, the request stays open and
    // is answered with an error when the service ends.
    unsafe {
        ffi::lua_settop(state, 1);
        call.push_integer(number);
        ffi::lua_insert(state, 1);
        ffi::lua_pushcclosure(state, native!(respond), 2);
    }
    Ok(Outcome::Values(1))
}

fn no_response(_call: &mut Call) -> NativeResult {
    NOTHING
}

/// The closure of `response`: upvalue 1 is its number, upvalue 2 the pack function or nil.
fn respond(call: &mut Call) -> NativeResult {
    let number = call.integer(ffi::lua_upvalueindex(1)).unwrap_or(0);
    let Some(OpenResponse { request, wanted }) = call.vm().responses.get(number) else {
        if call.string(1) == Some(b"TEST") {
            return call.answer_boolean(false);
        }
        return Err(call.error(format_args!("Can't response more than once")));
    };
    let source = request.source;
    let vm = call.vm();
    let alive = wanted
        && source.is_some_and(|source| vm.route(source).is_some() || vm.node.is_remote(source));
    if call.string(1) == Some(b"TEST") {
        return call.answer_boolean(alive);
    }
    if !alive {
        call.vm().responses.take(number);
        return call.answer_boolean(false);
    }
    if !call.boolean(1) {
        call.vm().responses.take(number);
        let sent = send_answer(call, request, Kind::ERROR, Body::Payload(Payload::EMPTY));
        return call.answer_boolean(sent);
    }
    // Packing may fail; the response is then still open.
    let body = if call.kind(ffi::lua_upvalueindex(2)) == ffi::LUA_TNIL {
        Body::Scratch(seri::pack(call, 2).map_err(Raise::from_script)?)
    } else {
        let state = call.state();
        // SAFETY: a native has free slots; `pack` may raise, nothing here has a destructor.
        unsafe {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
            ffi::lua_replace(state, 1);
            ffi::lua_callk(state, call.top() - 1, 2, 0, None);
        }
        Body::Payload(address::payload(call, 1)?)
    };
    call.vm().responses.take(number);
    let sent = send_answer(call, request, Kind::RESPONSE, body);
    call.answer_boolean(sent)
}

/// `term(address)`: treats it as gone: pending calls to it fail.
pub(super) fn term(call: &mut Call) -> NativeResult {
    match destination(call, 1)? {
        Destination::Service(peer) => call.vm().peer_gone(peer),
        Destination::Global(index) => {
            let name: *const [u8] = call.string(index).unwrap_or_default();
            // SAFETY: the name is an argument.
            call.vm().name_gone(unsafe { &*name });
        }
        Destination::Nobody => {}
    }
    NOTHING
}
