//! Where the trees of a node are found: under names, or by the number of an object.
//!
//! Invariant: a slot's version grows with each tree put into it, under one lock with the tree. The
//! bytes of all trees that anybody still holds stay below the node's limit.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::builder::Full;
use super::cell::Cell;
use super::tree::Tree;

/// Names of one kind that a node keeps.
const NAMES: usize = 65_536;

/// Objects without a name, and cells, that a node keeps, of each.
const OBJECTS: usize = 65_536;

/// Whose names they are; each module has its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `skynet.sharedata`.
    Data,
    /// `skynet.sharetable`.
    Table,
    /// `skynet.datasheet`.
    Sheet,
}

/// Why a tree is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishError {
    /// There is one under this name.
    Exists,
    /// There is none under this name.
    Absent,
    /// There are too many names or objects.
    TooMany(usize),
    /// All trees together would be larger than this.
    Limit(usize),
    /// The tree cannot count its parts.
    Full,
}

impl From<Full> for PublishError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => formatter.write_str("exists already"),
            Self::Absent => formatter.write_str("does not exist"),
            Self::TooMany(most) => write!(formatter, "is one more than {most}"),
            Self::Limit(bytes) => write!(
                formatter,
                "does not fit: shared data of the node may take {} MiB (config: shared_limit)",
                bytes >> 20
            ),
            Self::Full => write!(formatter, "{Full}"),
        }
    }
}

impl std::error::Error for PublishError {}

/// Bytes of a tree, counted for as long as the tree is there.
#[derive(Debug)]
struct Charge {
    total: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A tree that the node counts.
#[derive(Debug)]
pub struct Held {
    tree: Tree,
    _charge: Charge,
}

impl std::ops::Deref for Held {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

/// What is under a name.
#[derive(Debug)]
pub struct Slot {
    /// Unique in the node.
    pub id: u64,
    /// Its name.
    pub name: Box<[u8]>,
    current: Mutex<(Arc<Held>, u32)>,
}

impl Slot {
    /// The latest tree and its version.
    pub fn current(&self) -> (Arc<Held>, u32) {
        let current = lock(&self.current);
        (Arc::clone(&current.0), current.1)
    }

    fn put(&self, tree: Arc<Held>) {
        let old = {
            let mut current = lock(&self.current);
            current.1 = current.1.wrapping_add(1);
            std::mem::replace(&mut current.0, tree)
        };
        // Freeing takes its time; nobody waits for it.
        drop(old);
    }
}

/// A tree without a name, for those who pass its number around.
#[derive(Debug)]
pub struct Object {
    /// The tree.
    pub tree: Arc<Held>,
    /// How many are said to use it.
    pub references: AtomicI64,
    /// Whether it is said to be out of date.
    pub dirty: std::sync::atomic::AtomicBool,
}

/// Bytes in a cell.
pub type Bytes = Cell<Box<[u8]>>;

type Names = Mutex<HashMap<Box<[u8]>, Arc<Slot>>>;

/// All shared data of a node.
#[derive(Debug)]
pub struct Store {
    names: [Names; 3],
    objects: Mutex<HashMap<u64, Arc<Object>>>,
    cells: Mutex<HashMap<u64, Arc<Bytes>>>,
    next: AtomicU64,
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// A store whose trees take at most `limit` bytes together.
    pub fn new(limit: usize) -> Self {
        Self {
            names: Default::default(),
            objects: Mutex::default(),
            cells: Mutex::default(),
            next: AtomicU64::new(1),
            bytes: Arc::default(),
            limit,
        }
    }

    fn names(&self, kind: Kind) -> MutexGuard<'_, HashMap<Box<[u8]>, Arc<Slot>>> {
        lock(&self.names[kind as usize])
    }

    /// A number that nothing else in the node has.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Bytes of all trees.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a tree.
    ///
    /// # Errors
    /// When the node has no room for it.
    pub fn hold(&self, tree: Tree) -> Result<Arc<Held>, PublishError> {
        let bytes = tree.size();
        let total = Arc::clone(&self.bytes);
        total.fetch_add(bytes, Ordering::Relaxed);
        let charge = Charge { total, bytes };
        if self.bytes() > self.limit {
            return Err(PublishError::Limit(self.limit));
        }
        Ok(Arc::new(Held { tree, _charge: charge }))
    }

