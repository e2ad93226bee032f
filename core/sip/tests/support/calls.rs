//! Whole calls, message by message, at one of three levels of policy: what speed is measured with.
//!
//! ```text
//!              A                    border                    B
//!     invite   | INVITE (2.5 KB) -----> | INVITE --------------> |
//!              | <----------------- 100 |                        |
//!     trying   |                        | <----------------- 100 |
//!     ringing  | <----------------- 180 | <----------------- 180 |
//!     answer   | <----------------- 200 | <----------- 200 (SDP) |
//!     ack      | ACK -----------------> | ACK -----------------> |
//!     bye      | BYE -----------------> | BYE -----------------> |
//!     bye_answer <----------------- 200 | <----------------- 200 |
//!     timers   |       whenever one is due, and 70 s at the end  |
//! ```
//!
//! All calls of a round go through one step before any goes through the next, 5,000 a second of the virtual clock, so
//! the tables hold as many calls as the round has. What an input costs is for the [`Meter`] to find out; what this driver
//! does to make the next input of an output is outside of it.

use std::net::SocketAddr;

use ibcf_sip::input::EnumOutcome;
use ibcf_sip::{Border, Flow, Input, Now, Outputs};
use serde_json::{Value, json};

use super::burst::{RESPONSE_LINES, in_dialog, invite};
use super::{A, B, HOME, PEER, Sent, World, only, policy, respond};

/// Calls that go through a step in a second of the virtual clock.
const CALLS_A_SECOND: u64 = 5_000;
/// By then every transaction of an ended call has been forgotten.
const OVER_MS: u64 = 70_000;
/// Numbers that are dialled at [`Level::L3`].
const NUMBERS: usize = 1_000;
/// Steps through the numbers so that neighbours do not follow each other; has no divisor with [`NUMBERS`] in common.
const STRIDE: usize = 619;
/// What B answers the offer with.
const ANSWER: &str = "v=0\r\no=- 99140001 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nb=AS:49\r\nt=0 0\r\n\
    m=audio 38000 RTP/AVP 104 111\r\nb=AS:49\r\nb=RS:600\r\nb=RR:2000\r\na=rtpmap:104 AMR-WB/16000\r\n\
    a=fmtp:104 mode-change-capability=2;max-red=220\r\na=rtpmap:111 telephone-event/16000\r\na=fmtp:111 0-15\r\n\
    a=curr:qos local sendrecv\r\na=curr:qos remote sendrecv\r\na=des:qos mandatory local sendrecv\r\n\
    a=des:qos mandatory remote sendrecv\r\na=sendrecv\r\na=ptime:20\r\na=maxptime:240\r\n";

/// How much the policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A relay: one route for everything. Screening, trust, records and the sealed Record-Route token can't be left out.
    L1,
    /// A border: a rate and a number of calls for the sender, four headers dropped, the orig-ioi of the home network,
    /// the host of the other one in the Request-URI.
    L2,
    /// The same behind ENUM: 1,000 numbers, every answer in the cache.
    L3,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    pub const fn name(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }

    /// The snapshot's document.
    pub fn policy(self) -> Value {
        let mut policy = policy();
        policy["node"]["domain"] = json!("ibcf.alpha.example"); // whom the INVITE's Route and Request-URI name
        let to_b = json!({"id": "to_b", "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}});
        if self == Self::L1 {
            policy["routes"] = json!([to_b]);
            policy["agreements"][1].as_object_mut().expect("an agreement").remove("charging");
            return policy;
        }
        policy["header_rules"] = json!([{"id": "to_peers", "rules": [
            {"id": "1", "header": "User-Agent", "action": {"kind": "remove"}},
            {"id": "2", "header": "P-Asserted-Service", "action": {"kind": "remove"}},
            {"id": "3", "header": "P-Access-Network-Info", "action": {"kind": "remove"}},
            {"id": "4", "header": "P-Charging-Function-Addresses", "action": {"kind": "remove"}},
        ]}]);
        policy["agreements"][1]["sent_rules"] = json!(["to_peers"]);
        policy["agreements"][1]["charging"] = json!({"orig_ioi": "alpha.example"});
        policy["peers"][1]["request_uri_host"] = json!("beta.example");
        policy["peers"][0]["limits"] = json!({"requests_per_second": 1_000_000_000, "calls_max": 200_000});
        if self == Self::L2 {
            policy["routes"] = json!([to_b]);
        } else {
            policy["routes"][1]["condition"] = json!({});
        }
        policy
    }
}

/// What an input is, by its place in the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invite,
    Trying,
    Ringing,
    Answer,
    Ack,
    Bye,
    ByeAnswer,
    Timers,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Invite,
        Self::Trying,
        Self::Ringing,
        Self::Answer,
        Self::Ack,
        Self::Bye,
        Self::ByeAnswer,
        Self::Timers,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Trying => "trying",
            Self::Ringing => "ringing",
            Self::Answer => "answer",
            Self::Ack => "ack",
            Self::Bye => "bye",
            Self::ByeAnswer => "bye_answer",
            Self::Timers => "timers",
        }
    }
}

/// Hands an input to the border and finds out what that costs.
pub trait Meter {
    fn handle(&mut self, kind: Kind, border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs);
}

/// Finds out nothing.
pub struct Unmetered;

impl Meter for Unmetered {
    fn handle(&mut self, _: Kind, border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs) {
        border.handle(input, now, out);
    }
}

/// A border that has worked for a while, and the calls that go through it.
pub struct Calls {
    pub world: World,
    /// How many began so far: names the next one.
    begun: usize,
    sides: [SocketAddr; 2],
}

