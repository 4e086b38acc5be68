//! Publishing tables, and what is published.

use std::sync::Arc;

use mlua::ffi;

use super::walk::{Stop, walk};
use super::{handle_of, kind};
use crate::shared::{Kind, Node, PublishError, Slot, Tree, sheet};
use crate::vm::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Raise};

/// The tree of the value at `index`; `None` when Lua has to make it a plain table first. A
/// datasheet may be given by its bytes.
fn tree_at(call: &mut Call, index: i32, kind: Kind, strict: bool) -> Result<Option<Tree>, Raise> {
    if kind == Kind::Sheet && call.kind(index) == ffi::LUA_TSTRING {
        return match sheet::undump(call.string(index).unwrap_or_default()) {
            Ok((tree, _)) => Ok(Some(tree)),
            Err(error) => Err(call.error(format_args!("{error}"))),
        };
    }
    if call.kind(index) != ffi::LUA_TTABLE {
        let name = call.type_name(index);
        return Err(call.error(format_args!("Not a table, it's a {name}.")));
    }
    match walk(call, index, kind, strict) {
        Ok(tree) => Ok(Some(tree)),
        Err(Stop::Pairs) => Ok(None),
        Err(Stop::Raise(raise)) => Err(raise),
    }
}

/// `publish(kind, how, name, value [, strict])`: puts a table under a name. `how` is `"new"` (there
/// is none yet), `"replace"` (there is one), or `"any"`. True; false when the table has to be made
/// a plain one first.
pub(super) fn publish(call: &mut Call) -> NativeResult {
    let kind = kind(call, 1)?;
    let expected = match call.check_string(2)? {
        b"new" => Some(false),
        b"replace" => Some(true),
        _ => None,
    };
    call.check_string(3)?;
    let strict = call.boolean(5);
    let Some(tree) = tree_at(call, 4, kind, strict)? else { return call.answer_boolean(false) };
    let name: *const [u8] = call.string(3).unwrap_or_default();
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    let data = &call.vm().shared.data;
    let published = match expected {
        Some(false) => data.create(kind, name, tree),
        Some(true) => data.replace(kind, name, tree),
        None => data.put(kind, name, tree),
    };
    match published {
        Ok(()) => {
            // Who publishes sees it at once.
            call.vm().release_pins();
            call.answer_boolean(true)
        }
        Err(error) => Err(refused(call, kind, name, error)),
    }
}

#[cold]
fn refused(call: &mut Call, kind: Kind, name: &[u8], error: PublishError) -> Raise {
    let what = match kind {
        Kind::Data => "sharedata",
        Kind::Table => "sharetable",
        Kind::Sheet => "datasheet",
    };
    call.error(format_args!("{what} '{}' {error}", Lossy(name)))
}

/// `object(value [, kind, strict])`: a tree without a name; a light userdata that stands for it,
/// and its bytes. Nothing when the table has to be made a plain one first.
pub(super) fn object(call: &mut Call) -> NativeResult {
    let kind = if call.is_none_or_nil(2) { Kind::Data } else { kind(call, 2)? };
    let strict = call.boolean(3);
    let Some(tree) = tree_at(call, 1, kind, strict)? else { return NOTHING };
    let size = tree.size();
    match call.vm().shared.data.add_object(tree) {
        Ok(number) => {
            // SAFETY: a light userdata is any address; a native has free slots.
            unsafe { ffi::lua_pushlightuserdata(call.state(), handle_of(number, Node::ROOT)) };
            call.push_integer(i64::try_from(size).unwrap_or(i64::MAX));
            Ok(Outcome::Values(2))
        }
        Err(error) => Err(call.error(format_args!("shared object {error}"))),
    }
}

/// `delete(kind, name)`: frees a name; whether there was something.
pub(super) fn delete(call: &mut Call) -> NativeResult {
    let kind = kind(call, 1)?;
    let name: *const [u8] = call.check_string(2)?;
    // SAFETY: the name stays on the stack.
    let deleted = call.vm().shared.data.delete(kind, unsafe { &*name });
    call.answer_boolean(deleted)
}

/// `names(kind)`: all names.
pub(super) fn names(call: &mut Call) -> NativeResult {
    let kind = kind(call, 1)?;
    list_slots(call, kind, |_| 0)?;
    Ok(Outcome::Values(1))
}

/// `list(kind)`: bytes of the current version by name.
pub(super) fn list(call: &mut Call) -> NativeResult {
    let kind = kind(call, 1)?;
    list_slots(call, kind, |slot| i64::try_from(slot.current().0.size()).unwrap_or(i64::MAX))?;
    Ok(Outcome::Values(1))
}

/// Pushes a table of all names with what `what` says of each.
fn list_slots(call: &mut Call, kind: Kind, what: fn(&Slot) -> i64) -> Result<(), Raise> {
    // The list is put into the VM's buffer: length of the name, the name, the number.
    let slots: Vec<Arc<Slot>> = call.vm().shared.data.list(kind);
    let vm = call.vm();
    let start = vm.scratch.len();
    for slot in &slots {
        vm.scratch.extend_from_slice(&slot.name.len().to_ne_bytes());
        vm.scratch.extend_from_slice(&slot.name);
        vm.scratch.extend_from_slice(&what(slot).to_ne_bytes());
    }
    drop(slots);
    call.reserve(4)?;
    let state = call.state();
    // SAFETY: room is reserved; the buffer belongs to the VM, and each part is copied by Lua before
    // anything can run; a raise finds nothing with a destructor.
    unsafe { ffi::lua_createtable(state, 0, 8) };
    let mut at = start;
    while let Some((name, number)) = entry(&call.vm().scratch, &mut at) {
        // SAFETY: as above.
        unsafe {
            call.push_bytes(&*name);
            ffi::lua_pushinteger(state, number);
            ffi::lua_rawset(state, -3);
        }
    }
    call.vm().scratch.truncate(start);
    Ok(())
}

fn entry(buffer: &[u8], at: &mut usize) -> Option<(*const [u8], i64)> {
    let (length, rest) = buffer.get(*at..)?.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from_ne_bytes(*length))?;
    let number = rest.first_chunk()?;
    *at += size_of::<usize>() + name.len() + size_of::<i64>();
    Some((name, i64::from_ne_bytes(*number)))
}
