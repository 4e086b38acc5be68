//! Data that all services of a node read: immutable trees under names, and cells of bytes.
//!
//! A tree is built once, outside of any Lua state, and never changed; a newer version is another
//! tree under the same name. Readers hold a version for as long as they look at it, so an update
//! waits for nobody and frees the old version when the last look is over.
//!
//! Invariant: nothing here knows Lua or a service; what is under a name is switched by one store.
//! Not here: walking Lua tables and the tables that scripts see (`bindings/shared`).

pub mod builder;
pub mod cell;
mod hash;
pub mod sheet;
pub mod store;
mod text;
pub mod tree;

#[cfg(test)]
mod tests;

pub use builder::{Builder, Full};
pub use store::{Held, Kind, Object, PublishError, Slot, Store};
pub use text::Text;
pub use tree::{Key, Node, Tree, Value};
