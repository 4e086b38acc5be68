//! The clients, by slot.
//!
//! Invariant: the client whose command runs is out of its slot, so that it and the store can be
//! changed together; a slot is given to another only after its client has left.

use super::client::Client;

/// The clients.
#[derive(Default)]
pub struct Clients {
    slots: Vec<Option<Box<Client>>>,
    free: Vec<usize>,
    count: usize,
    next_id: u64,
}

impl Clients {
    /// Number of clients.
    pub fn count(&self) -> usize {
        self.count
    }

    /// A number that no client has had.
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Adds a client; gives its slot.
    pub fn add(&mut self, client: Client) -> usize {
        self.count += 1;
        let client = Some(Box::new(client));
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = client;
                slot
            }
            None => {
                self.slots.push(client);
                self.slots.len() - 1
            }
        }
    }

    /// Removes the client of a slot for good.
    pub fn remove(&mut self, slot: usize) -> Option<Box<Client>> {
        let client = self.take(slot)?;
        self.count -= 1;
        self.free.push(slot);
        Some(client)
    }

    /// Takes the client out of its slot while its command runs.
    pub fn take(&mut self, slot: usize) -> Option<Box<Client>> {
        self.slots.get_mut(slot)?.take()
    }

    /// Puts it back.
    pub fn put(&mut self, slot: usize, client: Box<Client>) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(client);
        }
    }

    /// A client, unless its command runs just now.
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut Client> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    /// All but the one whose command runs, with their slots.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Client)> {
        self.slots
            .iter_mut()
            .enumerate()
            .filter_map(|(slot, client)| client.as_deref_mut().map(|client| (slot, client)))
    }

    /// All but the one whose command runs.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.slots.iter().filter_map(Option::as_deref)
    }
}
