//! Packages of the old way to multicast: bytes that several services hold by a number, until the
//! last of them lets go.
//!
//! Invariant: a package is in the table as long as it has references left; its count is set once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most packages of a node at a time.
const MOST_PACKAGES: usize = 65_536;

/// The packages of a node.
#[derive(Debug, Default)]
pub struct Packages(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    last: usize,
    packages: HashMap<usize, Package>,
}

#[derive(Debug)]
struct Package {
    bytes: Arc<[u8]>,
    /// How many are still to let go; `None` until that has been said.
    references: Option<i64>,
}

/// Why something cannot be done with a package.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Refused {
    /// There is no such package.
    Unknown,
    /// Its references have been counted before.
    Bound,
    /// There are too many packages.
    TooMany,
}

impl Packages {
    /// A new package with these bytes; its number.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add(&self, bytes: &[u8]) -> Result<usize, Refused> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.packages.len() >= MOST_PACKAGES {
            return Err(Refused::TooMany);
        }
        table.last += 1;
        let number = table.last;
        table.packages.insert(number, Package { bytes: bytes.into(), references: None });
        Ok(number)
    }

    /// The bytes of a package.
    pub fn bytes(&self, number: usize) -> Option<Arc<[u8]>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.packages.get(&number).map(|package| Arc::clone(&package.bytes))
    }

    /// Says how many will let go of a package; with none it ends at once.
    ///
    /// # Errors
    /// When that has been said before, or there is no such package.
    pub fn bind(&self, number: usize, references: i64) -> Result<(), Refused> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let package = table.packages.get_mut(&number).ok_or(Refused::Unknown)?;
        if package.references.is_some() {
            return Err(Refused::Bound);
        }
        package.references = Some(references);
        if references <= 0 {
            table.packages.remove(&number);
        }
        Ok(())
    }

    /// Lets go of a package.
    ///
    /// # Errors
    /// When nobody said how many hold it, or there is no such package.
    pub fn close(&self, number: usize) -> Result<(), Refused> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let package = table.packages.get_mut(&number).ok_or(Refused::Unknown)?;
        let references = package.references.as_mut().ok_or(Refused::Unknown)?;
        *references -= 1;
        if *references == 0 {
            table.packages.remove(&number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_lives_until_the_last_reference_is_closed() {
        let packages = Packages::default();
        let number = packages.add(b"text").unwrap();
        assert_eq!(packages.close(number), Err(Refused::Unknown));
        packages.bind(number, 2).unwrap();
        assert_eq!(packages.bind(number, 2), Err(Refused::Bound));
        packages.close(number).unwrap();
        assert_eq!(packages.bytes(number).as_deref(), Some(b"text".as_slice()));
        packages.close(number).unwrap();
        assert_eq!(packages.bytes(number), None);
        assert_eq!(packages.close(number), Err(Refused::Unknown));
    }

    #[test]
    fn a_package_for_nobody_ends_at_once() {
        let packages = Packages::default();
        let number = packages.add(b"text").unwrap();
        packages.bind(number, 0).unwrap();
        assert_eq!(packages.bytes(number), None);
    }
}
