//! Messages that made the border panic: each is a defect, and the bytes are the way to find it.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use ibcf_sip::event::Event;

const PANICS_KEPT: usize = 16;
/// Bytes of the message shown in the alarm; the whole is kept in memory.
const EXCERPT_BYTES: usize = 512;

/// One panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedPanic {
    pub(crate) worker: usize,
    pub(crate) text: String,
    /// What was being handled.
    pub(crate) bytes: Vec<u8>,
}

/// The last panics of all workers.
#[derive(Debug, Default)]
pub(crate) struct Panics(Mutex<VecDeque<SavedPanic>>);

impl Panics {
    /// Keeps the panic and returns the alarm that tells of it.
    pub(crate) fn keep(
        &self,
        worker: usize,
        payload: &(dyn Any + Send),
        bytes: &[u8],
        unix_ms: u64,
    ) -> Event {
        let text = text_of(payload).to_owned();
        let detail = format!(
            "worker {worker} panicked and starts afresh: {text}; handling {} bytes, hex: {}",
            bytes.len(),
            hex(bytes.get(..EXCERPT_BYTES).unwrap_or(bytes))
        );
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= PANICS_KEPT {
            kept.pop_front();
        }
        kept.push_back(SavedPanic { worker, text, bytes: bytes.to_vec() });
        Event::Alarm { name: "panic", detail, unix_ms }
    }

    /// The panics kept, oldest first.
    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<SavedPanic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_holds_the_bytes_and_the_last_panics_are_kept() {
        let panics = Panics::default();
        for at in 0..20_u8 {
            let event = panics.keep(1, &"index out of bounds", &[at, 0xff], 7);
            let Event::Alarm { name, detail, unix_ms } = event else { panic!("not an alarm") };
            assert_eq!((name, unix_ms), ("panic", 7));
            assert_eq!(
                detail,
                format!(
                    "worker 1 panicked and starts afresh: index out of bounds; handling 2 bytes, hex: {at:02x}ff"
                )
            );
        }
        let event = Event::Alarm { name: "panic", detail: "x".to_owned(), unix_ms: 7 };
        let json = serde_json::to_string(&event).expect("JSON");
        assert_eq!(
            json, r#"{"event":"alarm","name":"panic","detail":"x","unix_ms":7}"#,
            "as tests/boundary reads it"
        );
        let kept = panics.all();
        assert_eq!(kept.len(), PANICS_KEPT);
        assert_eq!(kept.last().map(|saved| saved.bytes.as_slice()), Some([19, 0xff].as_slice()));
    }
}
