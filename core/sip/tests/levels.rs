//! What speed is measured with does the work that its levels promise: `support/calls.rs` tells which.

mod support;

use ibcf_sip::Border;
use ibcf_sip::{Input, Now, Outputs};
use support::calls::{Calls, Kind, Level, Meter};

/// Keeps the INVITE that leaves, and how many inputs of each kind there were.
#[derive(Default)]
struct Watch {
    invite: String,
    inputs: [usize; Kind::ALL.len()],
    records: usize,
    cache_hits: u64,
}

impl Meter for Watch {
    fn handle(&mut self, kind: Kind, border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs) {
        border.handle(input, now, out);
        self.inputs[kind as usize] += 1;
        self.records += out.events.len();
        if kind == Kind::Invite {
            let mut sent = out.sends().iter().map(|send| out.bytes(send));
            let invite = sent.find(|bytes| bytes.starts_with(b"INVITE")).expect("it goes on");
            self.invite = String::from_utf8_lossy(invite).into_owned();
        }
    }
}

fn watched(level: Level) -> Watch {
    let mut watch = Watch::default();
    let mut calls = Calls::new(level, 10);
    calls.round(10, &mut watch);
    watch.cache_hits = calls.world.shared.worker(0).cache_hits.get();
    watch
}

#[test]
fn a_call_at_every_level_is_seven_datagrams_and_ends_with_its_record_and_without_transactions() {
    for level in Level::ALL {
        let watch = watched(level);
        assert_eq!(watch.inputs[..7], [10; 7], "{level:?}");
        assert!(watch.inputs[7] > 0, "timers are due at {level:?}");
        assert_eq!(watch.records, 10, "{level:?}");
        assert_eq!(
            watch.cache_hits,
            if level == Level::L3 { 20 } else { 0 },
            "ENUM, also in the round before"
        );
    }
}

#[test]
fn each_level_does_to_an_invite_what_it_promises() {
    let dropped = ["User-Agent:", "P-Asserted-Service:", "P-Access-Network-Info:"];
    for level in Level::ALL {
        let invite = watched(level).invite;
        let has = |text: &str| invite.contains(text);
        let is_border = level != Level::L1;
        assert!(has("@192.0.2.1:5060;lr>"), "a sealed token at every level\n{invite}");
        assert_eq!(has("orig-ioi=alpha.example"), is_border, "{invite}");
        let host = if is_border { "beta.example" } else { "ibcf.alpha.example" };
        assert!(has(&format!("@{host};user=phone SIP/2.0")), "{invite}");
        assert!(!has("P-Charging-Function-Addresses:"), "it never crosses (TS 24.229 §4.4)\n{invite}");
        for name in dropped {
            assert_eq!(has(name), !is_border, "{name}\n{invite}");
        }
    }
}
