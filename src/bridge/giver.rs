//! The side that gives: takes it from the player, offers it, and learns what became of it.
//!
//! What decides is the record in Redis. An acknowledgement makes the giver look at once, silence
//! makes it look later; what it finds is what it believes.
//!
//! Invariant: after it has looked, a giver that asked for the return of an offer treats a missing
//! record as returned, since an accepted one stays until both sides have closed it.

use super::about;
use super::record::{Mode, Record, State};
use super::step::{Effect, Event, Outcome, Pairs, Purse, Reply, Step};

/// One transfer of the giver.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Giver {
    /// The player.
    uid: Vec<u8>,
    /// The transfer.
    id: Vec<u8>,
    record: Record,
    purse: Purse,
    /// The peer keeps no records: it knows the plain protocol alone.
    plain: bool,
    cancelled: bool,
    /// What a `store` and a `return` write and remove.
    member: Vec<u8>,
    at: At,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum At {
    New,
    /// Found in Redis after a restart.
    Resumed(State),
    /// Found in Redis, and to be given back.
    Cancelled,
    Offering,
    /// `take` runs.
    Taking,
    /// Its result is being recorded.
    Recording,
    Sending,
    Waiting,
    /// The peer said yes: closing.
    Closing,
    /// Looking what became of it: `store` or `return`.
    Ruling,
    /// `give` runs with what was taken.
    PuttingBack,
    /// The last step.
    Ending(Outcome),
    /// The last message, behind which is this end.
    Leaving(Outcome),
}

impl Giver {
    /// A new transfer. The record's pairs are what is wanted; amount 0 asks for all there is.
    pub fn new(uid: &[u8], id: &[u8], record: Record, purse: Purse, plain: bool) -> Self {
        Self {
            uid: uid.to_vec(),
            id: id.to_vec(),
            record,
            purse,
            plain,
            cancelled: false,
            member: Vec::new(),
            at: At::New,
        }
    }

    /// A transfer that was found in Redis.
    pub fn resume(
        uid: &[u8],
        id: &[u8],
        found: (State, Record),
        purse: Purse,
        plain: bool,
    ) -> Self {
        let (state, record) = found;
        Self { at: At::Resumed(state), ..Self::new(uid, id, record, purse, plain) }
    }

    /// A push that was found in Redis, and that a person wants back.
    pub fn cancel(uid: &[u8], id: &[u8], record: Record, purse: Purse) -> Self {
        Self { at: At::Cancelled, cancelled: true, ..Self::new(uid, id, record, purse, false) }
    }

    /// What has happened, and what is to be done next.
    pub fn on(&mut self, event: Event) -> Effect {
        match (std::mem::replace(&mut self.at, At::New), event) {
            (At::New, Event::Start) => self.offer(),
            (At::Resumed(state), Event::Start) => self.look_again(state),
            (At::Cancelled, Event::Start) => {
                let member = self.record.message(&self.record.command, None, &self.id);
                self.step(At::Ruling, "return", vec![member.unwrap_or_default()])
            }
            (At::Offering, Event::Reply(reply)) => self.offered(reply),
            (At::Taking, Event::Taken(pairs)) => self.taken(pairs),
            (At::Taking, Event::Refused(why)) => {
                self.end(Outcome::Refused(b"refused".to_vec(), why), "taken")
            }
            (At::Taking | At::PuttingBack, Event::Failed) => done(left(b"callback")),
            (At::Recording, Event::Reply(reply)) => match &reply.word[..] {
                b"offered" => self.send(),
                _ => self.learned(&reply),
            },
            (At::Sending, Event::Sent) => {
                self.at = At::Waiting;
                Effect::Await
            }
            (At::Waiting, Event::Yes) => self.step(At::Closing, "close", self.closing()),
            (At::Waiting, Event::No | Event::Silence) => self.rule(),
            (At::Closing, Event::Reply(reply)) => match &reply.word[..] {
                // The word was wrong.
                b"offered" => self.rule(),
                b"stored" => done(Outcome::Stored),
                b"returning" => self.learned(&reply),
                _ => done(self.moved()),
            },
            (At::Ruling, Event::Reply(reply)) => self.learned(&reply),
            (At::PuttingBack, Event::Given(_)) => self.end(Outcome::Returned, "close"),
            (At::Ending(outcome), Event::Reply(_)) => self.tell(outcome),
            (At::Leaving(outcome), Event::Sent) => done(outcome),
            // What cannot come next leaves the transfer to the next recovery.
            (_, _) => done(left(b"out of turn")),
        }
    }

    fn offer(&mut self) -> Effect {
        let Ok(member) = self.record.message(&self.record.command, None, &self.id) else {
            return done(Outcome::Refused(b"malformed".to_vec(), Vec::new()));
        };
        self.member = member;
        let mut arguments = vec![self.record.head()];
        for (name, value) in &self.record.pairs {
            arguments.push(name.clone());
            let mut text = Vec::new();
            crate::codec::bridge::escape(&mut text, value);
            arguments.push(text);
        }
        self.step(At::Offering, "offer", arguments)
    }

    fn offered(&mut self, reply: Reply) -> Effect {
        match &reply.word[..] {
            b"taking" => self.take(),
            b"offered" => match Record::parse(reply.rest(0)) {
                Some(record) => {
                    self.record = record;
                    self.send()
                }
                None => done(left(b"record")),
            },
            // A repetition of a request whose offer stands: the answer is repeated.
            b"again" => {
                let message =
                    Record::parse_with_state(reply.rest(1)).and_then(|(state, record)| {
                        let command = about("rsp_", &record.command);
                        (state == State::Offered).then(|| {
                            record.message(&command, Some(&self.uid), reply.rest(0)).ok()
                        })?
                    });
                match message {
                    Some(message) if self.record.mode == Mode::Pull => {
                        self.at = At::Leaving(Outcome::Elsewhere);
                        Effect::Send(message)
                    }
                    _ => done(Outcome::Elsewhere),
                }
            }
            b"nothing" => self.tell(Outcome::Nothing),
            b"short" | b"busy" => {
                let detail = reply.rest(0).to_vec();
                self.tell(Outcome::Refused(reply.word, detail))
            }
            _ => self.learned(&reply),
        }
    }

