//! What machines ask for and what they are told: steps in Redis, messages, callbacks of the game.
//!
//! Invariant: one thing at a time. A machine asks for one thing and hears of nothing else before it
//! has been told how that ended.

/// Where the caller's balances are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purse {
    /// In the wallet that the script changes.
    Shared,
    /// In the game's own database, behind its callbacks.
    Own,
    /// There are none: the transfer is a command.
    None,
}

impl Purse {
    /// As the script is told.
    pub const fn as_text(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Own => "own",
            Self::None => "none",
        }
    }
}

/// Names with values, or with amounts.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// One run of the script.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// ARGV 2.
    pub operation: &'static str,
    /// ARGV 5.
    pub id: Vec<u8>,
    /// ARGV 6.
    pub purse: Purse,
    /// ARGV 7 and on.
    pub arguments: Vec<Vec<u8>>,
}

/// What the script answered: a word and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The first element.
    pub word: Vec<u8>,
    /// The others.
    pub rest: Vec<Vec<u8>>,
}

impl Reply {
    /// An element behind the word; empty if there is none.
    pub fn rest(&self, index: usize) -> &[u8] {
        self.rest.get(index).map_or(b"", |bytes| bytes)
    }
}

/// What a machine wants done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Run the script until its answer is known; told by `Reply`.
    Step(Step),
    /// Publish a message, which may get lost; told by `Sent`.
    Send(Vec<u8>),
    /// Wait for the peer's word on the transfer; told by `Word` or `Silence`.
    Await,
    /// Call the game's `take`: the amounts that are asked for, under this id; told by `Taken`.
    Take(Vec<u8>, Pairs),
    /// Call the game's `give` with these amounts, or the handler of a command with these fields,
    /// under this id; told by `Given`.
    Give(Vec<u8>, Pairs),
    /// The machine has ended.
    Done(Outcome),
}

/// What a machine is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Begin.
    Start,
    /// The script's answer.
    Reply(Reply),
    /// The message is on its way, or lost.
    Sent,
    /// The peer says that it has accepted.
    Yes,
    /// The peer says that it has not.
    No,
    /// The peer said nothing in time.
    Silence,
    /// `take` took these amounts.
    Taken(Pairs),
    /// `take` refused; nothing is taken.
    Refused(Vec<u8>),
    /// `give` has given, or the handler has ended, with these fields for the answer.
    Given(Pairs),
    /// The callback failed: whether it has done its work is unknown.
    Failed,
}

/// How a machine ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The receiver has these.
    Moved(Pairs),
    /// It waits in Redis and will be moved when the receiver asks for it.
    Stored,
    /// The giver has it back.
    Returned,
    /// There was nothing to be moved.
    Nothing,
    /// Nothing was moved: a word, and a detail.
    Refused(Vec<u8>, Vec<u8>),
    /// Another machine moves it, or has: nothing was done here.
    Elsewhere,
    /// It is still open, and settled by the next recovery: why.
    Left(Vec<u8>),
}
