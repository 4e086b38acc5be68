//! A cell of bytes with one writer and many readers (`skynet.stm`).
//!
//! Invariant: a reader sees each version once, and the latest; it keeps the bytes it has taken for
//! as long as it wants.

use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that one writes and many read.
#[derive(Debug)]
pub struct Cell<T> {
    content: Mutex<Option<Arc<T>>>,
}

impl<T> Cell<T> {
    /// A cell with its first content.
    pub fn new(content: T) -> Self {
        Self { content: Mutex::new(Some(Arc::new(content))) }
    }

    /// Replaces the content.
    pub fn write(&self, content: T) {
        let old = self.replace(Some(Arc::new(content)));
        drop(old);
    }

    /// The writer is gone: there is nothing to read any more.
    pub fn end(&self) {
        drop(self.replace(None));
    }

    fn replace(&self, content: Option<Arc<T>>) -> Option<Arc<T>> {
        // The old content is dropped by the caller, when the lock is free again.
        std::mem::replace(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner), content)
    }

    /// The content.
    pub fn read(&self) -> Option<Arc<T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_took_while_the_writer_goes_on() {
        let cell = Cell::new(1);
        let first = cell.read();
        cell.write(2);
        assert_eq!(first.as_deref(), Some(&1));
        assert_eq!(cell.read().as_deref(), Some(&2));
        cell.end();
        assert_eq!(cell.read(), None);
        assert_eq!(first.as_deref(), Some(&1));
    }
}