    fn take(&mut self) -> Effect {
        self.at = At::Taking;
        Effect::Take(self.id.clone(), self.record.pairs.clone())
    }

    fn taken(&mut self, pairs: Pairs) -> Effect {
        let pairs: Pairs = pairs.into_iter().filter(|(_, amount)| amount != b"0").collect();
        if pairs.is_empty() {
            return self.end(Outcome::Nothing, "taken");
        }
        let flat = pairs.iter().flat_map(|(name, amount)| [name.clone(), amount.clone()]).collect();
        self.record.pairs = pairs;
        self.step(At::Recording, "taken", flat)
    }

    fn send(&mut self) -> Effect {
        let command = match self.record.mode {
            Mode::Pull => about("rsp_", &self.record.command),
            Mode::Push => self.record.command.clone(),
        };
        let message = self.record.message(&command, Some(&self.uid), &self.id);
        let member = self.record.message(&self.record.command, None, &self.id);
        match (message, member) {
            (Ok(message), Ok(member)) => {
                self.member = member;
                self.at = At::Sending;
                Effect::Send(message)
            }
            // A taking that came out longer than a message can be is not given up, but undone.
            _ => self.rule(),
        }
    }

    /// Looks what became of an offer that nobody has acknowledged, and decides if nobody has.
    fn rule(&mut self) -> Effect {
        match self.record.mode {
            Mode::Pull => {
                let member = self.member.clone();
                self.step(At::Ruling, "return", vec![member])
            }
            Mode::Push => {
                let plain = if self.plain { b"plain".to_vec() } else { Vec::new() };
                let arguments = vec![self.member.clone(), plain];
                self.step(At::Ruling, "store", arguments)
            }
        }
    }

    fn look_again(&mut self, state: State) -> Effect {
        let member = self.record.message(&self.record.command, None, &self.id);
        self.member = member.unwrap_or_default();
        match state {
            State::Taking => self.take(),
            State::Offered => self.rule(),
            State::Stored => done(Outcome::Stored),
            State::Seen => done(self.moved()),
            State::Accepted | State::Applied => self.end(self.moved(), "close"),
            State::Returning => self.put_back(),
        }
    }

    /// Believes what Redis says of the transfer.
    fn learned(&mut self, reply: &Reply) -> Effect {
        match &reply.word[..] {
            b"stored" => done(Outcome::Stored),
            b"returned" => self.tell(Outcome::Returned),
            b"returning" => self.put_back(),
            b"accepted" | b"applied" => self.end(self.moved(), "close"),
            b"seen" => done(self.moved()),
            b"taking" => self.take(),
            // Its giver had closed it: either of the two.
            b"gone" if self.cancelled => done(Outcome::Elsewhere),
            b"gone" => match (self.record.mode, self.plain) {
                // It would still be there if it had been accepted.
                (Mode::Pull, _) => done(Outcome::Returned),
                (Mode::Push, true) => done(Outcome::Stored),
                // It was stored, and moved since.
                (Mode::Push, false) => done(self.moved()),
            },
            other => done(Outcome::Left([other, b" ", reply.rest(0)].concat())),
        }
    }

    fn put_back(&mut self) -> Effect {
        self.at = At::PuttingBack;
        let id = [&self.id[..], b"~back"].concat();
        Effect::Give(id, self.record.pairs.clone())
    }

    /// Tells a peer that waits for an offer that there is none.
    fn tell(&mut self, outcome: Outcome) -> Effect {
        if self.record.mode != Mode::Pull {
            return done(outcome);
        }
        let error: Option<Vec<u8>> = match &outcome {
            Outcome::Nothing => None,
            Outcome::Refused(word, detail) if detail.is_empty() => Some(word.clone()),
            Outcome::Refused(word, detail) => Some([&word[..], b" ", detail].concat()),
            _ => return done(outcome),
        };
        let command = about("rsp_", &self.record.command);
        let mut fields: Vec<(&[u8], &[u8])> =
            vec![(b"session", &self.record.session), (b"uid", &self.uid)];
        match &error {
            Some(error) => fields.push((b"error", error)),
            None => fields.extend(self.record.pairs.iter().map(|(name, _)| (&name[..], &b"0"[..]))),
        }
        let mut message = Vec::new();
        if crate::codec::bridge::write(&mut message, &command, &mut fields).is_err() {
            return done(outcome);
        }
        self.at = At::Leaving(outcome);
        Effect::Send(message)
    }

    fn end(&mut self, outcome: Outcome, operation: &'static str) -> Effect {
        self.step(At::Ending(outcome), operation, Vec::new())
    }

    fn closing(&self) -> Vec<Vec<u8>> {
        if self.plain { vec![b"plain".to_vec()] } else { Vec::new() }
    }

    fn moved(&self) -> Outcome {
        Outcome::Moved(self.record.pairs.clone())
    }

    fn step(&mut self, at: At, operation: &'static str, arguments: Vec<Vec<u8>>) -> Effect {
        self.at = at;
        Effect::Step(Step { operation, id: self.id.clone(), purse: self.purse, arguments })
    }
}

fn done(outcome: Outcome) -> Effect {
    Effect::Done(outcome)
}

fn left(why: &[u8]) -> Outcome {
    Outcome::Left(why.to_vec())
}
