//! Many calls at once, and what each of them costs in memory.
//!
//! ```text
//!     A                    border                    B
//!     | INVITE (2.5 KB) -----> | INVITE --------------> |   every call, 5,000 a second
//!     | <------------- 100,180 | <---------------- 180  |   -> bytes of a ringing call
//!     | <----------------- 200 | <---------------- 200  |   every call, 5,000 a second
//!     | ACK -----------------> | ACK -----------------> |   -> bytes of a call whose transactions are still kept
//!     |        70 s later: the transactions are over    |   -> bytes of an answered call
//!     | BYE -----------------> | BYE -----------------> |
//!     | <----------------- 200 | <---------------- 200  |
//!     |        70 s later                               |   -> bytes that the tables keep for the next burst
//! ```
//!
//! Counted is what the border allocates and frees while it handles its inputs, so what this driver keeps does not count.

use std::fmt::Write as _;
use std::net::SocketAddr;

use ibcf_sip::input::EnumOutcome;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::{Flow, Input};
use serde_json::json;

use super::heap::live;
use super::ims;
use super::{A, B, HOME, PEER, Sent, World, only, policy, respond};

/// Calls that begin or end in a second of the virtual clock.
const CALLS_A_SECOND: u64 = 5_000;
/// By then every transaction of an ended call has been forgotten.
const OVER_MS: u64 = 70_000;
/// Lines of a response as an IMS core sends it, beside those that it copies from the request.
pub const RESPONSE_LINES: [&str; 6] = [
    "P-Asserted-Identity: \"Alice Archer\" <sip:+442079460123@b.example;user=phone>",
    "P-Charging-Vector: icid-value=\"8be41f7d0a263c95-8831\";icid-generated-at=192.0.2.77;orig-ioi=a.example;term-ioi=b.example",
    "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,PRACK,MESSAGE,REFER,NOTIFY,INFO,OPTIONS",
    "Supported: 100rel,timer,precondition,norefersub",
    "P-Early-Media: sendrecv",
    "Server: Handset/12.1 (volte; build 9.20.7; modem 5.1.0-r1)",
];
/// Room for what the driver has to remember of a call: our Via and our Record-Route values.
const MEMORY: usize = 512;

/// The border with everything on that its policy may have: rates, look-ups, ENUM, header rules, charging, tokens.
pub fn border() -> World {
    let mut policy = policy();
    policy["header_rules"] = json!([{"id": "to_peers", "rules": [
        {"id": "1", "header": "User-Agent", "action": {"kind": "remove"}},
        {"id": "2", "header": "P-Asserted-Service", "action": {"kind": "remove"}},
        {"id": "3", "header": "P-Access-Network-Info", "action": {"kind": "remove"}},
        {"id": "4", "header": "Accept-Contact", "action": {"kind": "remove"}},
    ]}]);
    policy["agreements"][1]["sent_rules"] = json!(["to_peers"]);
    policy["peers"][0]["limits"] = json!({"requests_per_second": 1_000_000_000, "calls_max": 200_000});
    policy["routes"][1]["condition"] = json!({});
    World::with(&policy)
}

/// The INVITE of an IMS core, 2.5 KB, with a Call-ID and branches of its own.
pub fn invite(call: usize) -> String {
    let text = String::from_utf8(ims::invite()).expect("text");
    text.replace("z9hG4bK", &format!("z9hG4bK{call:08}")).replace("Call-ID: ", &format!("Call-ID: {call:08}"))
}

/// What a ringing call may cost beyond its message: both transactions with their share of tables, maps and timers.
pub const RINGING_MAX: usize = 4_096;
/// What an answered call may cost whose transactions are over.
pub const ANSWERED_MAX: usize = 1_024;

