//! `snapshot`: no document makes the loader panic, and no document that loads makes the border panic.
//!
//! An input that begins with `{` is the document itself. Any other one is a list of changes to a good document: two bytes choose
//! a value in it, one byte what it becomes.

use std::net::SocketAddr;
use std::sync::Arc;

use ibcf_sip::statistics::Shared;
use ibcf_sip::{Border, BorderConfig, Input, Now, Outputs, Snapshot, Time};
use serde_json::{Value, json};

use crate::border::received;
use crate::bytes::Bytes;
use crate::policy;

/// Bounds the changes, and with them the time that one input takes.
const CHANGES_MAX: usize = 16;
const CALLS: [(&str, &str); 4] = [
    (policy::HOME, "INVITE sip:bob@b.example"),
    (policy::HOME, "INVITE tel:+441632960083"),
    (policy::PEER, "MESSAGE sip:alice@a.example"),
    (policy::STRANGER, "OPTIONS sip:192.0.2.1"),
];

/// The target `snapshot`.
///
/// # Panics
///
/// When the loader or a border that runs on what it let through does.
pub fn snapshot(bytes: &[u8]) {
    let text;
    let document = if bytes.first() == Some(&b'{') {
        bytes
    } else {
        text = changed(bytes).to_string();
        text.as_bytes()
    };
    if let Ok(snapshot) = Snapshot::load(document) {
        serve(Arc::new(snapshot));
    }
}

fn changed(bytes: &[u8]) -> Value {
    let mut bytes = Bytes(bytes);
    let mut document = policy::document(usize::from(bytes.byte()) % policy::VARIANTS);
    for _ in 0..CHANGES_MAX {
        if bytes.is_empty() {
            break;
        }
        let mut count = 0;
        count_values(&document, &mut count);
        let mut nth = usize::from(bytes.number()) % count;
        if let Some(value) = nth_value(&mut document, &mut nth) {
            change(value, &mut bytes);
        }
    }
    document
}

fn count_values(value: &Value, count: &mut usize) {
    *count += 1;
    match value {
        Value::Array(list) => list.iter().for_each(|value| count_values(value, count)),
        Value::Object(map) => map.values().for_each(|value| count_values(value, count)),
        _ => {}
    }
}

fn nth_value<'v>(value: &'v mut Value, nth: &mut usize) -> Option<&'v mut Value> {
    if *nth == 0 {
        return Some(value);
    }
    *nth -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|value| nth_value(value, nth)),
        Value::Object(map) => map.values_mut().find_map(|value| nth_value(value, nth)),
        _ => None,
    }
}

fn change(value: &mut Value, bytes: &mut Bytes<'_>) {
    match (bytes.byte() % 16, &mut *value) {
        (0, _) => *value = Value::Null,
        (1, _) => *value = json!(0),
        (2, _) => *value = json!(u64::MAX),
        (3, _) => *value = json!(u64::from(bytes.number())),
        (4, _) => *value = json!(-1),
        (5, _) => *value = json!(String::from_utf8_lossy(bytes.take(24))),
        (6, Value::Array(list)) => list.clear(),
        (7, Value::Array(list)) => {
            list.pop();
        }
        (8, Value::Array(list)) => {
            let copy = list.first().cloned();
            list.extend(copy);
        }
        (9, Value::Object(map)) => {
            let key = map.keys().nth(usize::from(bytes.byte()) % map.len().max(1)).cloned();
            key.and_then(|key| map.remove(&key));
        }
        (10, Value::String(text)) => text.push_str(&String::from_utf8_lossy(bytes.take(4))),
        (11, Value::String(text)) if text.len() < 1_000 => *text = text.repeat(usize::from(bytes.byte() % 8)),
        (12, Value::Bool(flag)) => *flag = !*flag,
        (13, Value::Number(number)) => *value = json!(number.as_u64().unwrap_or(1).wrapping_add(1)),
        (14, Value::String(text)) => text.clear(),
        (_, Value::Number(_)) => *value = json!(1_u64 << (bytes.byte() % 64)),
        _ => *value = json!([]),
    }
}

/// Sends a few requests through, answers nothing, and lets time pass.
fn serve(snapshot: Arc<Snapshot>) {
    let listeners: Vec<SocketAddr> = snapshot.listeners.iter().map(|listener| listener.address).collect();
    if listeners.is_empty() {
        return; // nothing can come in
    }
    let config =
        BorderConfig { worker: 0, workers: 1, seed: [5; 32], listeners, shared: Arc::new(Shared::new(1)) };
    let mut border = Border::new(config, snapshot);
    let mut out = Outputs::default();
    let mut now = Now { time: Time::from_millis(1_000), unix_ms: 1_700_000_000_000 };
    for (nth, (source, line)) in CALLS.iter().enumerate() {
        let (method, _) = line.split_once(' ').unwrap_or_default();
        let text = format!(
            "{line} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{nth}\r\nFrom: <sip:f@a.example>;tag=f\r\nTo: <sip:t@b.example>\r\n\
             Call-ID: c{nth}\r\nCSeq: 1 {method}\r\nUser-Agent: aaaa\r\nSubject: aaaa\r\n\r\n"
        );
        border.handle(received(0, source.parse().expect("an address"), text.as_bytes()), now, &mut out);
    }
    for _ in 0..200 {
        out.clear();
        let Some(due) = border.next_due() else { break };
        now.time = now.time.max(due);
        border.handle(Input::Tick, now, &mut out);
    }
    border.handle(Input::Close, now, &mut out);
}
