//! `skynet.redis.cluster`: where commands belong in a cluster, for `skynet.db.redis.cluster`. Not for
//! scripts.

use std::ffi::c_int;

use mlua::ffi;

use crate::codec::redis_slot::{self, Unroutable};
use crate::natives;
use crate::vm::native::{Call, Entry, Lossy, NativeResult, Outcome, register};

const FUNCTIONS: &[Entry] = natives![
    c"keyslot" => keyslot,
    c"route" => route,
];

/// Longest name of a command whose key is not its first argument.
const LONGEST_NAME: usize = 16;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(in crate::bindings) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// `keyslot(key)`: the slot of a key.
fn keyslot(call: &mut Call) -> NativeResult {
    let found = redis_slot::slot_of(call.check_string(1)?);
    call.answer_integer(found.into())
}

/// `route(command, ...)`: the slot of a command, and whether it changes nothing.
fn route(call: &mut Call) -> NativeResult {
    let given: *const [u8] = call.check_string(1)?;
    // SAFETY: the name is an argument.
    let given = unsafe { &*given };
    // A longer name than any that is known stays as it is.
    let mut capitals = [0; LONGEST_NAME];
    let name = match capitals.get_mut(..given.len()) {
        Some(name) => {
            name.copy_from_slice(given);
            name.make_ascii_uppercase();
            &*name
        }
        None => given,
    };
    // Nils at the end do not count.
    let mut count = usize::try_from(call.top()).unwrap_or(0);
    while count > 1 && call.is_none_or_nil(c_int::try_from(count).unwrap_or(0)) {
        count -= 1;
    }
    let found = redis_slot::route(name, count, |position| {
        let index = c_int::try_from(position + 1).unwrap_or(c_int::MAX);
        let text: *const [u8] = call.check_string(index).unwrap_or_default();
        // SAFETY: it stays on the stack for as long as the native runs.
        unsafe { &*text }
    });
    match found {
        Ok(slot) => {
            let is_read = redis_slot::is_read(name);
            call.push_integer(slot.into());
            call.push_boolean(is_read);
            Ok(Outcome::Values(2))
        }
        Err(Unroutable::NoKey) => {
            let text = "No way to dispatch this command to Redis Cluster: ";
            Err(call.error(format_args!("{text}{}", Lossy(given))))
        }
        Err(Unroutable::ManySlots) => {
            let name = Lossy(given);
            let text = "all keys must map to the same key slot";
            Err(call.error(format_args!("{name} - {text}")))
        }
    }
}