/// Bytes of the heap that one call costs, and what is left when all are over.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Calls that ran at the same time.
    pub calls: usize,
    /// Bytes of the INVITE.
    pub message: usize,
    /// For each call that rings: both transactions, beyond the INVITE itself.
    pub ringing: usize,
    /// For each call that was just answered, beyond the INVITE itself: its transactions are kept for Timers L and M.
    pub just_answered: usize,
    /// For each answered call whose transactions are over.
    pub answered: usize,
    /// For each call of the burst when it is over: what the tables keep for the next one.
    pub kept: usize,
    /// What a second burst of as many calls adds to it in all.
    pub grown: i64,
    /// The same three of the process, from the system: 0 where it does not tell.
    pub resident: [usize; 3],
}

/// Runs two bursts of *calls* calls; the figures are those of the first.
pub fn measure(calls: usize) -> Figures {
    let mut burst = Burst::new(calls);
    let message = invite(0).len();
    burst.warm_up();
    let idle = Level::now(&burst);
    burst.ring(0);
    let ringing = Level::now(&burst).above(idle, calls);
    burst.answer(0);
    let just_answered = Level::now(&burst).above(idle, calls);
    burst.rest();
    let answered = Level::now(&burst).above(idle, calls);
    burst.end(0);
    burst.rest();
    let kept = Level::now(&burst);
    burst.ring(calls);
    burst.answer(calls);
    burst.rest();
    burst.end(calls);
    burst.rest();
    burst.world.assert_quiet();
    Figures {
        calls,
        message,
        ringing: ringing.heap.saturating_sub(message),
        just_answered: just_answered.heap.saturating_sub(message),
        answered: answered.heap,
        kept: kept.above(idle, calls).heap,
        grown: burst.heap - kept.heap,
        resident: [
            ringing.resident.saturating_sub(message),
            answered.resident,
            kept.above(idle, calls).resident,
        ],
    }
}

/// What is in use at one moment.
#[derive(Clone, Copy)]
struct Level {
    heap: i64,
    resident: usize,
}

/// The same for each call.
struct Share {
    heap: usize,
    resident: usize,
}

impl Level {
    fn now(burst: &Burst) -> Self {
        Self { heap: burst.heap, resident: resident() }
    }

    fn above(self, idle: Self, calls: usize) -> Share {
        let heap = usize::try_from(self.heap - idle.heap).unwrap_or_default();
        Share { heap: heap / calls, resident: self.resident.saturating_sub(idle.resident) / calls }
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4_096
}

struct Burst {
    world: World,
    calls: usize,
    heap: i64,
    sides: [SocketAddr; 2],
    /// What is remembered of each call; written before the first measure, so that it does not count as resident later.
    memory: Vec<[u8; MEMORY]>,
}

impl Burst {
    fn new(calls: usize) -> Self {
        let sides = [A, B].map(|side| side.parse().expect("an address"));
        Self { world: border(), calls, heap: 0, sides, memory: vec![[b' '; MEMORY]; calls] }
    }

    /// One call from end to end, so that scratch values and the cache are as in a border that has worked for a while.
    fn warm_up(&mut self) {
        self.receive(A, &invite(99_999_999));
        if !self.world.questions.is_empty() {
            self.world.answer(
                EnumOutcome::Found,
                &["sip:+442079460123@b.example;user=phone"],
                86_400_000_000,
            );
        }
        self.rest();
    }

    fn ring(&mut self, first: usize) {
        for call in 0..self.calls {
            self.pace(call);
            let sent = self.receive(A, &invite(first + call));
            let forwarded = only(&sent, "INVITE").clone();
            self.remember(call, &forwarded);
            let sent = self.receive(B, &respond(&forwarded, "180 Ringing", "tb.8831", &RESPONSE_LINES));
            only(&sent, "SIP/2.0 180");
        }
    }

    fn answer(&mut self, first: usize) {
        for call in 0..self.calls {
            self.pace(call);
            let forwarded = self.forwarded(first, call);
            let sent = self.receive(B, &respond(&forwarded, "200 OK", "tb.8831", &RESPONSE_LINES));
            let answer = only(&sent, "SIP/2.0 200").clone();
            let sent = self.receive(A, &in_dialog("ACK", 102, &answer));
            only(&sent, "ACK");
        }
    }

