//! `skynet.datasheet.core` and the natives of `skynet.datasheet.dump`.
//!
//! Source: reference 7 (the dump format stands in `crate::shared::sheet`).
//!
//! Invariant: what `stringpointer` gives is the number of a tree, which lives as long as the
//! service that asked for it.

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::view;
use super::walk::{Stop, walk};
use super::{copy, handle_of, root};
use crate::natives;
use crate::shared::{Kind, Node, Value, sheet};
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"diff" => diff,
    c"dump" => dump,
    c"new" => new,
    c"stringpointer" => string_pointer,
    c"undump" => undump,
    c"update" => root::move_to_object,
];

const METHODS: &[Entry] = natives![c"__gc" => collect];

/// Name of the metatable of what keeps an object for the service.
const KEEPER: &CStr = c"skynet.datasheet.keeper";
/// Name of the table of keepers by string.
const KEPT: &CStr = c"skynet.datasheet.kept";

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(crate) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        view::prepare(state);
        ffi::luaL_newmetatable(state, KEEPER.as_ptr());
        register(state, METHODS);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_createtable(state, 0, 0);
        ffi::lua_setfield(state, ffi::LUA_REGISTRYINDEX, KEPT.as_ptr());
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// `new(pointer)`: a view of the datasheet that `pointer` stands for.
fn new(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TLIGHTUSERDATA)?;
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_settop(call.state(), 1) };
    call.push_bytes(b"sheet");
    root::of_object(call)
}

/// `stringpointer(dump)`: a light userdata that stands for the datasheet; the same for the same.
fn string_pointer(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    let state = call.state();
    // SAFETY: a native has free slots; the object is made when nothing can raise any more.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, KEPT.as_ptr());
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawget(state, 2);
        if call.kind(-1) != ffi::LUA_TUSERDATA {
            ffi::lua_pop(state, 1);
            let place = ffi::lua_newuserdata(state, size_of::<u64>()).cast::<u64>();
            place.write(0);
            ffi::luaL_setmetatable(state, KEEPER.as_ptr());
            place.write(make_object(call)?);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushvalue(state, -2);
            ffi::lua_rawset(state, 2);
        }
        let number = *call.pointer(-1).cast::<u64>();
        ffi::lua_pushlightuserdata(state, handle_of(number, Node::ROOT));
    }
    Ok(Outcome::Values(1))
}

fn make_object(call: &mut Call) -> Result<u64, Raise> {
    let read = sheet::undump(call.string(1).unwrap_or_default());
    match read {
        Ok((tree, _)) => match call.vm().shared.data.add_object(tree) {
            Ok(number) => Ok(number),
            Err(error) => Err(call.error(format_args!("datasheet {error}"))),
        },
        Err(error) => Err(call.error(format_args!("{error}"))),
    }
}

fn collect(call: &mut Call) -> NativeResult {
    // SAFETY: a userdata with this metatable was made by `string_pointer`.
    unsafe {
        let place = ffi::luaL_testudata(call.state(), 1, KEEPER.as_ptr()).cast::<u64>();
        if !place.is_null() {
            let number = place.replace(0);
            call.vm().shared.data.remove_object(number);
        }
    }
    NOTHING
}

/// Pushes bytes of Rust's by way of the VM's buffer, so that a raise loses nothing.
fn answer_bytes(call: &mut Call, bytes: Vec<u8>) -> NativeResult {
    let vm = call.vm();
    let start = vm.scratch.len();
    vm.scratch.extend_from_slice(&bytes);
    drop(bytes);
    let copy: *const [u8] = &raw const vm.scratch[start..];
    // SAFETY: the buffer belongs to the VM; Lua copies the bytes before anything can run.
    unsafe { call.push_bytes(&*copy) };
    call.vm().scratch.truncate(start);
    Ok(Outcome::Values(1))
}

/// `dump(table)`: the bytes of a datasheet; nil when the table has to be made a plain one first.
fn dump(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    let tree = match walk(call, 1, Kind::Sheet, false) {
        Ok(tree) => tree,
        Err(Stop::Raise(raise)) => return Err(raise),
        Err(Stop::Pairs) => return call.answer_nil(),
    };
    let written = sheet::dump(&tree);
    drop(tree);
    match written {
        Ok(bytes) => answer_bytes(call, bytes),
        Err(error) => Err(call.error(format_args!("{error}"))),
    }
}

/// `diff(last, current)`: the current datasheet, with the numbers of the last one's tables.
fn diff(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    call.check_string(2)?;
    let made = sheet::diff(call.string(1).unwrap_or_default(), call.string(2).unwrap_or_default());
    match made {
        Ok(bytes) => answer_bytes(call, bytes),
        Err(error) => Err(call.error(format_args!("{error}"))),
    }
}

/// `undump(dump)`: the table, and the number of each table in it by table.
fn undump(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_settop(state, 1) };
    let mut failure = None;
    let tree =
        copy::push_holder(call, |call| match sheet::undump(call.string(1).unwrap_or_default()) {
            Ok((tree, _)) => call.vm().shared.data.hold(tree).ok(),
            Err(error) => {
                failure = Some(error);
                None
            }
        });
    let Some(tree) = tree else {
        return Err(match failure {
            Some(error) => call.error(format_args!("{error}")),
            None => call.error(format_args!("the datasheet does not fit (config: shared_limit)")),
        });
    };
    // SAFETY: the holder on the stack keeps the tree.
    copy::push(call, unsafe { &*tree }, Value::Table(Node::ROOT), 0)?;
    let numbers = match sheet::undump(call.string(1).unwrap_or_default()) {
        Ok((_, numbers)) => numbers,
        Err(error) => return Err(call.error(format_args!("{error}"))),
    };
    let vm = call.vm();
    let start = vm.scratch.len();
    for number in &numbers {
        vm.scratch.extend_from_slice(&number.to_ne_bytes());
    }
    drop(numbers);
    // SAFETY: as above: the tree is kept; the numbers stand in the VM's buffer.
    unsafe {
        ffi::lua_createtable(state, 0, 4);
        let done = number_tables(call, &*tree, Node::ROOT, (3, 4), start);
        call.vm().scratch.truncate(start);
        done?;
    }
    Ok(Outcome::Values(2))
}

/// Notes in the table at the second index the number of the table at the first, and of those in it.
fn number_tables(
    call: &mut Call,
    tree: &crate::shared::Tree,
    node: Node,
    (table, numbers): (c_int, c_int),
    start: usize,
) -> Result<(), Raise> {
    call.reserve(6)?;
    let at = start + 4 * tree.number(node).unwrap_or_default() as usize;
    let number = call.vm().scratch.get(at..).and_then(<[u8]>::first_chunk).copied();
    let number = u32::from_ne_bytes(number.unwrap_or_default());
    let state = call.state();
    // SAFETY: room is reserved; the values are those of a copy of the same tree.
    unsafe {
        ffi::lua_pushvalue(state, table);
        ffi::lua_pushinteger(state, number.into());
        ffi::lua_rawset(state, numbers);
        let mut position = 0;
        while let Some((name, value)) = tree.entry(node, position) {
            position += 1;
            if let Value::Table(below) = value {
                view::push_plain_of(call, tree, name);
                ffi::lua_rawget(state, table);
                let top = call.top();
                number_tables(call, tree, below, (top, numbers), start)?;
                ffi::lua_pop(state, 1);
            }
        }
    }
    Ok(())
}
