//! Writes a document element by element.

use super::text::is_plain;
use super::{Kind, LENGTH, is_text};

/// What no document can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A key or text that is no UTF-8.
    #[error("Invalid utf8 string")]
    Text,
    /// A key or pattern with a zero byte, which would end it.
    #[error("Invalid key or pattern : a zero byte inside")]
    Zero,
}

/// Begins a document, or something else with its length in front; where it began.
#[inline]
pub fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    start
}

/// Ends a document.
#[inline]
pub fn end(out: &mut Vec<u8>, start: usize) {
    out.push(0);
    let length = out.len() - start;
    put_length(out, start, length);
}

#[inline]
fn put_length(out: &mut [u8], at: usize, length: usize) {
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    out[at..at + LENGTH].copy_from_slice(&length.to_le_bytes());
}

/// Appends the kind and the key of an element.
///
/// # Errors
/// When the key is none; nothing of use was appended then.
#[inline]
pub fn put_head(out: &mut Vec<u8>, kind: Kind, key: &[u8]) -> Result<(), Refused> {
    out.push(kind.number());
    put_name(out, key)
}

/// Appends a text that ends with a zero byte.
#[inline]
fn put_name(out: &mut Vec<u8>, name: &[u8]) -> Result<(), Refused> {
    if !is_plain(name) {
        if !is_text(name) {
            return Err(Refused::Text);
        }
        if memchr::memchr(0, name).is_some() {
            return Err(Refused::Zero);
        }
    }
    out.reserve(name.len() + 1);
    out.extend_from_slice(name);
    out.push(0);
    Ok(())
}

/// Appends a text with its length.
///
/// # Errors
/// When it is no UTF-8.
#[inline]
pub fn put_string(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Refused> {
    if !is_text(text) {
        return Err(Refused::Text);
    }
    let start = begin(out);
    out.extend_from_slice(text);
    out.push(0);
    put_length(out, start, text.len() + 1);
    Ok(())
}

/// Appends bytes of a sort.
pub fn put_binary(out: &mut Vec<u8>, sort: u8, bytes: &[u8]) {
    let start = begin(out);
    put_length(out, start, bytes.len());
    out.push(sort);
    out.extend_from_slice(bytes);
}

/// Appends a pattern and its options.
///
/// # Errors
/// When one of them cannot be written.
pub fn put_regex(out: &mut Vec<u8>, pattern: &[u8], options: &[u8]) -> Result<(), Refused> {
    put_name(out, pattern)?;
    put_name(out, options)
}
