//! The process around the node: signals, the background, the end.
//!
//! Not here: what services do when the node stops (`kernel/stop.rs`).

pub mod daemon;
pub mod heap;
pub mod signals;

/// Host name and process id, which is what a node is called in the traces of others.
pub fn node_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the buffer is writable for its whole length; the last byte stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let host = name.split(|byte| *byte == 0).next().unwrap_or_default();
    format!("{}{}", String::from_utf8_lossy(host), std::process::id())
}
