//! Documents as scripts hold them: a userdata with the bytes, whose values of fixed size can be
//! replaced once they have been indexed.
//!
//! Invariant: the bytes of a document never change but for values of fixed size, so its lengths
//! stay true. A light userdata is used only while the document is alive that it was made of.

use std::ffi::{CStr, c_int, c_void};

use mlua::ffi;

use super::OBJECT;
use crate::bindings::bytes::fail;
use crate::bindings::skynet::address::is_current;
use crate::codec::bson::{Document, Kind, Place};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};

/// Name of the table, with weak values, of documents by their address.
const LIGHT: &CStr = c"bson.light";

/// Bits of a kind in an entry of the index.
const KIND_BITS: u32 = 8;

/// Makes a document of what stands in the VM's buffer from `start` on, and pushes it.
pub(super) fn push(call: &mut Call, start: usize) {
    let state = call.state();
    let length = call.vm().scratch.len() - start;
    // SAFETY: a native has free slots; may raise, and nothing here has a destructor. The buffer is
    // the VM's; finalizers that run meanwhile leave what is in it alone.
    unsafe {
        let place = ffi::lua_newuserdata(state, length).cast::<u8>();
        let bytes = call.vm().scratch[start..].as_ptr();
        std::ptr::copy_nonoverlapping(bytes, place, length);
        ffi::luaL_setmetatable(state, OBJECT.as_ptr());
    }
    call.vm().scratch.truncate(start);
}

/// The bytes of the document at `index`; `None` if it is none.
pub(super) fn view(call: &Call, index: c_int) -> Option<*mut [u8]> {
    let state = call.state();
    // SAFETY: any index is acceptable; the name of the metatable is interned already, so this
    // allocates nothing.
    unsafe {
        let place = ffi::luaL_testudata(state, index, OBJECT.as_ptr()).cast::<u8>();
        if place.is_null() {
            return None;
        }
        Some(std::ptr::slice_from_raw_parts_mut(place, ffi::lua_rawlen(state, index)))
    }
}

fn check(call: &mut Call) -> Result<*mut [u8], Raise> {
    match view(call, 1) {
        Some(bytes) => Ok(bytes),
        None => {
            let kind = call.type_name(1);
            Err(call.argument(1, format_args!("bson expected, got {kind}")))
        }
    }
}

/// Pushes the document behind the light userdata at `index`, or bytes of a message as a string.
/// False, and nothing pushed, if the service knows no such thing.
pub(super) fn push_light(call: &mut Call, index: c_int) -> bool {
    let state = call.state();
    let pointer = call.pointer(index);
    // SAFETY: there is room for two values; may raise for lack of memory.
    let found = unsafe {
        let is_table =
            ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, LIGHT.as_ptr()) == ffi::LUA_TTABLE;
        if is_table && ffi::lua_rawgetp(state, -1, pointer) == ffi::LUA_TUSERDATA {
            ffi::lua_remove(state, -2);
            return true;
        }
        ffi::lua_settop(state, if is_table { -3 } else { -2 });
        known_bytes(call, pointer)
    };
    match found {
        Some(bytes) => {
            // SAFETY: they are in a message or block of the service, and are copied at once.
            call.push_bytes(unsafe { &*bytes });
            true
        }
        None => false,
    }
}

/// The bytes of a message or block of the service from `pointer` on.
///
/// # Safety
/// When a C module has been loaded, the pointer is that of a document.
unsafe fn known_bytes(call: &mut Call, pointer: *mut c_void) -> Option<*const [u8]> {
    let vm = call.vm();
    if let Some(block) = vm.blocks.get(&(pointer as usize)) {
        return Some(block.as_slice());
    }
    if is_current(vm, pointer, 0) {
        let end = vm.message.bytes.cast::<u8>() as usize + vm.message.bytes.len();
        return Some(std::ptr::slice_from_raw_parts(pointer.cast(), end - pointer as usize));
    }
    if vm.trusts_pointers {
        // SAFETY: the caller's promise: a document begins with its length.
        let length = unsafe { pointer.cast::<i32>().read_unaligned() };
        let length = usize::try_from(i32::from_le(length)).ok()?;
        return Some(std::ptr::slice_from_raw_parts(pointer.cast(), length));
    }
    None
}

/// `to_lightuserdata(document)`.
pub(super) fn to_light(call: &mut Call) -> NativeResult {
    let place = check(call)?.cast::<c_void>();
    let state = call.state();
    // SAFETY: a native has free slots; may raise, nothing here has a destructor.
    unsafe {
        if ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, LIGHT.as_ptr()) == 0 {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushstring(state, c"v".as_ptr());
            ffi::lua_setfield(state, -2, c"__mode".as_ptr());
            ffi::lua_setmetatable(state, -2);
        }
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawsetp(state, -2, place);
        ffi::lua_pushlightuserdata(state, place);
    }
    Ok(Outcome::Values(1))
}

/// `tostring(document)`: its bytes.
pub(super) fn to_string(call: &mut Call) -> NativeResult {
    let bytes = check(call)?;
    // SAFETY: the document is an argument, so it stays.
    call.push_bytes(unsafe { &*bytes });
    Ok(Outcome::Values(1))
}