    /// Puts a tree under a name that has none.
    ///
    /// # Errors
    /// When the name has one, or there is no room.
    pub fn create(&self, kind: Kind, name: &[u8], tree: Tree) -> Result<(), PublishError> {
        self.publish(kind, name, tree, Some(false))
    }

    /// Puts a tree under a name, in the place of the one that is there.
    ///
    /// # Errors
    /// When there is no room.
    pub fn put(&self, kind: Kind, name: &[u8], tree: Tree) -> Result<(), PublishError> {
        self.publish(kind, name, tree, None)
    }

    /// Puts a tree in the place of one that is there.
    ///
    /// # Errors
    /// When there is none, or no room.
    pub fn replace(&self, kind: Kind, name: &[u8], tree: Tree) -> Result<(), PublishError> {
        self.publish(kind, name, tree, Some(true))
    }

    fn publish(
        &self,
        kind: Kind,
        name: &[u8],
        tree: Tree,
        expected: Option<bool>,
    ) -> Result<(), PublishError> {
        let tree = self.hold(tree)?;
        let slot = {
            let mut names = self.names(kind);
            match (names.get(name), expected) {
                (Some(_), Some(false)) => return Err(PublishError::Exists),
                (None, Some(true)) => return Err(PublishError::Absent),
                (Some(slot), _) => Arc::clone(slot),
                (None, _) => {
                    if names.len() >= NAMES {
                        return Err(PublishError::TooMany(NAMES));
                    }
                    let current = Mutex::new((tree, 1));
                    let slot = Slot { id: self.number(), name: name.into(), current };
                    names.insert(name.into(), Arc::new(slot));
                    return Ok(());
                }
            }
        };
        slot.put(tree);
        Ok(())
    }

    /// What is under a name.
    pub fn find(&self, kind: Kind, name: &[u8]) -> Option<Arc<Slot>> {
        self.names(kind).get(name).cloned()
    }

    /// Frees a name; who holds what was under it keeps it. False if there was nothing.
    pub fn delete(&self, kind: Kind, name: &[u8]) -> bool {
        let removed = self.names(kind).remove(name);
        removed.is_some()
    }

    /// All slots of a kind.
    pub fn list(&self, kind: Kind) -> Vec<Arc<Slot>> {
        self.names(kind).values().cloned().collect()
    }

    /// Gives a tree a number to be found by.
    ///
    /// # Errors
    /// When there is no room.
    pub fn add_object(&self, tree: Tree) -> Result<u64, PublishError> {
        let tree = self.hold(tree)?;
        let number = self.number();
        let mut objects = lock(&self.objects);
        if objects.len() >= OBJECTS {
            return Err(PublishError::TooMany(OBJECTS));
        }
        let object = Object { tree, references: AtomicI64::new(0), dirty: false.into() };
        objects.insert(number, Arc::new(object));
        Ok(number)
    }

    /// The object with a number.
    pub fn object(&self, number: u64) -> Option<Arc<Object>> {
        lock(&self.objects).get(&number).cloned()
    }

    /// Forgets an object; false if there is none.
    pub fn remove_object(&self, number: u64) -> bool {
        let removed = lock(&self.objects).remove(&number);
        removed.is_some()
    }

    /// A new cell with its number.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_cell(&self, content: Box<[u8]>) -> Result<u64, PublishError> {
        let number = self.number();
        let mut cells = lock(&self.cells);
        if cells.len() >= OBJECTS {
            return Err(PublishError::TooMany(OBJECTS));
        }
        cells.insert(number, Arc::new(Cell::new(content)));
        Ok(number)
    }

    /// The cell with a number, as long as its writer is there.
    pub fn cell(&self, number: u64) -> Option<Arc<Bytes>> {
        lock(&self.cells).get(&number).cloned()
    }

    /// Ends a cell: readers have nothing to read any more.
    pub fn remove_cell(&self, number: u64) {
        let removed = lock(&self.cells).remove(&number);
        if let Some(cell) = removed {
            cell.end();
        }
    }
}
