//! The settings that `CONFIG GET` shows and `CONFIG SET` changes.
//!
//! Invariant: what can be set is held to; what cannot is refused, with its reason.

use super::config::{Config, DATABASES, Fsync};
use super::reply::Failure;
use crate::codec::resp::request::integer;

/// All settings with their values.
pub(super) fn all(config: &Config) -> Vec<(&'static str, String)> {
    let file = config.file.as_deref();
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let password = config.password.as_deref().unwrap_or_default();
    vec![
        ("port", config.port.to_string()),
        ("bind", "127.0.0.1".to_owned()),
        ("databases", DATABASES.to_string()),
        ("requirepass", String::from_utf8_lossy(password).into_owned()),
        ("maxmemory", config.maxmemory.to_string()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("maxclients", config.maxclients.to_string()),
        ("proto-max-bulk-len", config.bulk_limit.to_string()),
        ("lua-time-limit", config.script_limit.to_string()),
        ("busy-reply-threshold", config.script_limit.to_string()),
        ("save", String::new()),
        ("appendonly", if file.is_some() { "yes" } else { "no" }.to_owned()),
        ("appendfsync", config.fsync.word().to_owned()),
        ("appendfilename", part(file.and_then(|file| file.file_name()))),
        ("dir", part(file.and_then(|file| file.parent()).map(|folder| folder.as_os_str()))),
        ("auto-aof-rewrite-percentage", config.rewrite_percentage.to_string()),
        ("auto-aof-rewrite-min-size", config.rewrite_size.to_string()),
    ]
}

fn refused(name: &str, why: &str) -> Failure {
    Failure::of(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"))
}

/// A number of bytes, perhaps with a unit.
fn bytes(text: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit = match unit {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Changes a setting.
///
/// # Errors
/// When there is none of this name, it does not change, or not to this value.
pub(super) fn set(config: &mut Config, name: &[u8], value: &[u8]) -> Result<(), Failure> {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let no_memory = || refused(&name, "argument must be a memory value");
    let number = || {
        let number = integer(value).and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| refused(&name, "argument couldn't be parsed into an integer"))
    };
    match &*name {
        "requirepass" => config.password = (!value.is_empty()).then(|| value.to_vec()),
        "maxmemory" => {
            let limit = bytes(value).and_then(|bytes| usize::try_from(bytes).ok());
            config.maxmemory = limit.ok_or_else(no_memory)?;
        }
        "maxclients" => {
            let limit = usize::try_from(number()?).unwrap_or(usize::MAX);
            if limit == 0 {
                return Err(refused(&name, "argument must be at least 1"));
            }
            config.maxclients = limit;
        }
        "proto-max-bulk-len" => {
            /// The least that Redis lets one set.
            const LEAST: i64 = 1 << 20;
            let limit = bytes(value).and_then(|bytes| i64::try_from(bytes).ok());
            config.bulk_limit = limit.filter(|limit| *limit >= LEAST).ok_or_else(no_memory)?;
        }
        "lua-time-limit" | "busy-reply-threshold" => config.script_limit = number()?,
        "appendfsync" => {
            let why = "argument(s) must be one of the following: everysec, always, no";
            config.fsync = Fsync::parse(value).ok_or_else(|| refused(&name, why))?;
        }
        "auto-aof-rewrite-percentage" => config.rewrite_percentage = number()?,
        "auto-aof-rewrite-min-size" => config.rewrite_size = bytes(value).ok_or_else(no_memory)?,
        _ if all(config).iter().any(|(known, _)| *known == name) => {
            return Err(refused(&name, "can't set immutable config"));
        }
        _ => {
            return Err(Failure::of(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
            )));
        }
    }
    Ok(())
}
