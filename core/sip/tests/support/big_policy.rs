//! A policy as large as a transit carrier's: 1,000 rules, a table of 1,000,000 prefixes that belong to 900 carriers, and
//! 1,000,000 numbers that may not call; and the INVITE of an IMS core that only the last carrier's rule takes.

use std::fmt::Write as _;
use std::sync::Arc;

use ibcf_sip::Snapshot;
use ibcf_sip::decide::{Facts, Lists, NumberTable, Verdict, calling_number};
use ibcf_sip::message::{HeaderIndex, Message};
use ibcf_sip::parse::parse;
use ibcf_sip::trace::Trace;
use serde_json::{Value, json};

use super::calls::dialled;
use super::policy;
use super::stages::facts;

pub const ENTRIES: u32 = 1_000_000;
pub const RULES: usize = 1_000;
const CARRIERS: usize = 900;
const CALLED: &str = "+442079460000";

/// The policy in force, and what is asked of it.
pub struct BigPolicy {
    snapshot: Snapshot,
    /// Of both lists.
    pub table_bytes: usize,
    invite: Vec<u8>,
    index: HeaderIndex,
    calling: String,
}

impl BigPolicy {
    pub fn new() -> Self {
        let lists = [("prefixes", prefixes()), ("blocked", blocked())];
        let lists = lists.map(|(id, text)| {
            let table = NumberTable::read(text.as_bytes()).expect("a good list");
            (id.to_owned(), Arc::new(table))
        });
        let table_bytes = lists.iter().map(|(_, table)| table.bytes()).sum();
        let mut document = policy();
        document["routes"] = rules();
        let lists = Lists::from_iter(lists);
        let snapshot = Snapshot::load_with(document.to_string().as_bytes(), &lists).expect("it loads");
        assert_eq!(snapshot.routes.len(), RULES);
        let invite = dialled(0).into_bytes();
        let mut index = HeaderIndex::default();
        let message = parse(&invite, &snapshot.limits, &mut index).expect("a message");
        let calling = calling_number(&message, true).expect("a caller").to_string();
        Self { snapshot, table_bytes, invite, index, calling }
    }

    /// The message that is decided on.
    pub fn message(&self) -> Message<'_> {
        self.index.view(&self.invite)
    }

    /// Decides, and checks that it is what the policy says.
    pub fn decide(&self, message: &Message<'_>) {
        let known = facts(b"tel:+442079460000", CALLED);
        let facts = Facts { calling: Some(&self.calling), message: Some(message), ..known };
        let verdict = self.snapshot.routes.evaluate(0, &facts, &mut Trace::off());
        assert!(matches!(verdict, Verdict::Route { rule: "carrier_899", .. }), "{verdict:?}");
    }
}

/// A rule for the numbers that may not call, some of every kind, one for each carrier, and one for the rest.
fn rules() -> Value {
    let route = json!({"kind": "route", "to": [{"peer": "carrier_b"}]});
    let reject = json!({"kind": "reject", "reason": "decide.forbidden"});
    let mut rules = vec![
        json!({"id": "blocked", "condition": {"calling": {"lists": [{"list": "blocked"}]}}, "action": reject}),
    ];
    for at in 0..(RULES - CARRIERS - 2) {
        let condition = match at % 7 {
            0 => json!({"number": {"prefixes": [format!("+4490{at}")]}}),
            1 => json!({"domains": [format!("d{at}.example")], "methods": ["INVITE"]}),
            2 => json!({"number": {"ranges": [[format!("+3314200{at:04}"), format!("+3314209{at:04}")]]}}),
            3 => json!({"headers": [{"header": "Subject", "test": {"regex": format!("^spam {at}")}}]}),
            4 => json!({"peers": ["carrier_b"], "option_tags": ["precondition"]}),
            5 => json!({"media": ["message"], "not": {"codecs": ["AMR"]}}),
            _ => json!({"any": [{"schemes": ["urn"]}, {"calling": {"prefixes": [format!("+99{at}")]}}]}),
        };
        rules.push(json!({"id": format!("rule_{at}"), "condition": condition, "action": reject}));
    }
    for carrier in 0..CARRIERS {
        let condition =
            json!({"number": {"lists": [{"list": "prefixes", "classes": [format!("carrier_{carrier}")]}]}});
        rules.push(json!({"id": format!("carrier_{carrier}"), "condition": condition, "action": route}));
    }
    rules.push(json!({"id": "all", "action": reject}));
    Value::Array(rules)
}

/// Prefixes of 7 to 11 digits, and that of the called number, which is the last carrier's.
fn prefixes() -> String {
    let mut text = String::from("prefix,class\n+442079,carrier_899\n");
    for at in 0..ENTRIES as usize - 1 {
        let _ = writeln!(text, "+1{:0width$},carrier_{}", at / 5, at % CARRIERS, width = 6 + at % 5);
    }
    text
}

fn blocked() -> String {
    let mut text = String::new();
    for at in 0..ENTRIES {
        let _ = writeln!(text, "+4477{:08}", at * 7);
    }
    text
}
