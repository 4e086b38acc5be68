//! Lists of servers among the options of a connection.

use std::ffi::c_int;

use mlua::ffi;

use crate::net::Address;
use crate::vm::native::{Call, Raise};

/// The addresses in the list at `index`, called `name` in errors; none if it is absent.
///
/// # Errors
/// When it is no list of addresses.
pub(super) fn addresses(call: &mut Call, index: c_int, name: &str) -> Result<Vec<Address>, Raise> {
    if !call.boolean(index) {
        return Ok(Vec::new());
    }
    call.check_type(index, ffi::LUA_TTABLE)?;
    let mut all = Vec::new();
    let failure = loop {
        let place = i64::try_from(all.len() + 1).unwrap_or(i64::MAX);
        // SAFETY: a native has free slots; reading raw runs no Lua and raises nothing.
        let text = unsafe {
            ffi::lua_rawgeti(call.state(), index, place);
            let text = call.string(-1).map(|text| String::from_utf8_lossy(text).into_owned());
            ffi::lua_pop(call.state(), 1);
            text
        };
        match text.as_deref().map(Address::parse) {
            Some(Ok(address)) => all.push(address),
            Some(Err(error)) => break error.to_string(),
            None if all.is_empty() => break "there is no address in it".to_owned(),
            None => return Ok(all),
        }
    };
    let raise = call.plain_error(format_args!("redis: {name}: {failure}"));
    drop((all, failure));
    Err(raise)
}