    fn end(&mut self, first: usize) {
        for call in 0..self.calls {
            self.pace(call);
            let forwarded = self.forwarded(first, call);
            let mut answer = forwarded.clone();
            answer.text = respond(&forwarded, "200 OK", "tb.8831", &[]);
            let sent = self.receive(A, &in_dialog("BYE", 103, &answer));
            let bye = only(&sent, "BYE").clone();
            only(&self.receive(B, &respond(&bye, "200 OK", "", &[])), "SIP/2.0 200");
        }
    }

    fn rest(&mut self) {
        let end = self.world.ms + OVER_MS;
        while let Some(due) = self.world.border.next_due().filter(|due| due.as_millis() < end) {
            self.world.ms = self.world.ms.max(due.as_nanos().div_ceil(1_000_000));
            self.handle(Input::Tick);
        }
        self.world.ms = end;
    }

    fn pace(&mut self, call: usize) {
        let nth = call as u64;
        self.world.ms += nth * 1_000 / CALLS_A_SECOND - nth.saturating_sub(1) * 1_000 / CALLS_A_SECOND;
    }

    fn remember(&mut self, call: usize, forwarded: &Sent) {
        let text =
            [forwarded.headers("Via")[0], &forwarded.headers("Record-Route")[..2].join(", ")].join("\n");
        self.memory[call] = [b' '; MEMORY];
        self.memory[call][..text.len()].copy_from_slice(text.as_bytes());
    }

    /// The INVITE that B got, as far as its responses need it.
    fn forwarded(&self, first: usize, call: usize) -> Sent {
        let memory = String::from_utf8_lossy(&self.memory[call]).into_owned();
        let (via, record_route) = memory.trim_end().split_once('\n').expect("two lines");
        let (start, rest) = invite(first + call)
            .split_once("\r\n")
            .map(|(start, rest)| (start.to_owned(), rest.to_owned()))
            .expect("lines");
        let text = format!("{start}\r\nVia: {via}\r\nRecord-Route: {record_route}\r\n{rest}");
        Sent { listener: PEER, to: self.sides[1], text }
    }

    fn receive(&mut self, side: &str, text: &str) -> Vec<Sent> {
        let is_home = side == A;
        let (listener, source): (ListenerIndex, SocketAddr) =
            if is_home { (HOME, self.sides[0]) } else { (PEER, self.sides[1]) };
        self.handle(Input::Message { flow: Flow::datagram(listener, source), bytes: text.as_bytes() })
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<Sent> {
        let now = self.world.now();
        let before = live();
        self.world.border.handle(input, now, &mut self.world.out);
        self.heap += live() - before;
        let sent = self.world.sent();
        self.world.questions.append(&mut self.world.out.questions);
        let before = live();
        self.world.out.clear();
        self.heap += live() - before;
        sent
    }
}

/// A request of A inside the dialog that *answer* set up.
pub fn in_dialog(method: &str, cseq: u32, answer: &Sent) -> String {
    let mut text = format!(
        "{method} sip:bob@{B} SIP/2.0\r\nVia: SIP/2.0/UDP {A};branch=z9hG4bK{method}{}\r\nMax-Forwards: 70\r\n",
        answer.header("Call-ID")
    );
    for value in answer
        .headers("Record-Route")
        .iter()
        .rev()
        .flat_map(|line| line.split(", ").collect::<Vec<_>>().into_iter().rev())
        .skip(2)
    {
        write!(text, "Route: {value}\r\n").expect("memory");
    }
    let (from, to, call_id) = (answer.header("From"), answer.header("To"), answer.header("Call-ID"));
    write!(
        text,
        "From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .expect("memory");
    text
}
