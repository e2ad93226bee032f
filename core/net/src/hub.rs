//! Where questions and events lie until the control plane fetches them: bounded queues and one eventfd.
//!
//! The workers never wait and never wake anybody more than once: the first to push after a fetch makes the descriptor
//! readable, the others see that it is.
//!
//! # Invariant
//!
//! Whenever a fetch is over and something is left, or something is pushed after it, the descriptor is readable (no
//! lost wake-up). A fetch therefore first makes it unreadable, then takes, then arms, then looks again.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam_queue::ArrayQueue;
use ibcf_sip::event::Event;
use ibcf_sip::output::{MirroredMessage, Question, SampledRequest};

use crate::error::NetError;
use crate::system::event_counter;

/// Each is a copy of a whole request.
const SAMPLES_MAX: usize = 256;
/// Each is a copy of a whole message.
const MIRRORED_MAX: usize = 2_048;

/// Questions and events of all workers.
#[derive(Debug)]
pub struct Hub {
    questions: ArrayQueue<Question>,
    events: ArrayQueue<Event>,
    /// Whoever wants them comes for them: they make nothing readable.
    samples: ArrayQueue<SampledRequest>,
    mirrored: ArrayQueue<MirroredMessage>,
    descriptor: File,
    is_armed: AtomicBool,
}

impl Hub {
    /// Makes room for so many questions and events.
    pub(crate) fn new(questions_max: usize, events_max: usize) -> Result<Self, NetError> {
        Ok(Self {
            questions: ArrayQueue::new(questions_max.max(1)),
            events: ArrayQueue::new(events_max.max(1)),
            samples: ArrayQueue::new(SAMPLES_MAX),
            mirrored: ArrayQueue::new(MIRRORED_MAX),
            descriptor: event_counter().map_err(NetError::system("cannot make an eventfd"))?,
            is_armed: AtomicBool::new(true),
        })
    }

    /// Puts a question in, or gives it back when there is no room. Call [`Self::signal`] after a batch.
    pub(crate) fn push_question(&self, question: Question) -> Result<(), Question> {
        self.questions.push(question)
    }

    /// Puts an event in, or gives it back when there is no room. Call [`Self::signal`] after a batch.
    pub(crate) fn push_event(&self, event: Event) -> Result<(), Event> {
        self.events.push(event)
    }

    /// Puts a sample in, if there is room.
    pub(crate) fn push_sample(&self, sample: SampledRequest) -> bool {
        self.samples.push(sample).is_ok()
    }

    /// Takes up to *limit* samples, oldest first.
    pub fn samples(&self, limit: usize) -> Vec<SampledRequest> {
        std::iter::from_fn(|| self.samples.pop()).take(limit).collect()
    }

    /// Puts a copy for the trace in, if there is room.
    pub(crate) fn push_mirrored(&self, message: MirroredMessage) -> bool {
        self.mirrored.push(message).is_ok()
    }

    /// Takes up to *limit* copies for the trace, oldest first.
    pub fn mirrored(&self, limit: usize) -> Vec<MirroredMessage> {
        std::iter::from_fn(|| self.mirrored.pop()).take(limit).collect()
    }

    /// Makes the descriptor readable, unless it is.
    pub(crate) fn signal(&self) {
        fence(Ordering::SeqCst); // what was pushed must be seen by whoever arms after this
        if self.is_armed.swap(false, Ordering::SeqCst) {
            // An eventfd only refuses a write when its counter is full, and then it is readable.
            let _ = (&self.descriptor).write(&1_u64.to_ne_bytes());
        }
    }

    /// Readable when something waits. Not to be read or closed by others.
    pub fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Takes up to *limit* questions, oldest first.
    pub fn questions(&self, limit: usize) -> Vec<Question> {
        self.fetch(&self.questions, limit)
    }

    /// Takes up to *limit* events, oldest first.
    pub fn events(&self, limit: usize) -> Vec<Event> {
        self.fetch(&self.events, limit)
    }

