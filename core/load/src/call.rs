//! One call, as both of our ends see it, and the table of all that are in progress.

use crate::cause::Cause;
use crate::clock::Nanoseconds;
use crate::copied::Copied;
use crate::link::Flow;
use crate::token::Token;

/// How far the UAC is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Uac {
    /// The first request is out.
    #[default]
    Calling,
    /// 180 came.
    Ringing,
    /// 2xx came, ACK is out.
    Answered,
    /// BYE is out.
    Leaving,
    /// The last final response came.
    Done,
}

/// How far the UAS is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Uas {
    /// Nothing came yet.
    #[default]
    Idle,
    /// 180 is out.
    Ringing,
    /// 2xx is out.
    Answered,
    /// ACK came.
    Confirmed,
    /// A refusal is out.
    Refused,
    /// The last request came.
    Over,
}

/// Length and hash of a body, to know it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    length: usize,
    hash: u64,
}

impl Body {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), hash: hash(bytes) }
    }
}

/// A hash that is the same in every place of this program.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(bytes)
}

/// A call; its buffers are used again by the next one in the slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) token: Token,
    pub(crate) is_active: bool,
    /// It began in the measured part.
    pub(crate) is_counted: bool,
    /// It counts as one of a wall that stands.
    pub(crate) is_up: bool,
    /// The wall comes down: the UAC cancelled, or the UAS refused.
    pub(crate) is_released: bool,
    pub(crate) failed: Option<Cause>,
    pub(crate) uac: Uac,
    pub(crate) uas: Uas,
    /// The 200 to our CANCEL came.
    pub(crate) is_cancel_answered: bool,
    /// By the clock of the day: when the first request and the 2xx went.
    pub(crate) requested: Nanoseconds,
    pub(crate) answered: Nanoseconds,
    pub(crate) request_body: Body,
    pub(crate) answer_body: Body,
    /// Of the first final response, to tell one that comes again from another one.
    pub(crate) final_hash: u64,
    /// Of the topmost Via that the first request had at the UAS.
    pub(crate) branch_hash: u64,
    /// Where the UAS sends its responses.
    pub(crate) flow: Flow,
    pub(crate) copied: Copied,
    /// The dialog of the UAC: remote target and Route lines.
    pub(crate) target: Vec<u8>,
    pub(crate) routes: Vec<u8>,
}

impl Call {
    /// Forgets the call before.
    fn renew(&mut self, token: Token) {
        let mut old = std::mem::take(self);
        old.target.clear();
        old.routes.clear();
        *self = Self {
            token,
            is_active: true,
            copied: old.copied,
            target: old.target,
            routes: old.routes,
            ..Self::default()
        };
    }

    /// Notes what is wrong with it; what was wrong first stays.
    pub(crate) fn fail(&mut self, cause: Cause) {
        self.failed.get_or_insert(cause);
    }

    /// Notes *cause* unless *is_right*.
    pub(crate) fn check(&mut self, is_right: bool, cause: Cause) {
        if !is_right {
            self.fail(cause);
        }
    }

    /// Have both of its ends seen the last that they had to see?
    pub(crate) fn is_over(&self) -> bool {
        self.uac == Uac::Done && self.uas == Uas::Over
    }
}

/// All calls in progress. It grows to the most there ever were at once.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Vec<Call>,
    free: Vec<usize>,
    serial: u64,
}

impl Calls {
    /// Begins a call.
    pub(crate) fn begin(&mut self) -> &mut Call {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Call::default());
            self.slots.len() - 1
        });
        self.serial += 1;
        let call = &mut self.slots[slot];
        call.renew(Token::new(slot, self.serial));
        call
    }

    /// The call of a token, if it is in progress.
    pub(crate) fn find(&mut self, token: Token) -> Option<&mut Call> {
        self.slots.get_mut(token.slot()).filter(|call| call.is_active && call.token == token)
    }

    /// Frees the slot of a call.
    pub(crate) fn end(&mut self, token: Token) {
        if let Some(call) = self.find(token) {
            call.is_active = false;
            self.free.push(token.slot());
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The token of the call in a slot.
    pub(crate) fn at(&self, slot: usize) -> Option<Token> {
        self.slots.get(slot).filter(|call| call.is_active).map(|call| call.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_and_its_old_token_finds_nothing() {
        let mut calls = Calls::default();
        let first = calls.begin().token;
        let second = calls.begin().token;
        assert_eq!(calls.count(), 2);
        calls.find(first).expect("in progress").fail(Cause::NoAck);
        calls.end(first);
        calls.end(first);
        assert_eq!((calls.count(), calls.at(0), calls.at(1)), (1, None, Some(second)));
        let third = calls.begin();
        assert_eq!((third.token.slot(), third.failed), (first.slot(), None));
        assert_eq!(calls.at(2), None);
        assert!(calls.find(first).is_none());
        assert!(calls.find(second).is_some());
    }
}
