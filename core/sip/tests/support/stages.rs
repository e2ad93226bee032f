//! The stages of an initial INVITE one by one, each with what it needs prepared: for benches and instruction counts.
//!
//! What runs is what the border runs, called through the crate's public interface in the border's order. `forward` is not
//! here: it is the border itself, and its share is what the whole path costs beyond the sum.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ibcf_sip::admit::{Rate, TokenBucket};
use ibcf_sip::decide::{AnswerCache, CachedAnswer, Facts, Verdict, global_number};
use ibcf_sip::input::EnumOutcome;
use ibcf_sip::message::{HeaderId, HeaderIndex, Method, Uri};
use ibcf_sip::parse::{call_id_of, check, parse};
use ibcf_sip::rewrite::{self, Draft, DraftScratch, ShortText, Ticket, Variable, VariableValues};
use ibcf_sip::screen::{self, Screened};
use ibcf_sip::snapshot::document::Direction;
use ibcf_sip::snapshot::{Limits, ListenerIndex, PeerIndex, Side, Transport};
use ibcf_sip::trace::Trace;
use ibcf_sip::transaction::{KeyHasher, ServerKey, Table, Wheel};
use ibcf_sip::{Now, Snapshot, Time};

use super::calls::{Level, answer, dialled};
use super::{A, B, BORDER_HOME, BORDER_PEER, PEER, Sent, load};

/// How long the timers run that [`Stages::transaction`] arms, and how far its clock goes on each time.
const TIMERS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(32), Duration::from_secs(180)];
const CLOCK_STEP: Duration = Duration::from_secs(10);
/// After so many times as many timers are over as are armed.
const WARM_UP: usize = 20;
const NOW: Now = Now { time: Time::from_millis(1_000), unix_ms: 1_700_000_000_000 };
const SERVICE: &str = "carrier_enum";

