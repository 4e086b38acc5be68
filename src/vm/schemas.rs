//! Schemas of sproto that scripts hold. What they hold is a light userdata, a number rather than an
//! address: that of the schema, and in the lowest bits one more than the index of a type, or zero
//! for the schema itself.
//!
//! A schema belongs to the services that have used it, and to the slot of the node in which one has
//! been saved. Invariant: while a native uses a schema it stays, whatever finalizers do meanwhile; a
//! number is never given twice.
//! Not here: what is in a schema (`codec/sproto`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::session::NO_REFERENCE;
use crate::codec::sproto::schema::Schema;

/// Slots for schemas that all services share.
pub const SLOTS: usize = 16;

/// Bits of a type's number.
const TYPE_BITS: u32 = 24;

/// What a script holds of a schema or one of its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(usize);

impl Handle {
    /// The handle behind a light userdata; `None` for a null pointer.
    #[inline]
    pub const fn from_pointer(pointer: usize) -> Option<Self> {
        if pointer == 0 { None } else { Some(Self(pointer)) }
    }

    /// The light userdata for it.
    pub const fn pointer(self) -> usize {
        self.0
    }

    /// The handle of a type of the same schema.
    #[must_use]
    pub const fn of_type(self, index: u32) -> Self {
        Self(self.number() << TYPE_BITS | (index as usize + 1))
    }

    /// The index of the type that is meant; `None` if the schema itself is.
    #[inline]
    pub const fn type_index(self) -> Option<usize> {
        (self.0 & ((1 << TYPE_BITS) - 1)).checked_sub(1)
    }

    #[inline]
    const fn number(self) -> usize {
        self.0 >> TYPE_BITS
    }
}

/// Schemas of a node.
#[derive(Default)]
pub struct Shelf(Mutex<Shelved>);

#[derive(Default)]
struct Shelved {
    last: usize,
    slots: [Option<(Handle, Arc<Schema>)>; SLOTS],
    living: HashMap<usize, Weak<Schema>>,
    /// How many living ones there may be before those that are gone are looked for.
    crowded: usize,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Shelved> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, schema: &Arc<Schema>) -> Handle {
        let mut shelved = self.lock();
        shelved.last += 1;
        let number = shelved.last;
        if shelved.living.len() >= shelved.crowded {
            shelved.living.retain(|_, schema| schema.strong_count() > 0);
            shelved.crowded = 2 * shelved.living.len() + SLOTS;
        }
        shelved.living.insert(number, Arc::downgrade(schema));
        Handle(number << TYPE_BITS)
    }

    fn find(&self, handle: Handle) -> Option<Arc<Schema>> {
        self.lock().living.get(&handle.number())?.upgrade()
    }

    /// Puts a schema into a slot for all services, or empties the slot.
    pub fn save(&self, slot: usize, schema: Option<(Handle, Arc<Schema>)>) {
        let former = std::mem::replace(&mut self.lock().slots[slot], schema);
        drop(former);
    }

    /// The schema in a slot.
    pub fn load(&self, slot: usize) -> Option<(Handle, Arc<Schema>)> {
        self.lock().slots[slot].clone()
    }
}

/// A schema that a service has used.
pub struct Known {
    /// The schema.
    pub schema: Arc<Schema>,
    /// Reference of the table of its fields' names, or none yet.
    pub names: c_int,
    users: u32,
    is_deleted: bool,
    charged: usize,
}

impl Known {
    fn new(schema: Arc<Schema>, charged: usize) -> Box<Self> {
        Box::new(Self { schema, names: NO_REFERENCE, users: 0, is_deleted: false, charged })
    }
}

/// Schemas that a service has used.
#[derive(Default)]
pub struct Schemas(BTreeMap<usize, Box<Known>>);

impl Schemas {
    /// Takes in a schema that the service has made; `charged` bytes of it count as the service's.
    pub fn add(&mut self, shelf: &Shelf, schema: Schema, charged: usize) -> Handle {
        let schema = Arc::new(schema);
        let handle = shelf.add(&schema);
        self.0.insert(handle.number(), Known::new(schema, charged));
        handle
    }

