//! Making, sharing and asking schemas.

use std::ffi::c_int;
use std::sync::Arc;

use mlua::ffi;

use super::handle::{Use, give_back, handle, push, schema};
use crate::bindings::bytes::{argument, fail, integer_or};
use crate::bindings::standard;
use crate::codec::sproto::schema::{Kind, Protocol, Schema, Shape};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};
use crate::vm::schemas::SLOTS;

/// `newproto(bundle)`: a handle; or nil and the reason.
pub(super) fn new(call: &mut Call) -> NativeResult {
    let bundle = argument(call, 1)?;
    let made = Schema::from_bundle(bundle);
    let vm = call.vm();
    match made {
        Ok(schema) => {
            let charged = schema.size();
            let used = vm.allocator().used() + vm.block_bytes;
            if used.saturating_add(charged) > vm.allocator().limit() {
                drop(schema);
                return Err(call.plain_error(format_args!("not enough memory")));
            }
            vm.block_bytes += charged;
            let handle = vm.schemas.add(&vm.shared.schemas, schema, charged);
            push(call, Some(handle));
            Ok(Outcome::Values(1))
        }
        Err(invalid) => {
            call.push_nil();
            call.push_text(format_args!("{invalid}"));
            Ok(Outcome::Values(2))
        }
    }
}

/// `deleteproto(schema)`.
pub(super) fn delete(call: &mut Call) -> NativeResult {
    let Some(handle) = handle(call, 1) else {
        return Err(call.argument(1, format_args!("Need a sproto object")));
    };
    let forgotten = call.vm().schemas.forget(handle);
    give_back(call, forgotten);
    NOTHING
}

/// `querytype(schema, name)`: its handle, or nothing.
pub(super) fn query_type(call: &mut Call) -> NativeResult {
    schema(call, "sproto")?;
    let name = argument(call, 2)?;
    let (handle, known) = schema(call, "sproto")?;
    let Some(index) = known.schema.type_named(name) else { return NOTHING };
    push(call, Some(handle.of_type(index)));
    Ok(Outcome::Values(1))
}

/// `protocol(schema, name | number)`: its number or name, and the handles of request and response:
/// nil if there is none, a null pointer for a response without content. Nothing if it is unknown.
pub(super) fn protocol(call: &mut Call) -> NativeResult {
    schema(call, "sproto_type")?;
    let by_number = call.kind(2) == ffi::LUA_TNUMBER;
    let number = call.integer(2).unwrap_or(-1);
    if !by_number && call.kind(2) != ffi::LUA_TSTRING {
        return Err(call.argument(2, format_args!("Should be number or string")));
    }
    let name: *const [u8] = if by_number { &[] } else { argument(call, 2)? };
    let (handle, known) = schema(call, "sproto_type")?;
    // The schema is kept by its own count while the name is pushed, which may run finalizers; the
    // name is copied before they run.
    // SAFETY: the name stays on the stack.
    let found = unsafe {
        if by_number { known.schema.protocol(number) } else { known.schema.protocol_named(&*name) }
    };
    let Some(Protocol { name, tag, request, response, confirm }) = found else { return NOTHING };
    let (name, tag): (*const [u8], _) = (&raw const **name, *tag);
    let (request, response, confirm) = (*request, *response, *confirm);
    if by_number {
        // SAFETY: as above.
        call.push_bytes(unsafe { &*name });
    } else {
        call.push_integer(tag.into());
    }
    match request {
        Some(index) => push(call, Some(handle.of_type(index))),
        None => call.push_nil(),
    }
    match response {
        Some(index) => push(call, Some(handle.of_type(index))),
        None if confirm => push(call, None),
        None => call.push_nil(),
    }
    Ok(Outcome::Values(3))
}

fn slot(call: &mut Call, index: c_int) -> Result<usize, Raise> {
    let slot = integer_or(call, index, 0)?;
    match usize::try_from(slot) {
        Ok(slot) if slot < SLOTS => Ok(slot),
        _ => Err(fail(call, format_args!("Invalid global slot index {slot}"))),
    }
}

/// `saveproto(schema | nil, slot)`: for all services of the node.
pub(super) fn save(call: &mut Call) -> NativeResult {
    let slot = slot(call, 2)?;
    let saved = match handle(call, 1) {
        None => None,
        Some(_) => {
            let (handle, known) = schema(call, "sproto")?;
            Some((handle, Arc::clone(&known.schema)))
        }
    };
    call.vm().shared.schemas.save(slot, saved);
    NOTHING
}

/// `loadproto(slot)`.
pub(super) fn load(call: &mut Call) -> NativeResult {
    let slot = slot(call, 1)?;
    let found = call.vm().shared.schemas.load(slot).map(|(handle, _)| handle);
    match found {
        Some(handle) => {
            push(call, Some(handle));
            Ok(Outcome::Values(1))
        }
        None => Err(fail(call, format_args!("nil sproto at index {slot}"))),
    }
}

/// `dumpproto(schema)`: writes what is in it to standard output.
pub(super) fn dump(call: &mut Call) -> NativeResult {
    let (_, known) = schema(call, "sproto_type")?;
    let text = known.schema.describe();
    standard::write(text.as_bytes());
    NOTHING
}

/// `default(type)`: a table with what each field is when it is not given.
pub(super) fn default(call: &mut Call) -> NativeResult {
    let Some(handle) = handle(call, 1) else {
        return Err(call.argument(1, format_args!("Need a sproto_type object")));
    };
    let used = Use::begin(call, handle)?;
    let state = call.state();
    let count = c_int::try_from(used.described.fields.len()).unwrap_or(0);
    // SAFETY: a native has free slots; may raise, and nothing here has a destructor.
    unsafe { ffi::lua_createtable(state, 0, count) };
    for field in &used.described.fields {
        used.push_name(call, field.name);
        let is_array = field.shape != Shape::Single;
        if is_array {
            // SAFETY: as above.
            unsafe { ffi::lua_createtable(state, 0, 1) };
        }
        match field.kind {
            Kind::Integer => call.push_integer(0),
            Kind::Decimal(_) | Kind::Double => call.push_number(0.0),
            Kind::Boolean => call.push_boolean(false),
            Kind::String | Kind::Binary => call.push_bytes(b""),
            Kind::Struct(index) => {
                let name = &used.schema.types[index as usize].name;
                if is_array {
                    call.push_bytes(name);
                } else {
                    // SAFETY: as above.
                    unsafe { ffi::lua_createtable(state, 0, 1) };
                    call.push_bytes(name);
                    // SAFETY: as above; below the name is the table.
                    unsafe { ffi::lua_setfield(state, -2, c"__type".as_ptr()) };
                }
            }
        }
        // SAFETY: as above; below are the array, if it is one, the name and the result.
        unsafe {
            if is_array {
                ffi::lua_setfield(state, -2, c"__array".as_ptr());
            }
            ffi::lua_rawset(state, -3);
        }
    }
    used.end(call);
    Ok(Outcome::Values(1))
}
