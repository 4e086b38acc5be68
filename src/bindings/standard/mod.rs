//! The standard library under the sandbox's rules.
//!
//! Invariant: what a policy does not allow raises an error that names the service, the rule and
//! how to allow it. What is allowed is Lua's own function, called with the arguments as they are,
//! so that its results and error texts are Lua's.
//!
//! The functions here have no upvalues: putting them in place costs a new service no memory.
//! Lua's own ones are kept by their address (`Vm::stock`), out of reach of scripts.

mod debug;
mod files;
mod late;
mod load;
mod output;
mod process;
mod text;

pub(super) use output::write;

use std::ffi::{CStr, OsStr, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use mlua::ffi;

use crate::sandbox::{self, Access, Refusal};
use crate::vm::Vm;
use crate::vm::native::{Call, Lossy, NativeResult, Outcome, Raise};

/// Lua's own functions that ours call: positions in `Vm::stock`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stock {
    DoFile,
    Load,
    LoadFile,
    Open,
    Lines,
    Input,
    Output,
    Read,
    Popen,
    TemporaryFile,
    FileRead,
    FileLines,
    Execute,
    Remove,
    Rename,
    TemporaryName,
    SetLocale,
    GetInfo,
    GetLocal,
    SetLocal,
    GetUpvalue,
    SetUpvalue,
    SetMetatable,
    Repeat,
}

/// A function of ours, its name, and Lua's own function that it calls.
type Replacement = (&'static CStr, Option<Stock>, ffi::lua_CFunction);

/// Puts the restricted functions in place.
///
/// # Safety
/// Runs protected in a fresh state whose standard library is open.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        load::install(state);
        output::install(state);
        text::install(state);
        late::install(state);
        ffi::lua_settop(state, 0);
    }
}

/// Replaces functions of the table on top of the stack, which is popped.
///
/// # Safety
/// As for `install`, with the table on top.
unsafe fn replace(state: *mut ffi::lua_State, replacements: &[Replacement]) {
    for (name, stock, function) in replacements {
        // SAFETY: the caller's promise; existing keys are assigned, which allocates nothing.
        unsafe {
            if let Some(stock) = stock {
                ffi::lua_getfield(state, -1, name.as_ptr());
                Vm::of(state).as_mut().stock[*stock as usize] = ffi::lua_tocfunction(state, -1);
                ffi::lua_pop(state, 1);
            }
            ffi::lua_pushcfunction(state, *function);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
    // SAFETY: the table is on top.
    unsafe { ffi::lua_pop(state, 1) };
}

/// Goes on as Lua's own function, with the arguments on the stack.
fn call_stock(call: &mut Call, stock: Stock) -> NativeResult {
    let Some(function) = call.vm().stock[stock as usize] else {
        return Err(call.error(format_args!("this function is not available")));
    };
    // SAFETY: the function sees our frame as its own: its arguments are at the same indexes. It
    // may raise; nothing here has a destructor.
    let count = unsafe { function(call.state()) };
    Ok(Outcome::Values(count))
}

/// A refusal: `sandbox: SERVICE may not WHAT (to allow it: HOW in sandbox.toml)`.
#[cold]
pub(super) fn refuse(call: &mut Call, what: std::fmt::Arguments<'_>, how: &str) -> Raise {
    refuse_because(call, what, format_args!("to allow it: {how} in sandbox.toml"))
}

#[cold]
fn refuse_because(
    call: &mut Call,
    what: std::fmt::Arguments<'_>,
    why: std::fmt::Arguments<'_>,
) -> Raise {
    let service = Arc::clone(&call.vm().service);
    let raise =
        call.error(format_args!("sandbox: {} may not {what} ({why})", title(&service.name)));
    drop(service);
    raise
}

/// Kind and script of a service, without its arguments.
fn title(name: &str) -> &str {
    let second = name.find(' ').map_or(name.len(), |space| space + 1);
    let end = name[second..].find(' ').map_or(name.len(), |space| second + space);
    &name[..end]
}

/// Checks that the service may read the file whose name is at `index`.
pub(super) fn check_readable(call: &mut Call, index: c_int) -> Result<(), Raise> {
    check_file(call, index, Access::Read)
}

/// Checks that the service may write, rename or remove the file whose name is at `index`.
pub(super) fn check_writable(call: &mut Call, index: c_int) -> Result<(), Raise> {
    check_file(call, index, Access::Write)
}

fn check_file(call: &mut Call, index: c_int, access: Access) -> Result<(), Raise> {
    let name: *const [u8] = call.check_string(index)?;
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    if let Err(refusal) = judge(call, name, access) {
        return Err(refuse_file(call, Lossy(name), access, refusal));
    }
    Ok(())
}

fn judge(call: &mut Call, name: &[u8], access: Access) -> Result<(), Refusal> {
    let vm = call.vm();
    let paths = &vm.shared.paths;
    // C sees the name up to its first zero; a rule for folders refuses such a name altogether.
    let seen = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let cut = seen.len() < name.len();
    let path = Path::new(OsStr::from_bytes(if cut { seen } else { name }));
    sandbox::check(&vm.policy, &paths.protected, path, access, &paths.working_directory)
}

#[cold]
fn refuse_file(call: &mut Call, name: Lossy<'_>, access: Access, refusal: Refusal) -> Raise {
    let verb = match access {
        Access::Read => "read",
        Access::Write => "write",
    };
    let what = format_args!("{verb} {name}");
    match refusal {
        Refusal::Outside => refuse(call, what, verb),
        Refusal::OfTheNode => refuse_because(
            call,
            what,
            format_args!("the node starts from it; to allow it: write = \"any\" in sandbox.toml"),
        ),
        Refusal::Memory => {
            refuse_because(call, what, format_args!("it is the memory of a process"))
        }
        Refusal::Waits => {
            refuse_because(call, what, format_args!("the node could wait for it for ever"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_service_is_named_without_its_arguments() {
        assert_eq!(title("snlua agent 1 2"), "snlua agent");
        assert_eq!(title("snlua agent"), "snlua agent");
        assert_eq!(title("snlua"), "snlua");
    }
}