/// `#document`: how many bytes it has.
pub(super) fn length(call: &mut Call) -> NativeResult {
    let bytes = check(call)?;
    call.answer_integer(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

/// `document:makeindex()`: notes where the values of fixed size are, so that they can be replaced.
pub(super) fn make_index(call: &mut Call) -> NativeResult {
    let bytes = check(call)?;
    let state = call.state();
    // SAFETY: the document is an argument, so it stays, and nothing replaces a value meanwhile but
    // what finalizers do, which no length depends on.
    let bytes = unsafe { &*bytes };
    // SAFETY: a native has free slots; may raise, nothing here has a destructor.
    unsafe { ffi::lua_createtable(state, 0, 0) };
    let mut document = match Document::new(bytes) {
        Ok(document) => document,
        Err(invalid) => return Err(fail(call, format_args!("{invalid}"))),
    };
    loop {
        match document.next_place() {
            Ok(None) => break,
            Ok(Some(Place { at: None, .. })) => {}
            Ok(Some(Place { key, kind, at: Some(left) })) => {
                // One byte ends the document.
                let offset = bytes.len() - 1 - left;
                let entry = i64::try_from(offset).unwrap_or(0) << KIND_BITS;
                call.push_bytes(key);
                call.push_integer(entry | i64::from(kind.number()));
                // SAFETY: the index is below key and value.
                unsafe { ffi::lua_rawset(state, -3) };
            }
            Err(invalid) => return Err(fail(call, format_args!("{invalid}"))),
        }
    }
    // SAFETY: the document is at index 1, the index on top.
    unsafe {
        ffi::lua_setuservalue(state, 1);
        ffi::lua_settop(state, 1);
    }
    Ok(Outcome::Values(1))
}

/// `document[key] = value`: writes over a value of fixed size.
pub(super) fn replace(call: &mut Call) -> NativeResult {
    let bytes = check(call)?;
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(state, 3);
        if ffi::lua_getuservalue(state, 1) != ffi::LUA_TTABLE {
            return Err(fail(call, format_args!("call makeindex first")));
        }
        ffi::lua_pushvalue(state, 2);
        ffi::lua_rawget(state, -2);
    }
    let entry = call.integer(-1).unwrap_or(0);
    let kind = Kind::from_number((entry & 0xff) as u8);
    let offset = usize::try_from(entry >> KIND_BITS).unwrap_or(0);
    let (Some(kind), Some(width)) = (kind, kind.and_then(Kind::width)) else {
        let key = String::from_utf8_lossy(call.string(2).unwrap_or(b"(no string)")).into_owned();
        return Err(fail(call, format_args!("Can't replace key : {key}")));
    };
    let value = new_value(call, kind)?;
    // SAFETY: the document is an argument, so it stays, and nothing else uses its bytes now.
    if let Some(place) = unsafe { &mut *bytes }.get_mut(offset..offset + width) {
        place.copy_from_slice(&value[..width]);
    }
    NOTHING
}

/// The bytes of the value at index 3 for an element of a kind, in front.
fn new_value(call: &mut Call, kind: Kind) -> Result<[u8; 12], Raise> {
    let mut value = [0; 12];
    match kind {
        Kind::Double => {
            let mut is_number = 0;
            // SAFETY: reading a stack slot.
            let number = unsafe { ffi::lua_tonumberx(call.state(), 3, &raw mut is_number) };
            if is_number == 0 {
                let found = call.type_name(3);
                return Err(call.argument(3, format_args!("number expected, got {found}")));
            }
            value[..8].copy_from_slice(&number.to_le_bytes());
        }
        Kind::Boolean => value[0] = u8::from(call.boolean(3)),
        Kind::Int32 => match integer(call).map(i32::try_from) {
            Some(Ok(number)) => value[..4].copy_from_slice(&number.to_le_bytes()),
            _ => return Err(no_integer(call, 32)),
        },
        Kind::Int64 => match integer(call) {
            Some(number) => value[..8].copy_from_slice(&number.to_le_bytes()),
            None => return Err(no_integer(call, 64)),
        },
        Kind::ObjectId | Kind::Date | Kind::Timestamp => {
            let given: *const [u8] = call.check_string(3)?;
            // SAFETY: the string stays on the stack.
            match unsafe { &*given } {
                [0, number, content @ ..] if *number == kind.number() => {
                    super::encode::put_special(call, kind, content, &mut value)?;
                }
                _ => {
                    let number = kind.number();
                    return Err(fail(call, format_args!("Type mismatch, need bson type {number}")));
                }
            }
        }
        _ => {
            let number = kind.number();
            return Err(fail(call, format_args!("Can't replace type {number}")));
        }
    }
    Ok(value)
}

/// The integer at index 3; a float is none, even without a fraction.
fn integer(call: &Call) -> Option<i64> {
    // SAFETY: reading a stack slot.
    let is_integer = unsafe { ffi::lua_isinteger(call.state(), 3) } != 0;
    call.integer(3).filter(|_| is_integer)
}

fn no_integer(call: &mut Call, bits: u32) -> Raise {
    // SAFETY: reading a stack slot.
    let number = unsafe { ffi::lua_tonumberx(call.state(), 3, std::ptr::null_mut()) };
    fail(call, format_args!("{number:?} must be a {bits}bit integer "))
}
