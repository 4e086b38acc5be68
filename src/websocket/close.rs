//! Close codes and reasons.
//!
//! Invariant: no frame leaves with a code that must not be on the wire, or longer than a control
//! frame may be.

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The purpose is fulfilled.
pub const NORMAL: u16 = 1000;
/// The side goes away, as a service that ends.
pub const AWAY: u16 = 1001;
/// The protocol was broken.
pub const PROTOCOL: u16 = 1002;
/// Never on the wire: the connection was lost.
pub const ABNORMAL: u16 = 1006;
/// Text that is no UTF-8.
pub const INVALID: u16 = 1007;
/// A rule of this side was broken.
pub const POLICY: u16 = 1008;
/// The message is too big.
pub const SIZE: u16 = 1009;
/// Something unexpected on this side.
pub const ERROR: u16 = 1011;

/// Longest reason: a control frame has 125 bytes, two of which are the code.
pub const REASON: usize = 123;

/// True for a code that a close frame may have: those the protocol and its register define, and
/// those for libraries and games.
pub const fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// As much of `reason` as fits into a close frame, cut between two characters.
pub fn cut(reason: &str) -> &str {
    if reason.len() <= REASON {
        return reason;
    }
    let mut end = REASON;
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// The frame that says so. `code` is sendable; a reason without a code is `NORMAL`.
pub(super) fn frame(code: Option<u16>, reason: &str) -> Option<CloseFrame> {
    let reason = cut(reason);
    let code = match code {
        Some(code) => code,
        None if reason.is_empty() => return None,
        None => NORMAL,
    };
    Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_may_be_on_the_wire_are_sendable() {
        for code in 0..=u16::MAX {
            let forbidden = code < 1000
                || [1004, 1005, 1006, 1015].contains(&code)
                || (1016..3000).contains(&code)
                || code >= 5000;
            assert_eq!(is_sendable(code), !forbidden, "{code}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(cut("bye"), "bye");
        let exact = "a".repeat(REASON);
        assert_eq!(cut(&exact), exact);
        assert_eq!(cut(&"a".repeat(200)).len(), REASON);
        // 41 characters of three bytes are 123; shifted by one byte the last does not fit.
        assert_eq!(cut(&"永".repeat(50)).len(), 123);
        assert_eq!(cut(&format!("a{}", "永".repeat(50))).len(), 121);
        assert_eq!(cut(&"😀".repeat(40)).len(), 120);
    }

    #[test]
    fn a_frame_without_code_and_reason_is_empty_and_a_bare_reason_is_normal() {
        assert_eq!(frame(None, ""), None);
        assert_eq!(u16::from(frame(None, "bye").unwrap().code), NORMAL);
        assert_eq!(u16::from(frame(Some(4001), "").unwrap().code), 4001);
    }
}
