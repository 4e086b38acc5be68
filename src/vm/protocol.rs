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

    /// All types.
    pub fn iter(&self) -> impl Iterator<Item = &Protocol> {
        self.all.iter()
    }
}
