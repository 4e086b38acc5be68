//! `skynet.memory`: what services hold.
//!
//! skynet counts what its allocator gives out for each service. Here every service counts its own
//! Lua state and message blocks, as of the end of its last turn; the sums are made of those.
//! There is no jemalloc, so what asks for it logs so and gives zero, as a skynet without it does.

use std::sync::atomic::Ordering;

use mlua::ffi;

use crate::natives;
use crate::vm::native::{Call, Entry, Lossy, NOTHING, NativeResult, Outcome, register};

const FUNCTIONS: &[Entry] = natives![
    c"block" => block,
    c"current" => current,
    c"dump" => dump,
    c"dumpheap" => dump_heap,
    c"dumpinfo" => dump_info,
    c"info" => info,
    c"jestat" => statistics,
    c"mallctl" => control,
    c"profactive" => profile_active,
    c"total" => total,
];

/// What `jestat` asks jemalloc for.
const STATISTICS: [&std::ffi::CStr; 5] =
    [c"stats.active", c"stats.allocated", c"stats.mapped", c"stats.resident", c"stats.retained"];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> std::ffi::c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Handle and bytes of every service.
fn measured(call: &mut Call) -> Vec<(u32, usize)> {
    let services = call.vm().node.registry.services();
    let bytes = |stats: &crate::kernel::service::Stats| stats.memory.load(Ordering::Relaxed);
    services.iter().map(|service| (service.handle.number(), bytes(&service.stats))).collect()
}

/// `total()`: bytes of all services.
fn total(call: &mut Call) -> NativeResult {
    let sum: usize = measured(call).iter().map(|(_, bytes)| bytes).sum();
    call.answer_integer(i64::try_from(sum).unwrap_or(i64::MAX))
}

/// `block()`: how many services hold memory, each of which is one count.
fn block(call: &mut Call) -> NativeResult {
    let count = measured(call).iter().filter(|(_, bytes)| *bytes > 0).count();
    call.answer_integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `current()`: bytes of this service, now.
fn current(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let bytes = vm.memory() + vm.block_bytes;
    call.answer_integer(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// `info()`: handle to bytes, of every service.
fn info(call: &mut Call) -> NativeResult {
    let state = call.state();
    // SAFETY: a native has free slots; nothing with a destructor is alive when Lua may raise.
    unsafe { ffi::lua_createtable(state, 0, 0) };
    let mut last = 0;
    // The registry is asked for each entry, since a copy would be lost if a push raised; this is
    // for people, who ask seldom.
    while let Some((handle, bytes)) = next_after(call, last) {
        call.push_integer(i64::try_from(bytes).unwrap_or(i64::MAX));
        // SAFETY: the table is below the value.
        unsafe { ffi::lua_rawseti(state, -2, i64::from(handle)) };
        last = handle;
    }
    Ok(Outcome::Values(1))
}

fn next_after(call: &mut Call, last: u32) -> Option<(u32, usize)> {
    call.vm()
        .node
        .registry
        .next_service(last)
        .map(|service| (service.handle.number(), service.stats.memory.load(Ordering::Relaxed)))
}

/// `dump()`: a line of the log for each service.
fn dump(call: &mut Call) -> NativeResult {
    let all = measured(call);
    let node = &call.vm().node;
    node.log(None, "dump all service mem:");
    let mut sum = 0;
    for (handle, bytes) in all.iter().filter(|(_, bytes)| *bytes > 0) {
        node.log(None, &format!(":{handle:08x} -> {}kb {}b", bytes >> 10, bytes % 1024));
        sum += bytes;
    }
    node.log(None, &format!("+total: {}kb", sum >> 10));
    drop(all);
    NOTHING
}

/// `dumpinfo([options])`.
fn dump_info(call: &mut Call) -> NativeResult {
    call.vm().node.log(None, "No jemalloc");
    NOTHING
}

/// `dumpheap()`.
fn dump_heap(call: &mut Call) -> NativeResult {
    call.vm().node.log(None, "No jemalloc : mallctl_cmd prof.dump.");
    NOTHING
}

/// `profactive([on])`: always false.
fn profile_active(call: &mut Call) -> NativeResult {
    call.vm().node.log(None, "No jemalloc : mallctl_bool prof.active.");
    call.answer_boolean(false)
}

/// `mallctl(name)`: always 0.
fn control(call: &mut Call) -> NativeResult {
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    let name = Lossy(unsafe { &*name });
    call.vm().node.log(None, &format!("No jemalloc : mallctl_int64 {name}."));
    call.answer_integer(0)
}

/// `jestat()`: five counters of jemalloc, all 0.
fn statistics(call: &mut Call) -> NativeResult {
    call.vm().node.log(None, "No jemalloc : mallctl_int64 stats.");
    // SAFETY: a native has free slots; may raise, nothing here has a destructor.
    unsafe {
        ffi::lua_createtable(call.state(), 0, 5);
        for name in STATISTICS {
            ffi::lua_pushinteger(call.state(), 0);
            ffi::lua_setfield(call.state(), -2, name.as_ptr());
        }
    }
    Ok(Outcome::Values(1))
}
