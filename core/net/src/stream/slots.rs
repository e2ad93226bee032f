//! The connections of one worker, by slot; an id names the worker, the slot and how often it was used.

use ibcf_sip::ConnectionId;
use mio::Token;

use super::connection::Connection;

/// Tokens of connections begin here; below are those of listeners.
const TOKENS: usize = 1 << 32;
const SLOTS_MAX: usize = 1 << 24;

#[derive(Debug, Default)]
pub(super) struct Slots {
    worker: u64,
    places: Vec<(u32, Option<Box<Connection>>)>,
    free: Vec<usize>,
}

/// The worker that owns a connection.
pub(crate) const fn worker_of(id: ConnectionId) -> usize {
    (id.0 >> 56) as usize
}

impl Slots {
    pub(super) fn new(worker: usize) -> Self {
        Self { worker: worker as u64, ..Self::default() }
    }

    /// Puts in what *make* makes of its id and token; `None` when that is nothing.
    pub(super) fn insert(
        &mut self,
        make: impl FnOnce(ConnectionId, Token) -> Option<Box<Connection>>,
    ) -> Option<ConnectionId> {
        let at = match self.free.pop() {
            Some(at) => at,
            None if self.places.len() < SLOTS_MAX => {
                self.places.push((0, None));
                self.places.len() - 1
            }
            None => return None,
        };
        let slot = &mut self.places[at];
        let id = ConnectionId(self.worker << 56 | (at as u64) << 32 | u64::from(slot.0));
        slot.1 = make(id, Token(TOKENS + at));
        if slot.1.is_none() {
            self.free.push(at);
            return None;
        }
        Some(id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let (generation, connection) = self.places.get_mut(slot_of(id))?;
        (*generation == id.0 as u32 && worker_of(id) == self.worker as usize)
            .then_some(connection.as_deref_mut())
            .flatten()
    }

    pub(super) fn by_token(&mut self, token: Token) -> Option<&mut Connection> {
        self.places.get_mut(token.0.checked_sub(TOKENS)?)?.1.as_deref_mut()
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Box<Connection>> {
        self.get_mut(id)?;
        let at = slot_of(id);
        let slot = &mut self.places[at];
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(at);
        slot.1.take()
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.places.iter().filter_map(|(_, connection)| Some(connection.as_deref()?.id)).collect()
    }
}

const fn slot_of(id: ConnectionId) -> usize {
    (id.0 >> 32) as usize & (SLOTS_MAX - 1)
}