    /// The schema behind a handle, also one of another service.
    #[inline]
    pub fn find(&mut self, shelf: &Shelf, handle: Handle) -> Option<&mut Known> {
        let known = match self.0.entry(handle.number()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Known::new(shelf.find(handle)?, 0)),
        };
        if known.is_deleted { None } else { Some(known) }
    }

    /// The same for a use during which Lua may run; it ends with `leave`. The pointer is good until
    /// then.
    #[inline]
    pub fn enter(&mut self, shelf: &Shelf, handle: Handle) -> Option<NonNull<Known>> {
        let known = self.find(shelf, handle)?;
        known.users += 1;
        Some(NonNull::from(known))
    }

    /// Ends a use; what is then to be given back, as by `forget`.
    pub fn leave(&mut self, handle: Handle) -> Option<Forgotten> {
        let known = self.0.get_mut(&handle.number())?;
        known.users -= 1;
        if known.is_deleted && known.users == 0 { self.remove(handle) } else { None }
    }

    /// Forgets a schema, now or at the end of the uses in progress.
    pub fn forget(&mut self, handle: Handle) -> Option<Forgotten> {
        let known = self.0.get_mut(&handle.number())?;
        if known.users > 0 {
            known.is_deleted = true;
            return None;
        }
        self.remove(handle)
    }

    fn remove(&mut self, handle: Handle) -> Option<Forgotten> {
        let known = self.0.remove(&handle.number())?;
        Some(Forgotten { names: known.names, charged: known.charged })
    }
}

/// What a forgotten schema leaves to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Reference of its names, or none.
    pub names: c_int,
    /// Bytes that counted as the service's.
    pub charged: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::from_bundle(&[0, 0]).unwrap()
    }

    #[test]
    fn a_schema_stays_while_it_is_used_and_its_number_is_not_given_again() {
        let (shelf, mut schemas) = (Shelf::default(), Schemas::default());
        let handle = schemas.add(&shelf, schema(), 7);
        assert!(schemas.enter(&shelf, handle).is_some());
        assert_eq!(schemas.forget(handle), None);
        assert!(schemas.find(&shelf, handle).is_none());
        assert_eq!(schemas.leave(handle), Some(Forgotten { names: NO_REFERENCE, charged: 7 }));
        assert!(schemas.find(&shelf, handle).is_none());
        assert_ne!(schemas.add(&shelf, schema(), 0), handle);
    }

    #[test]
    fn a_saved_schema_outlives_the_service_that_made_it() {
        let shelf = Shelf::default();
        let mut schemas = Schemas::default();
        let handle = schemas.add(&shelf, schema(), 0);
        let lost = schemas.add(&shelf, schema(), 0);
        let saved = schemas.find(&shelf, handle).map(|known| Arc::clone(&known.schema));
        shelf.save(3, saved.map(|schema| (handle, schema)));
        drop(schemas);
        let mut others = Schemas::default();
        assert_eq!(shelf.load(3).map(|(found, _)| found), Some(handle));
        assert!(others.find(&shelf, handle).is_some());
        assert!(others.find(&shelf, lost).is_none());
        shelf.save(3, None);
        assert!(shelf.load(3).is_none());
        assert!(others.find(&shelf, handle).is_some());
    }

    #[test]
    fn handles_of_types_lead_to_their_schema() {
        let (shelf, mut schemas) = (Shelf::default(), Schemas::default());
        let handle = schemas.add(&shelf, schema(), 0);
        assert_eq!(handle.type_index(), None);
        let of_type = handle.of_type(5);
        assert_eq!(of_type.type_index(), Some(5));
        assert_eq!(Handle::from_pointer(of_type.pointer()), Some(of_type));
        assert!(schemas.find(&shelf, of_type).is_some());
        assert_eq!(Handle::from_pointer(0), None);
    }

    #[test]
    fn numbers_of_schemas_that_are_gone_are_not_kept_for_ever() {
        let shelf = Shelf::default();
        for _ in 0..1000 {
            Schemas::default().add(&shelf, schema(), 0);
        }
        assert!(shelf.lock().living.len() < 100);
    }
}
