//! Addresses as scripts give them: a host and a port, or both in one text.

use std::ffi::c_int;

use crate::vm::native::{Call, Lossy, Raise};

/// Reads the address at `index`, with the port at `index + 1` if there is one. The host points
/// into the argument.
pub(super) fn address(call: &mut Call, index: c_int) -> Result<(*const str, u16), Raise> {
    let text: *const [u8] = call.check_string(index)?;
    // SAFETY: the text stays on the stack.
    let text = unsafe { &*text };
    let (host, port) = if call.is_none_or_nil(index + 1) {
        match split(text) {
            Ok(parts) => parts,
            Err(Slip::Address) => {
                return Err(call.error(format_args!("Invalid address {}.", Lossy(text))));
            }
            Err(Slip::Port) => {
                return Err(call.error(format_args!("Invalid port in address {}.", Lossy(text))));
            }
        }
    } else {
        let port = call.check_integer(index + 1)?;
        let Ok(port) = u16::try_from(port) else {
            return Err(call.error(format_args!("Invalid port {port} (expected 0 to 65535)")));
        };
        (text, port)
    };
    // A host of brackets and nothing else around it is the number inside.
    let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    match str::from_utf8(host) {
        Ok(host) if !host.contains('\0') => Ok((host, port)),
        _ => Err(call.error(format_args!("Invalid address {}.", Lossy(text)))),
    }
}

/// What is wrong with a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slip {
    Address,
    Port,
}

/// Splits `host:port` and `[host]:port`.
fn split(text: &[u8]) -> Result<(&[u8], u16), Slip> {
    let open = text.iter().position(|byte| *byte == b'[');
    let (host, rest) = match open {
        Some(open) => {
            let close = text.iter().position(|byte| *byte == b']').ok_or(Slip::Address)?;
            (text.get(open + 1..close).ok_or(Slip::Address)?, &text[close + 1..])
        }
        None => {
            let colon = text.iter().position(|byte| *byte == b':').ok_or(Slip::Address)?;
            text.split_at(colon)
        }
    };
    let colon = rest.iter().position(|byte| *byte == b':').ok_or(Slip::Address)?;
    let port = str::from_utf8(&rest[colon + 1..]).map_err(|_| Slip::Port)?;
    Ok((host, port.trim_start().parse().map_err(|_| Slip::Port)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_stand_in_one_text() {
        assert_eq!(split(b"127.0.0.1:80"), Ok((b"127.0.0.1".as_slice(), 80)));
        assert_eq!(split(b"[::1]:8080"), Ok((b"::1".as_slice(), 8080)));
        assert_eq!(split(b":0"), Ok((b"".as_slice(), 0)));
    }

    #[test]
    fn slips_are_told_apart() {
        for text in ["host", "[::1", "[::1]80", "]:[80"] {
            assert_eq!(split(text.as_bytes()), Err(Slip::Address), "{text}");
        }
        for text in ["host:", "host:x", "host:65536", "host:-1", "host:80x"] {
            assert_eq!(split(text.as_bytes()), Err(Slip::Port), "{text}");
        }
    }
}
