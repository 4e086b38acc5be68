//! The bridge: what two systems that share players do so that a transfer happens once or not at all.
//!
//! Here are the decisions alone: a machine is told what has happened and says what to do next. The
//! script `transfer.lua`, which Redis runs, makes each step whole; messages only save time.
//!
//! Invariant: nothing here reads a clock, opens a connection or keeps a balance, so that
//! `tests/bridge_model` can walk through every order of events.
//! Not here: bytes of messages (`codec/bridge.rs`), Redis and coroutines (`lua/lib/bridge`).
//! The protocol: docs/bridge.md.

pub mod amount;
pub mod giver;
pub mod id;
pub mod record;
pub mod sessions;
pub mod step;
pub mod taker;

/// The script that makes each step of a transfer, as docs/bridge.md prints it.
pub const SCRIPT: &str = include_str!("transfer.lua");

/// Names of fields that the bridge itself writes; those that begin with `_` are its own, too.
pub const RESERVED: &[&[u8]] = &[b"uid", b"session", b"id", b"error", b"result"];

/// True for the short name of a system: 1 to 16 letters and digits.
pub fn is_short_name(name: &[u8]) -> bool {
    (1..=16).contains(&name.len()) && name.iter().all(u8::is_ascii_alphanumeric)
}

/// The command without `req_`: the answer to `req_move` is `rsp_move`.
pub fn subject(command: &[u8]) -> &[u8] {
    command.strip_prefix(b"req_").unwrap_or(command)
}

/// The name of the message `prefix` about `command`.
pub fn about(prefix: &str, command: &[u8]) -> Vec<u8> {
    [prefix.as_bytes(), subject(command)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_named_after_their_request() {
        assert_eq!(about("rsp_", b"req_mv_gold"), b"rsp_mv_gold");
        assert_eq!(about("ack_", b"mv_gold"), b"ack_mv_gold");
    }

    #[test]
    fn short_names_are_letters_and_digits() {
        assert!(is_short_name(b"f") && is_short_name(b"fishing2"));
        assert!(!is_short_name(b"") && !is_short_name(b"f_1") && !is_short_name(&[b'a'; 17]));
    }
}
