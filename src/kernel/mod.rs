//! The kernel: services, their mailboxes, the workers that run them, timers, names, log.
//!
//! It knows no Lua and no sockets: an actor is a trait object, a payload is bytes.

pub mod clock;
pub mod delivery;
pub mod driver;
mod ended;
pub mod handle;
pub mod log;
pub mod mailbox;
pub mod message;
mod message_log;
pub mod node;
mod pace;
mod progress;
pub mod registry;
pub mod remote;
pub mod scheduler;
pub mod service;
pub mod stamp;
pub mod stop;
mod sync;
mod ticker;
pub mod timer;
mod turn;
pub mod watchdog;

pub use clock::Clock;
pub use delivery::SendError;
pub use handle::Handle;
pub use message::{Head, Kind, Message, Payload, Session};
pub use node::{Launch, Node, NodeOptions};
pub use remote::Remote;
pub use service::{Actor, Inbox, Service};
pub use watchdog::Interrupt;
