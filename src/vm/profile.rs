//! Profile: processor time of single coroutines (`skynet.profile`).
//!
//! A coroutine's time runs from its resume to its yield, with whatever it resumes meanwhile.
//! Threads of the service keep theirs in `Threads`; coroutines of the script in a table of the
//! registry with weak keys, so that one which is collected takes its clock along.
//! Invariant: while `Vm::profiling` is false no clock exists, and a resume costs one test.

use mlua::ffi;

use super::session::NO_REFERENCE;
use super::{Vm, VmPointer};

/// The time of one coroutine, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    /// Spent until it last rested.
    total: f64,
    /// When it was resumed; none while it rests.
    since: Option<f64>,
}

impl Stopwatch {
    /// A clock that starts now if its coroutine is `running`.
    pub fn new(running: bool) -> Self {
        Self { total: 0.0, since: running.then(processor_time) }
    }

    /// Its coroutine is resumed.
    pub fn resume(&mut self) {
        self.since = Some(processor_time());
    }

    /// Its coroutine rests.
    pub fn rest(&mut self) {
        self.total = self.elapsed();
        self.since = None;
    }

    /// Seconds so far.
    pub fn elapsed(&self) -> f64 {
        self.total + self.since.map_or(0.0, |since| processor_time() - since)
    }
}

/// Seconds of processor time of this thread.
fn processor_time() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live value of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

impl VmPointer {
    /// The clock of a coroutine of the script, if it has one. It stays where it is as long as the
    /// coroutine lives.
    ///
    /// # Safety
    /// Called in the service's turn, without a borrow of the VM; `state` is the running coroutine
    /// and `coroutine` a live one that does not run.
    pub unsafe fn stopwatch(
        self,
        state: *mut ffi::lua_State,
        coroutine: *mut ffi::lua_State,
    ) -> Option<*mut Stopwatch> {
        // SAFETY: the caller's promise; raw access to a table raises nothing, and room is made.
        unsafe {
            let reference = self.get().references.stopwatches;
            if reference == NO_REFERENCE
                || ffi::lua_checkstack(state, 3) == 0
                || ffi::lua_checkstack(coroutine, 1) == 0
            {
                return None;
            }
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
            ffi::lua_pushthread(coroutine);
            if coroutine != state {
                ffi::lua_xmove(coroutine, state, 1);
            }
            ffi::lua_rawget(state, -2);
            let found = ffi::lua_touserdata(state, -1).cast::<Stopwatch>();
            ffi::lua_pop(state, 2);
            (!found.is_null()).then_some(found)
        }
    }
}

impl Vm {
    /// The clock of the thread that runs on `state`, or none if that is a coroutine of the script.
    pub fn thread_stopwatch(
        &mut self,
        state: *mut ffi::lua_State,
    ) -> Option<&mut Option<Stopwatch>> {
        let id = self.threads.of_state(state)?;
        Some(&mut self.threads[id].stopwatch)
    }
}