impl Calls {
    /// A border at *level* whose tables have held *calls* calls before and whose cache knows every number.
    pub fn new(level: Level, calls: usize) -> Self {
        Self::at(World::with(&level.policy()), level, calls)
    }

    /// The same in a world that is there already.
    pub fn at(world: World, level: Level, calls: usize) -> Self {
        let sides = [A, B].map(|side| side.parse().expect("an address"));
        let mut all = Self { world, begun: 0, sides };
        if level == Level::L3 {
            all.learn_numbers();
        }
        all.round(calls, &mut Unmetered);
        all
    }

    /// Runs *calls* calls from end to end.
    ///
    /// # Panics
    ///
    /// If the border does anything but what the ladder shows.
    pub fn round(&mut self, calls: usize, meter: &mut impl Meter) {
        let (begun, ended) = (self.begun, self.begun + calls);
        self.begun = ended;
        let forwarded = self.step(begun..ended, Kind::Invite, "INVITE", meter, dialled);
        self.step(0..calls, Kind::Trying, "", meter, |call| respond(&forwarded[call], "100 Trying", "", &[]));
        let ringing = |call: usize| respond(&forwarded[call], "180 Ringing", "tb.8831", &RESPONSE_LINES);
        self.step(0..calls, Kind::Ringing, "SIP/2.0 180", meter, ringing);
        let answers =
            self.step(0..calls, Kind::Answer, "SIP/2.0 200", meter, |call| answer(&forwarded[call]));
        let ack = |call: usize| in_dialog("ACK", 102, &answers[call]);
        self.step(0..calls, Kind::Ack, "ACK", meter, ack);
        let bye = |call: usize| in_dialog("BYE", 103, &answers[call]);
        let byes = self.step(0..calls, Kind::Bye, "BYE", meter, bye);
        let bye_answer = |call: usize| respond(&byes[call], "200 OK", "", &[]);
        self.step(0..calls, Kind::ByeAnswer, "SIP/2.0 200", meter, bye_answer);
        self.rest(meter);
        assert_eq!(self.world.border.transactions(), 0, "every call is over");
    }

    /// Hands in *text* of each call; returns the one datagram of each that begins with *expected*.
    fn step(
        &mut self,
        calls: std::ops::Range<usize>,
        kind: Kind,
        expected: &str,
        meter: &mut impl Meter,
        text: impl Fn(usize) -> String,
    ) -> Vec<Sent> {
        let is_from_home = matches!(kind, Kind::Invite | Kind::Ack | Kind::Bye);
        let (listener, source) = if is_from_home { (HOME, self.sides[0]) } else { (PEER, self.sides[1]) };
        let start_ms = self.world.ms;
        let first = calls.start;
        let mut forwarded = Vec::with_capacity(calls.len());
        for call in calls {
            self.world.ms = start_ms + (call - first) as u64 * 1_000 / CALLS_A_SECOND;
            self.fire_timers(meter);
            let text = text(call);
            let input = Input::Message { flow: Flow::datagram(listener, source), bytes: text.as_bytes() };
            self.handle(kind, input, meter);
            let sent = self.world.sent();
            if expected.is_empty() {
                assert!(sent.is_empty(), "{kind:?} led to {sent:?}");
            } else {
                forwarded.push(only(&sent, expected).clone());
            }
        }
        forwarded
    }

    fn handle(&mut self, kind: Kind, input: Input<'_>, meter: &mut impl Meter) {
        let now = self.world.now();
        let World { border, out, .. } = &mut self.world;
        out.clear();
        meter.handle(kind, border, input, now, out);
        assert!(out.questions.is_empty(), "{kind:?} asked {:?}", out.questions);
    }

    fn fire_timers(&mut self, meter: &mut impl Meter) {
        let now = self.world.now().time;
        if self.world.border.next_due().is_some_and(|due| due <= now) {
            self.handle(Kind::Timers, Input::Tick, meter);
        }
    }

    fn rest(&mut self, meter: &mut impl Meter) {
        let end = self.world.ms + OVER_MS;
        while let Some(due) = self.world.border.next_due().filter(|due| due.as_millis() < end) {
            self.world.ms = self.world.ms.max(due.as_nanos().div_ceil(1_000_000));
            self.handle(Kind::Timers, Input::Tick, meter);
        }
        self.world.ms = end;
    }

    /// Lets every number be asked for once, by a call that is then refused.
    fn learn_numbers(&mut self) {
        for call in 0..NUMBERS {
            self.world.receive(A, &dialled(call));
            let candidate = format!("sip:{}@b.example;user=phone", number(call));
            let sent = self.world.answer(EnumOutcome::Found, &[&candidate], 86_400_000_000);
            let busy = respond(only(&sent, "INVITE"), "486 Busy Here", "tb.8831", &[]);
            self.world.receive(B, &busy);
        }
        self.begun = NUMBERS;
        self.rest(&mut Unmetered);
        self.world.events.clear();
    }
}

/// The number that a call is for.
fn number(call: usize) -> String {
    format!("+44207946{:04}", call * STRIDE % NUMBERS)
}

/// The INVITE of a call.
pub fn dialled(call: usize) -> String {
    invite(call).replace("+442079460123", &number(call))
}

/// The 200 of B to the INVITE that it got, with its half of the session.
pub fn answer(forwarded: &Sent) -> String {
    let session =
        format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    respond(forwarded, "200 OK", "tb.8831", &RESPONSE_LINES).replace("Content-Length: 0\r\n\r\n", &session)
}