    /// How many questions and events wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.questions.len(), self.events.len())
    }

    /// How many copies for the trace wait, and how many may.
    pub(crate) fn mirrored_waiting(&self) -> (usize, usize) {
        (self.mirrored.len(), self.mirrored.capacity())
    }

    /// How many samples wait, and how many may.
    pub(crate) fn samples_waiting(&self) -> (usize, usize) {
        (self.samples.len(), self.samples.capacity())
    }

    /// How many questions and events may wait.
    pub(crate) fn capacity(&self) -> (usize, usize) {
        (self.questions.capacity(), self.events.capacity())
    }

    fn fetch<T>(&self, queue: &ArrayQueue<T>, limit: usize) -> Vec<T> {
        let _ = (&self.descriptor).read(&mut [0; 8]); // would block when nobody signalled
        let taken = std::iter::from_fn(|| queue.pop()).take(limit).collect();
        self.is_armed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !self.questions.is_empty() || !self.events.is_empty() {
            self.signal();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ibcf_sip::output::{QuestionBody, QuestionId};
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    fn question(id: u64) -> Question {
        Question {
            id: QuestionId(id),
            deadline: ibcf_sip::Time::ZERO,
            deadline_ms: 1,
            body: QuestionBody::Enum { service: "s".to_owned(), number: "+1".to_owned() },
        }
    }

    fn alarm() -> Event {
        Event::Alarm { name: "test", detail: String::new(), unix_ms: 0 }
    }

    fn is_readable(hub: &Hub) -> bool {
        let mut poll = mio::Poll::new().expect("epoll");
        let mut events = mio::Events::with_capacity(1);
        let descriptor = hub.descriptor();
        let mut source = mio::unix::SourceFd(&descriptor);
        poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).expect("registered");
        poll.poll(&mut events, Some(std::time::Duration::ZERO)).expect("polled");
        !events.is_empty()
    }

    #[test]
    fn the_descriptor_is_readable_while_something_is_left() {
        let hub = Hub::new(10, 10).expect("a hub");
        assert!(!is_readable(&hub));
        for id in 0..3 {
            hub.push_question(question(id)).expect("room");
        }
        hub.push_event(alarm()).expect("room");
        hub.signal();
        assert!(is_readable(&hub));
        assert_eq!(hub.questions(2).len(), 2);
        assert!(is_readable(&hub), "a question and an event are left");
        assert_eq!(hub.questions(2).len(), 1);
        assert!(is_readable(&hub), "an event is left");
        assert_eq!(hub.events(10).len(), 1);
        assert!(!is_readable(&hub));
        hub.push_event(alarm()).expect("room");
        hub.signal();
        assert!(is_readable(&hub), "armed again");
    }

    #[test]
    fn a_full_queue_gives_back_what_it_cannot_hold() {
        let hub = Hub::new(1, 1).expect("a hub");
        hub.push_question(question(1)).expect("room");
        assert_eq!(hub.push_question(question(2)), Err(question(2)));
        hub.push_event(alarm()).expect("room");
        assert_eq!(hub.push_event(alarm()), Err(alarm()));
    }

    #[test]
    fn no_wake_up_is_lost_between_two_threads() {
        // The consumer only fetches when the descriptor says so; a lost wake-up would leave it waiting.
        const COUNT: u64 = 100_000;
        let hub = Arc::new(Hub::new(64, 1).expect("a hub"));
        let fetched = Arc::new(AtomicU64::new(0));
        let producer = std::thread::spawn({
            let hub = Arc::clone(&hub);
            move || {
                for id in 0..COUNT {
                    let mut next = question(id);
                    while let Err(back) = hub.push_question(next) {
                        next = back;
                        std::thread::yield_now();
                    }
                    hub.signal();
                }
            }
        });
        let mut poll = mio::Poll::new().expect("epoll");
        let descriptor = hub.descriptor();
        let mut source = mio::unix::SourceFd(&descriptor);
        poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).expect("registered");
        let mut events = mio::Events::with_capacity(1);
        while fetched.load(Ordering::Relaxed) < COUNT {
            poll.poll(&mut events, Some(std::time::Duration::from_secs(10))).expect("polled");
            assert!(!events.is_empty(), "a wake-up was lost after {}", fetched.load(Ordering::Relaxed));
            fetched.fetch_add(hub.questions(7).len() as u64, Ordering::Relaxed);
        }
        producer.join().expect("the producer ends");
    }
}
