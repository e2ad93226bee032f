//! The torture messages of RFC 4475 and RFC 5118 through the whole border, each against what a proxy should do with it.
//!
//! The originals and `expectations.json` lie in `../shared/conformance` beside the repository; where that folder is not, nothing
//! runs here, and `torture.rs` still has our own messages for the same defects. Every message goes from our core to a border
//! that has a route for everything and agreed on every method in them, so that what comes out is due to the message.

mod support;

use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};
use support::*;

/// Where we differ from the expectations, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[(
    "wsinv",
    "481",
    "its To has a tag, so it is a request inside a dialog that this border never let begin (SEC-26); without the tag it is forwarded",
)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance")
}

#[allow(clippy::disallowed_macros)] // a test may say that it had nothing to read
fn expectations() -> Option<Vec<Value>> {
    let path = folder().join("expectations.json");
    let Ok(text) = std::fs::read(&path) else {
        println!("skipped: no ../shared/conformance beside the repository");
        return None;
    };
    let document: Value = serde_json::from_slice(&text).expect("expectations are JSON");
    document["messages"].as_array().cloned()
}

/// A route for everything, and every method that stands in the messages.
fn open_policy() -> Value {
    let mut policy = policy();
    for agreement in policy["agreements"].as_array_mut().expect("a list") {
        let methods = agreement["methods"].as_array_mut().expect("a list");
        for method in
            ["REGISTER", "REFER", "!interesting-Method0123456789_*+`.%indeed'~", "RE%47IST%45R", "NEWMETHOD"]
        {
            methods.push(json!(method));
        }
    }
    policy["routes"] = json!([{"id": "all", "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}}]);
    policy
}

/// What came of one message.
struct Outcome {
    /// `forward`, `drop` or the final status.
    what: String,
    text: String,
}

fn outcome(bytes: &[u8]) -> Outcome {
    let mut world = World::with(&open_policy());
    let sent = world.receive_bytes(A, bytes);
    let forwarded = sent.iter().find(|sent| !sent.start().starts_with("SIP/"));
    let answered =
        sent.iter().find(|sent| sent.start().starts_with("SIP/") && !sent.start().starts_with("SIP/2.0 1"));
    let outcome = match (forwarded, answered) {
        (Some(sent), _) => {
            assert_eq!(sent.to, B.parse().unwrap(), "nobody but the peer of the route");
            Outcome { what: "forward".to_owned(), text: sent.text.clone() }
        }
        (None, Some(sent)) => Outcome {
            what: sent.start().split(' ').nth(1).unwrap_or_default().to_owned(),
            text: sent.text.clone(),
        },
        (None, None) => Outcome { what: "drop".to_owned(), text: String::new() },
    };
    let alive = world.receive(A, &request("OPTIONS", "sip:192.0.2.1", "alive", 1, "", &[], ""));
    only(&alive, "SIP/2.0 200");
    world.assert_quiet();
    outcome
}

fn strings<'v>(message: &'v Value, key: &str) -> Vec<&'v str> {
    message[key].as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn is_among(what: &str, allowed: &[&str]) -> bool {
    let class = format!("{}xx", what.get(..1).unwrap_or_default());
    allowed.iter().any(|allowed| *allowed == what || *allowed == class)
}

/// Says what is wrong, if anything is.
fn judge(message: &Value, outcome: &Outcome) -> Option<String> {
    let name = message["name"].as_str().expect("a name");
    let allowed = [strings(message, "want"), strings(message, "tolerate")].concat();
    let difference = DIFFERENCES.iter().find(|(known, ..)| *known == name);
    let is_allowed = match difference {
        Some((_, ours, _)) => outcome.what == *ours,
        None => is_among(&outcome.what, &allowed),
    };
    if !is_allowed {
        return Some(format!("{name}: {}, want {allowed:?}: {}", outcome.what, message["reason"]));
    }
    let matches = |pattern: &&str| Regex::new(pattern).expect("a pattern").is_match(&outcome.text);
    let (must, must_not) = if outcome.what == "forward" {
        (strings(message, "fwd_must"), strings(message, "fwd_must_not"))
    } else {
        (strings(message, "resp_must"), Vec::new())
    };
    let missing = must.iter().find(|pattern| !matches(pattern));
    let present = must_not.iter().find(|pattern| matches(pattern));
    missing.or(present).map(|pattern| format!("{name}: {pattern} in\n{}", outcome.text))
}

#[test]
fn every_message_comes_out_as_a_proxy_should_let_it() {
    let Some(messages) = expectations() else { return };
    let mut wrong = Vec::new();
    for message in &messages {
        let bytes =
            std::fs::read(folder().join(message["file"].as_str().expect("a file"))).expect("the message");
        assert_eq!(
            bytes.len() as u64,
            message["size"].as_u64().expect("a size"),
            "{} is not the original",
            message["name"]
        );
        let outcome = outcome(&bytes);
        wrong.extend(judge(message, &outcome));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), messages.len(), wrong.join("\n"));
    assert_eq!(messages.len(), 63);
    for (name, ..) in DIFFERENCES {
        assert!(messages.iter().any(|message| message["name"] == *name), "{name} is no message");
    }
}

#[test]
fn the_tortuous_invite_is_forwarded_once_it_begins_a_dialog() {
    if expectations().is_none() {
        return;
    }
    let bytes = std::fs::read(folder().join("rfc4475/wsinv.dat")).expect("the message");
    let text = String::from_utf8(bytes).expect("text").replace(" ;   tag    = 1918181833n", "");
    let outcome = outcome(text.as_bytes());
    assert_eq!(outcome.what, "forward", "{}", outcome.text);
    assert!(outcome.text.contains("UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"));
}
