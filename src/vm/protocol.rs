//! Message types a service knows: `skynet.register_protocol`.
//!
//! Invariant: names and ids are unique. The built-in types `lua` and `debug` are packed and
//! unpacked natively; every other type goes through the functions in its table, read at each use,
//! so that a script may change them.

use std::ffi::c_int;

use super::session::NO_REFERENCE;
use crate::kernel::Kind;

/// One message type.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its id.
    pub kind: Kind,
    /// Reference of its table, or none for the built-in ones.
    pub class: c_int,
    /// Reference of the handler of a built-in type, or none.
    pub dispatch: c_int,
}

impl Protocol {
    /// True for types whose payload is packed Lua values.
    #[inline]
    pub const fn is_native(&self) -> bool {
        self.class == NO_REFERENCE
    }
}

/// The message types of one service.
#[derive(Debug)]
pub struct Protocols {
    all: Vec<Protocol>,
}

/// Position of `lua` in the list; it comes first because it is the most used.
const LUA: usize = 0;
/// Position of `error`.
const ERROR: usize = 2;

impl Protocols {
    pub(super) fn new() -> Self {
        let builtin = |name: &str, kind| Protocol {
            name: name.as_bytes().into(),
            kind,
            class: NO_REFERENCE,
            dispatch: NO_REFERENCE,
        };
        Self {
            all: vec![
                builtin("lua", Kind::LUA),
                builtin("response", Kind::RESPONSE),
                builtin("error", Kind::ERROR),
                builtin("debug", Kind::DEBUG),
            ],
        }
    }

    /// The type `lua`.
    #[inline]
    pub fn lua(&self) -> &Protocol {
        &self.all[LUA]
    }

    /// True when the script has put a handler of its own in the place of the one for errors.
    #[inline]
    pub fn handles_errors(&self) -> bool {
        self.all[ERROR].dispatch != NO_REFERENCE
    }

    /// Position of the type with this name.
    #[inline]
    pub fn by_name(&self, name: &[u8]) -> Option<usize> {
        self.all.iter().position(|protocol| &*protocol.name == name)
    }

    /// Position of the type with this id.
    #[inline]
    pub fn by_kind(&self, kind: Kind) -> Option<usize> {
        self.all.iter().position(|protocol| protocol.kind == kind)
    }

    /// The type at a position.
    #[inline]
    pub fn at(&self, position: usize) -> &Protocol {
        &self.all[position]
    }

    /// The type at a position, to set its handler.
    pub fn at_mut(&mut self, position: usize) -> &mut Protocol {
        &mut self.all[position]
    }

    /// Adds a type.
    pub fn add(&mut self, name: &[u8], kind: Kind, class: c_int) {
        self.all.push(Protocol { name: name.into(), kind, class, dispatch: NO_REFERENCE });
    }

    /// A message type for the log: its name, or its number when the service does not know it.
    pub fn describe(&self, kind: Kind) -> String {
        match self.by_kind(kind) {
            Some(position) => String::from_utf8_lossy(&self.at(position).name).into_owned(),
            None => kind.0.to_string(),
        }
    }

    /// All types.
    pub fn iter(&self) -> impl Iterator<Item = &Protocol> {
        self.all.iter()
    }
}
