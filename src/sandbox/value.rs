//! What each key of a policy file may be set to: one function a kind of value.
//!
//! Invariant: a refusal says what is allowed, in the words of the file, to follow "expected".
//! Not here: where a value stands (`file.rs`, whose tests show every refusal).

use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::address::{AddressRange, AddressRule};
use super::path::PathRule;
use super::policy::{DebugAccess, LEAST_MEMORY, NativeModules};
use super::quantity;

/// Services that a node can have: an address has 24 bits for them, and 0 is nobody.
const MOST_SERVICES: i64 = (1 << 24) - 1;

/// How many services a node may have.
pub(super) fn services(value: &Value) -> Result<usize, &'static str> {
    let number = value.as_integer().filter(|number| (1..=MOST_SERVICES).contains(number));
    number.and_then(|number| usize::try_from(number).ok()).ok_or("a number, 1..=16777215")
}

/// A limit of memory in bytes; too little to start a service is refused.
pub(super) fn memory(value: &Value) -> Result<Option<u64>, &'static str> {
    let bytes = match value {
        Value::String(word) if word == "unlimited" => return Ok(None),
        Value::String(text) => quantity::bytes(text),
        Value::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    bytes.filter(|bytes| *bytes >= LEAST_MEMORY).map(Some).ok_or(
        "bytes such as \"64MiB\", \"2GiB\" or 1048576, at least \"256KiB\", or \"unlimited\"",
    )
}

/// A limit of time.
pub(super) fn time(value: &Value) -> Result<Option<Duration>, &'static str> {
    match value.as_str() {
        Some("off") => Ok(None),
        text => text
            .and_then(quantity::duration)
            .map(Some)
            .ok_or("a time such as \"100ms\", \"5s\" or \"2min\", or \"off\""),
    }
}

/// A limit that may be nothing at all.
pub(super) fn count(value: &Value) -> Result<Option<usize>, &'static str> {
    at_least(0, value).ok_or("a number from 0, or \"unlimited\"")
}

/// A limit that leaves at least one.
pub(super) fn count_from_1(value: &Value) -> Result<Option<usize>, &'static str> {
    at_least(1, value).ok_or("a number from 1, or \"unlimited\"")
}

/// The outer `None`: the value is no count.
fn at_least(least: usize, value: &Value) -> Option<Option<usize>> {
    match value {
        Value::String(word) if word == "unlimited" => Some(None),
        Value::Integer(number) => {
            usize::try_from(*number).ok().filter(|number| *number >= least).map(Some)
        }
        _ => None,
    }
}

/// A rule for folders.
pub(super) fn folders(value: &Value) -> Result<PathRule, &'static str> {
    let folders = any_or_list(value, |text| (!text.is_empty()).then(|| PathBuf::from(text)));
    let folders = folders.ok_or("a list of folders such as [\".\", \"/tmp\"], or \"any\"")?;
    Ok(folders.map_or(PathRule::Any, PathRule::Within))
}

/// A rule for addresses.
pub(super) fn addresses(value: &Value) -> Result<AddressRule, &'static str> {
    let ranges = any_or_list(value, |text| text.parse::<AddressRange>().ok()).ok_or(
        "a list of addresses such as [\"127.0.0.1:6379\", \"10.0.0.0/8:8000-8099\", \
         \"[::1]:80\", \"*:443\"], or \"any\"",
    )?;
    Ok(ranges.map_or(AddressRule::Any, AddressRule::Only))
}

/// `Some(None)` for "any", the items of a list, or `None` for anything else.
fn any_or_list<T>(value: &Value, item: fn(&str) -> Option<T>) -> Option<Option<Vec<T>>> {
    match value {
        Value::String(word) if word == "any" => Some(None),
        Value::Array(items) => {
            items.iter().map(|value| item(value.as_str()?)).collect::<Option<Vec<T>>>().map(Some)
        }
        _ => None,
    }
}

/// Yes or no.
pub(super) fn switch(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("true or false")
}

/// What holds for native modules.
pub(super) fn native(value: &Value) -> Result<NativeModules, &'static str> {
    match (value.as_str(), value.as_bool()) {
        (Some("auto"), _) => Ok(NativeModules::Auto),
        (_, Some(true)) => Ok(NativeModules::Allowed),
        (_, Some(false)) => Ok(NativeModules::Refused),
        _ => Err("\"auto\", true or false"),
    }
}

/// How much of `debug` there is.
pub(super) fn debug(value: &Value) -> Result<DebugAccess, &'static str> {
    match value.as_str() {
        Some("safe") => Ok(DebugAccess::Safe),
        Some("full") => Ok(DebugAccess::Full),
        Some("none") => Ok(DebugAccess::Absent),
        _ => Err("\"safe\", \"full\" or \"none\""),
    }
}