/// One stage: its name in the record, and what runs it once.
pub type Stage = (&'static str, fn(&mut Stages));

/// All of them, in the order of the life of a message.
pub const STAGES: [Stage; 11] = [
    ("call_id", Stages::call_id),
    ("parse_invite", Stages::parse_invite),
    ("parse_response", Stages::parse_response),
    ("check", Stages::check),
    ("typed_values", Stages::typed_values),
    ("admit", Stages::admit),
    ("transaction", Stages::transaction),
    ("screen", Stages::screen),
    ("decide", Stages::decide),
    ("rewrite", Stages::rewrite),
    ("open_token", Stages::open_token),
];

/// What rules know of an INVITE of our core over UDP, without what stands in the message.
pub fn facts<'a>(request_uri: &'a [u8], number: &'a str) -> Facts<'a> {
    Facts {
        peer: PeerIndex(0),
        side: Side::Home,
        trusted: true,
        listener: ListenerIndex(0),
        transport: Transport::Udp,
        direction: Direction::Exit,
        method: Method::Invite,
        request_uri,
        number: Some(number),
        calling: None,
        enum_outcome: None,
        message: None,
        emergency: false,
        emergency_numbers: None,
        unix_ms: NOW.unix_ms,
    }
}

/// No rule asks for a variable.
struct Nothing;

impl VariableValues for Nothing {
    fn write(&self, _: Variable, _: &Draft<'_>, _: &mut ShortText) {}
}

/// A snapshot of [`Level::L3`], an INVITE and its 200, and the tables that a stage needs.
pub struct Stages {
    snapshot: Snapshot,
    limits: Limits,
    invite: Vec<u8>,
    response: Vec<u8>,
    index: HeaderIndex,
    /// Of the INVITE, for the stages behind `parse`.
    parsed: HeaderIndex,
    source: SocketAddr,
    rate: (Rate, TokenBucket),
    hasher: KeyHasher,
    contexts: Table<ServerKey>,
    wheel: Wheel<ServerKey>,
    clock: Time,
    answers: AnswerCache<CachedAnswer>,
    scratch: DraftScratch,
    sent: Vec<u8>,
    token: Vec<u8>,
    nonce: u64,
    trace: Trace,
}

impl Stages {
    pub fn new() -> Self {
        let snapshot = load(&Level::L3.policy());
        let limits = snapshot.limits;
        let text = dialled(0);
        let to_b = Sent { listener: PEER, to: B.parse().expect("an address"), text: text.clone() };
        let mut parsed = HeaderIndex::default();
        parse(text.as_bytes(), &limits, &mut parsed).expect("a message");
        let mut answers = AnswerCache::new(1_000, 1);
        let candidates = vec!["sip:+442079460000@b.example;user=phone".to_owned()];
        let cached = CachedAnswer { outcome: EnumOutcome::Found, class: "FOUND".to_owned(), candidates };
        answers.put(SERVICE, "+442079460000", Arc::new(cached), NOW.time, Time::from_millis(86_400_000));
        let mut stages = Self {
            snapshot,
            limits,
            invite: text.into_bytes(),
            response: answer(&to_b).into_bytes(),
            index: HeaderIndex::default(),
            parsed,
            source: A.parse().expect("an address"),
            rate: (Rate::new(1_000_000_000, 1_000_000_000), TokenBucket::default()),
            hasher: KeyHasher::new([7; 16]),
            contexts: Table::new(1_000),
            wheel: Wheel::new(Time::ZERO),
            clock: NOW.time,
            answers,
            scratch: DraftScratch::default(),
            sent: Vec::new(),
            token: Vec::new(),
            nonce: 0,
            trace: Trace::default(),
        };
        stages.seal();
        for (_, stage) in STAGES {
            (0..WARM_UP).for_each(|_| stage(&mut stages));
        }
        stages
    }

    pub fn call_id(&mut self) {
        black_box(call_id_of(black_box(&self.invite))).expect("a Call-ID");
    }

    pub fn parse_invite(&mut self) {
        let message = parse(black_box(&self.invite), &self.limits, &mut self.index).expect("a message");
        assert_eq!(black_box(message.header_count()), 28);
    }

    pub fn parse_response(&mut self) {
        let message = parse(black_box(&self.response), &self.limits, &mut self.index).expect("a message");
        assert_eq!(black_box(message).status().expect("a response").code, 200);
    }

    pub fn check(&mut self) {
        check(black_box(&self.parsed.view(&self.invite)), &self.limits).expect("a good message");
    }

    /// What every request needs of its headers.
    pub fn typed_values(&mut self) {
        let message = self.parsed.view(&self.invite);
        black_box((
            message.top_via().expect("a Via").branch(),
            message.from().expect("a From").tag(),
            message.to().expect("a To").tag(),
            message.call_id().expect("a Call-ID"),
            message.cseq().expect("a CSeq"),
            message.max_forwards().expect("a number"),
            message.request().map(|request| Uri::parse(request.uri)),
        ));
    }

    pub fn admit(&mut self) {
        let peer = self.snapshot.sources.find(black_box(self.source.ip())).expect("a peer");
        assert!(self.rate.1.take(self.rate.0, NOW.time), "{peer:?}");
    }

    /// A key, a place in the table and three timers, from the beginning to the end of all of them.
    pub fn transaction(&mut self) {
        let message = self.parsed.view(&self.invite);
        let key = ServerKey::of(black_box(&message), "carrier_a", &self.hasher).expect("a key");
        let slot = self.contexts.insert(key).expect("room");
        for after in TIMERS {
            self.wheel.arm(self.clock + after, key);
        }
        self.clock = self.clock + CLOCK_STEP;
        while let Some(key) = self.wheel.pop_due(self.clock) {
            black_box(key);
        }
        self.contexts.remove(slot).expect("it is there");
    }

    pub fn screen(&mut self) {
        let message = self.parsed.view(&self.invite);
        let screened = Screened {
            message: &message,
            request: message.request().expect("a request"),
            agreement: self.snapshot.agreement(PeerIndex(0)),
            has_orig: false,
            is_for_us: false,
        };
        screen::check(black_box(&screened)).expect("it may cross");
    }

    /// The rules, the number from the cache, the rules again for the URI that it led to.
    pub fn decide(&mut self) {
        let message = self.parsed.view(&self.invite);
        let request = message.request().expect("a request");
        let number = global_number(&Uri::parse(request.uri).expect("a URI")).expect("a number");
        let facts = facts(request.uri, &number);
        let routes = &self.snapshot.routes;
        let verdict = routes.evaluate(0, black_box(&facts), &mut self.trace);
        let Verdict::Lookup { next, .. } = verdict else { panic!("{verdict:?}") };
        let found = self.answers.get(SERVICE, &number, NOW.time).expect("a cached answer");
        let facts =
            Facts { request_uri: found.candidates[0].as_bytes(), enum_outcome: Some(found.outcome), ..facts };
        let verdict = routes.evaluate(next, black_box(&facts), &mut self.trace);
        assert!(matches!(verdict, Verdict::Route { .. }), "{verdict:?}");
    }

    /// The INVITE as it leaves: every edit that the border makes, the token sealed, the bytes written.
    pub fn rewrite(&mut self) {
        self.seal();
        let to = self.snapshot.agreement(PeerIndex(1));
        let message = self.parsed.view(&self.invite);
        let trace = &mut self.trace;
        let mut draft = Draft::new(message, &mut self.scratch);
        rewrite::via_received(&mut draft, self.source);
        draft.pop_value(HeaderId::Route).expect("our Route");
        rewrite::apply_trust(&mut draft, true, true, true, trace);
        rewrite::apply_charging_to_request(&mut draft, &to.charging, true, String::new, "ibcf-1", trace);
        draft.set_request_uri(b"sip:+442079460000@b.example;user=phone");
        rewrite::set_request_uri_host(&mut draft, "beta.example");
        draft.set_max_forwards(65);
        for (token, side) in [(Some(self.token.as_slice()), BORDER_HOME), (None, BORDER_PEER)] {
            draft.prepend_with(HeaderId::RecordRoute, |out| {
                let write_token = token.map(|token| |out: &mut Vec<u8>| out.extend_from_slice(token));
                rewrite::write_record_route(out, write_token, (Transport::Udp, address(side)));
            });
        }
        for rules in &to.sent_rules {
            self.snapshot.header_rules[rules.at()].apply(&mut draft, Method::Invite, &Nothing, trace);
        }
        draft.prepend_with(HeaderId::Via, |out| {
            let sent_by = (Transport::Udp, address(BORDER_PEER));
            rewrite::via_value(out, sent_by, rewrite::ViaOffers::default(), |out| {
                out.extend_from_slice(b"z9hG4bK0123456789abcdef01");
            });
        });
        self.sent.clear();
        draft.encode(&mut self.sent);
        assert!(black_box(&self.sent).len() > 2_000);
    }

    pub fn open_token(&mut self) {
        let ticket = self.snapshot.keys.open(black_box(&self.token)).expect("our token");
        assert_eq!(ticket.generation, 1);
    }

    fn seal(&mut self) {
        self.nonce += 1;
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.nonce.to_le_bytes());
        let ticket = Ticket {
            upstream_peer: rewrite::peer_tag("carrier_a"),
            downstream_peer: rewrite::peer_tag("carrier_b"),
            generation: 1,
            start_unix_s: 1_700_000_000,
            upstream_host: rewrite::host_tag(self.source.ip()),
            downstream_place: rewrite::place_tag(address(B)),
            call: 7,
        };
        self.token.clear();
        self.snapshot.keys.seal(nonce, black_box(&ticket), &mut self.token);
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}
