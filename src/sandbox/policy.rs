//! What one service may use, and the defaults.
//!
//! Invariant: with the default policy an ordinary game runs as it does on skynet; what the default
//! refuses can hurt the node or the machine.
//! Not here: enforcing (`vm`, `bindings`), the file format (`file.rs`).

use std::path::PathBuf;
use std::time::Duration;

use super::address::AddressRule;
use super::path::PathRule;

/// Memory of one service in bytes: far more than an ordinary service holds (50 KiB to a few
/// hundred MiB), little enough that one service alone does not bring down the machine.
const MEMORY: u64 = 2 << 30;

/// Least memory of a service in bytes: a service with the library loaded needs about 60 KiB, and
/// its main script has to fit in as well.
pub(super) const LEAST_MEMORY: u64 = 256 << 10;

/// Coroutines of one service: at 1 KiB each, a service with ordinary memory reaches its memory
/// limit first unless something runs away.
const COROUTINES: usize = 1_000_000;

/// Pending timers of one service: ten for each of 100 000 players.
const TIMERS: usize = 1_000_000;

/// Open sockets of one service: as many as a whole skynet process can have.
const SOCKETS: usize = 65_536;

/// Services of a node: at 60 KiB each they fill 6 GB before a loop that starts services is
/// stopped; skynet games with a service for each player stay below it.
pub(super) const SERVICES: usize = 100_000;

/// What a service may use. A limit of `None` means: no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Memory of the Lua state, in bytes.
    pub memory: Option<u64>,
    /// How long one message may run before it is interrupted; `None`: the log warns, no more.
    pub message_time: Option<Duration>,
    /// Messages that may wait in the mailbox.
    pub mailbox: Option<usize>,
    /// Coroutines alive at a time.
    pub coroutines: Option<usize>,
    /// Timers pending at a time.
    pub timers: Option<usize>,
    /// Sockets open at a time, listening ones included.
    pub sockets: Option<usize>,
    /// Folders that the service may read from.
    pub read: PathRule,
    /// Folders that the service may write to.
    pub write: PathRule,
    /// Addresses that the service may connect to, or send datagrams to.
    pub connect: AddressRule,
    /// Addresses that the service may listen on.
    pub listen: AddressRule,
    /// Whether the service may start processes (`os.execute`, `io.popen`).
    pub process: bool,
    /// Whether the service may end the node (`os.exit`).
    pub exit: bool,
    /// Whether the service may load compiled Lua, which Lua does not check.
    pub bytecode: bool,
    /// Whether the service may load native modules.
    pub native_modules: NativeModules,
    /// Which functions of `debug` the service sees.
    pub debug: DebugAccess,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            memory: Some(MEMORY),
            message_time: None,
            mailbox: None,
            coroutines: Some(COROUTINES),
            timers: Some(TIMERS),
            sockets: Some(SOCKETS),
            read: PathRule::Any,
            write: PathRule::Within(vec![PathBuf::from(".")]),
            connect: AddressRule::Any,
            listen: AddressRule::Any,
            process: false,
            exit: false,
            bytecode: false,
            native_modules: NativeModules::Auto,
            debug: DebugAccess::Safe,
        }
    }
}

/// Whether native modules (shared libraries found through `package.cpath`) load. Such code is
/// bound by no other rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NativeModules {
    /// If the config names `lua_cpath`.
    Auto,
    /// Always.
    Allowed,
    /// Never.
    Refused,
}

impl NativeModules {
    /// Decides for a node whose config names `lua_cpath` or does not.
    pub fn allowed(self, lua_cpath_named: bool) -> bool {
        match self {
            Self::Auto => lua_cpath_named,
            Self::Allowed => true,
            Self::Refused => false,
        }
    }
}

/// How much of the library `debug` a service sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebugAccess {
    /// What works on Lua functions, as tracebacks and hot fixes need it; nothing that reaches
    /// native functions, userdata, the registry or the hooks of the node.
    Safe,
    /// All of it. Such a service can break out of its sandbox.
    Full,
    /// Nothing; the library is absent.
    Absent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_modules_follow_the_config_unless_told_otherwise() {
        assert!(NativeModules::Auto.allowed(true));
        assert!(!NativeModules::Auto.allowed(false));
        assert!(NativeModules::Allowed.allowed(false));
        assert!(!NativeModules::Refused.allowed(true));
    }

    #[test]
    fn the_default_refuses_what_can_hurt_the_machine() {
        let policy = Policy::default();
        assert!(!policy.process && !policy.exit && !policy.bytecode);
        assert!(!policy.native_modules.allowed(false));
        assert_eq!(policy.debug, DebugAccess::Safe);
        assert!(!policy.write.allows("/etc/passwd".as_ref(), "/tmp".as_ref()));
    }
}
