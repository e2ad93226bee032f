//! Questions that are being asked: each once, however many wait for its answer.
//!
//! A question's id carries the worker that asked (8 bits), its place (24) and how often the place was used (32), so a
//! late answer finds nobody, and the answer to one worker never reaches another.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::output::{Question, QuestionBody, QuestionId};
use crate::time::Time;
use crate::transaction::SlotId;

const PLACES_MAX: usize = 1 << 24;
/// Each holds its whole request.
const HOOKS_MAX: usize = 1_024;

/// What became of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nobody asked that yet: hand the question out, and watch its deadline.
    New(Question),
    /// It is being asked; the answer will find this waiter too.
    Joined,
    /// As many questions are open as may be: go on as if it failed.
    Full,
}

/// The open questions of one worker. The owner keeps the deadlines, in its timer wheel.
#[derive(Debug)]
pub struct Questions {
    worker: u8,
    open_max: usize,
    by_body: HashMap<QuestionBody, u32, FixedState>,
    places: Vec<Place>,
    free: Vec<u32>,
    /// How many of the open ones are for hooks.
    hooks: usize,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    open: Option<(QuestionBody, Vec<SlotId>)>,
}

/// Returns the worker that asked the question *id*.
pub const fn worker_of(id: QuestionId) -> u8 {
    (id.0 >> 56) as u8
}

const fn id_of(worker: u8, at: u32, generation: u32) -> QuestionId {
    QuestionId((worker as u64) << 56 | (at as u64) << 32 | generation as u64)
}

impl Questions {
    /// Returns an empty list for at most *`questions_max`* open questions. Numbers come from outside: *seed* keeps their hashes unforeseeable.
    pub fn new(worker: u8, questions_max: usize, seed: u64) -> Self {
        Self {
            worker,
            open_max: questions_max.min(PLACES_MAX),
            by_body: HashMap::with_hasher(FixedState::with_seed(seed)),
            places: Vec::new(),
            free: Vec::new(),
            hooks: 0,
        }
    }

    /// Asks *body* for *waiter*, or joins those who asked it before. A joined waiter shares the first one's deadline.
    pub fn ask(&mut self, body: QuestionBody, waiter: SlotId, now: Time, deadline: Duration) -> Asked {
        if let Some(at) = self.by_body.get(&body).copied()
            && let Some((_, waiters)) = self.places.get_mut(at as usize).and_then(|place| place.open.as_mut())
        {
            waiters.push(waiter);
            return Asked::Joined;
        }
        let is_hook = matches!(body, QuestionBody::Hook(_));
        if self.len() >= self.open_max || (is_hook && self.hooks >= HOOKS_MAX) {
            return Asked::Full;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len().saturating_sub(1) as u32
        });
        let Some(place) = self.places.get_mut(at as usize) else { return Asked::Full };
        place.open = Some((body.clone(), vec![waiter]));
        let id = id_of(self.worker, at, place.generation);
        self.hooks += usize::from(is_hook);
        self.by_body.insert(body.clone(), at);
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        Asked::New(Question { id, deadline: now + deadline, deadline_ms, body })
    }

    /// Closes the question *id* because its answer came: what was asked, and who waits. `None` when it came too late.
    pub fn answer(&mut self, id: QuestionId) -> Option<(QuestionBody, Vec<SlotId>)> {
        self.close(id)
    }

    /// Closes the question *id* because its deadline passed: what was asked, and who waits. `None` when it was answered.
    pub fn expire(&mut self, id: QuestionId) -> Option<(QuestionBody, Vec<SlotId>)> {
        self.close(id)
    }

    /// How many may be open.
    pub const fn capacity_max(&self) -> usize {
        self.open_max
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.by_body.len()
    }

    /// Is none open?
    pub fn is_empty(&self) -> bool {
        self.by_body.is_empty()
    }

    fn close(&mut self, id: QuestionId) -> Option<(QuestionBody, Vec<SlotId>)> {
        if worker_of(id) != self.worker {
            return None;
        }
        let at = (id.0 >> 32) as u32 & (PLACES_MAX as u32 - 1);
        let place = self.places.get_mut(at as usize).filter(|place| place.generation == id.0 as u32)?;
        let open = place.open.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(at);
        self.by_body.remove(&open.0);
        self.hooks -= usize::from(matches!(open.0, QuestionBody::Hook(_)));
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::Table;

    fn number(number: &str) -> QuestionBody {
        QuestionBody::Enum { service: "carrier".to_owned(), number: number.to_owned() }
    }

    fn waiters(count: usize) -> Vec<SlotId> {
        let mut table = Table::new(count);
        (0..count).map(|_| table.insert(()).expect("room")).collect()
    }

    fn ask(questions: &mut Questions, body: &str, waiter: SlotId) -> Asked {
        questions.ask(number(body), waiter, Time::from_millis(1_000), Duration::from_secs(2))
    }

    fn new_id(asked: Asked) -> QuestionId {
        match asked {
            Asked::New(question) => question.id,
            other => panic!("{other:?} is not a new question"),
        }
    }

    #[test]
    fn a_thousand_calls_to_one_number_ask_once() {
        let waiters = waiters(1_000);
        let mut questions = Questions::new(3, 10, 1);
        let Asked::New(question) = ask(&mut questions, "+441", waiters[0]) else { panic!("not asked") };
        assert_eq!(question.deadline, Time::from_millis(3_000));
        assert_eq!(question.deadline_ms, 2_000);
        assert_eq!(worker_of(question.id), 3);
        for waiter in &waiters[1..] {
            assert_eq!(ask(&mut questions, "+441", *waiter), Asked::Joined);
        }
        assert_eq!(questions.len(), 1);
        assert_eq!(questions.answer(question.id), Some((number("+441"), waiters)));
        assert!(questions.is_empty());
    }

    #[test]
    fn an_answer_after_the_deadline_finds_nobody() {
        let waiters = waiters(1);
        let mut questions = Questions::new(0, 10, 1);
        let late = new_id(ask(&mut questions, "+441", waiters[0]));
        assert_eq!(questions.expire(late), Some((number("+441"), waiters.clone())));
        let again = new_id(ask(&mut questions, "+441", waiters[0]));
        assert_ne!(again, late);
        assert_eq!(questions.answer(late), None);
        assert_eq!(questions.answer(again), Some((number("+441"), waiters)));
        assert_eq!(questions.answer(again), None, "the same answer twice");
    }

    #[test]
    fn the_answer_to_another_worker_is_none_of_ours() {
        let waiters = waiters(1);
        let mut questions = Questions::new(1, 10, 1);
        let id = new_id(ask(&mut questions, "+441", waiters[0]));
        assert_eq!(questions.answer(QuestionId(id.0 & !(0xff << 56))), None);
        assert_eq!(questions.answer(QuestionId(u64::MAX)), None);
        assert_eq!(questions.len(), 1);
    }

    #[test]
    fn a_full_list_takes_joiners_but_nothing_new() {
        let waiters = waiters(1);
        let mut questions = Questions::new(0, 2, 1);
        let first = new_id(ask(&mut questions, "+441", waiters[0]));
        new_id(ask(&mut questions, "+442", waiters[0]));
        assert_eq!(ask(&mut questions, "+443", waiters[0]), Asked::Full);
        assert_eq!(ask(&mut questions, "+442", waiters[0]), Asked::Joined);
        questions.answer(first);
        new_id(ask(&mut questions, "+443", waiters[0]));
    }
}
