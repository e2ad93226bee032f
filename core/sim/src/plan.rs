//! What one call is going to do, drawn from the seed before it starts.

use crate::random::Random;
use crate::topology::PLACES_MAX;

/// Which way the call crosses the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the home core to another carrier.
    Exit,
    /// From another carrier.
    Entry,
}

/// What the caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call: INVITE to BYE.
    Call,
    /// A page-mode MESSAGE.
    Message,
    /// An OPTIONS to the called one.
    Query,
    /// An OPTIONS to the border itself.
    Ping,
}

impl Kind {
    /// The method of the first request.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Call => "INVITE",
            Self::Message => "MESSAGE",
            Self::Query | Self::Ping => "OPTIONS",
        }
    }
}

/// What the caller dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// A `tel:` URI of this number (below 10,000): ENUM is asked.
    Telephone(u64),
    /// A number that ENUM does not know.
    Unknown(u64),
    /// A number about which ENUM gives no answer.
    Mute(u64),
    /// A number that policy forbids.
    Forbidden,
    /// A `sip:` URI: ENUM is not asked.
    Sip,
    /// A `sip:` URI of carrier D, whose targets were located.
    Located,
    /// A `sip:` URI for which all targets are tried at once.
    AllAtOnce,
    /// `urn:service:sos`: no limit may stop it.
    Emergency,
}

/// What a called agent does with the first request. Times are milliseconds after its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Rings and answers.
    Answer {
        /// When it rings.
        ring_ms: u64,
        /// When it answers.
        answer_ms: u64,
    },
    /// Sends early media that wants a PRACK (RFC 3262), then answers.
    AnswerReliably {
        /// When it sends early media.
        ring_ms: u64,
        /// When it answers.
        answer_ms: u64,
    },
    /// So many devices ring, and as many as `answers` of them answer (forking at the far side).
    Fork {
        /// How many ring.
        devices: u8,
        /// How many of them answer, the first and one a second after it.
        answers: u8,
        /// When the first answers.
        answer_ms: u64,
    },
    /// Answers, and lets a CANCEL that comes first lose the race.
    AnswerDespiteCancel {
        /// When it would answer by itself.
        answer_ms: u64,
    },
    /// Refuses with this status.
    Refuse {
        /// 486, 603 ...
        status: u16,
        /// When.
        after_ms: u64,
    },
    /// 503: try another.
    Unavailable,
    /// Rings and is never answered.
    RingForever,
    /// Says nothing at all.
    Silent,
    /// Is not there: the network says so.
    Unreachable,
}

/// What the caller asks inside the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middle {
    /// A re-INVITE.
    Reinvite,
    /// An UPDATE (RFC 3311).
    Update,
    /// An INFO (RFC 6086).
    Info,
}

impl Middle {
    /// Its method.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Reinvite => "INVITE",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Plan {
    pub way: Way,
    pub kind: Kind,
    pub dialled: Dialled,
    /// Does the caller come over TCP?
    pub caller_by_stream: bool,
    /// What each called agent does, by the place of its address in the list of its carrier.
    pub called: [Behaviour; PLACES_MAX],
    /// When the caller gives up, unless answered by then.
    pub cancel_ms: Option<u64>,
    /// When after the answer one of the two asks for something inside the call, and what.
    pub middle: Option<(u64, Middle)>,
    /// Does the called one ask for it?
    pub called_asks: bool,
    /// Interval of a session timer that the caller keeps alive (RFC 4028).
    pub session_s: Option<u32>,
    /// When after the answer somebody hangs up.
    pub bye_ms: u64,
    /// Does the called one hang up?
    pub called_hangs_up: bool,
    /// When the caller falls silent for ever (battery, crash).
    pub vanish_ms: Option<u64>,
    /// Does the caller write short header names?
    pub short_names: bool,
    /// Is there a proxy between the caller and the border, that stays in the route set?
    pub has_proxy: bool,
    /// Does the called one give a Contact that points at a stranger?
    pub lures: bool,
}

/// How many different numbers are dialled: few enough that answers are shared and come from the cache.
const NUMBERS: u64 = 300;

impl Plan {
    /// Draws a plan.
    pub fn draw(random: &mut Random) -> Self {
        let way = if random.chance(0.7) { Way::Exit } else { Way::Entry };
        let kind = random
            .weighted(&[(88, Kind::Call), (7, Kind::Message), (3, Kind::Query), (2, Kind::Ping)])
            .unwrap_or(Kind::Call);
        let number = random.below(NUMBERS);
        let dialled = match (way, random.below(100)) {
            (_, 0..=1) => Dialled::Forbidden,
            (Way::Exit, 2..=4) if kind == Kind::Call => Dialled::Emergency,
            (Way::Exit, 5..=14) => Dialled::Located,
            (Way::Exit, 15..=24) => Dialled::AllAtOnce,
            (Way::Entry, _) | (_, 2..=30) => Dialled::Sip,
            (_, 31..=35) => Dialled::Unknown(number),
            (_, 36..=38) => Dialled::Mute(number),
            _ => Dialled::Telephone(number),
        };
        let called = [behaviour(random, 30), behaviour(random, 20), behaviour(random, 0)];
        let cancel_ms = match (random.below(20), called[0].answer_ms()) {
            (0, _) => Some(random.below(40)),
            // A race: the CANCEL and the 200 meet somewhere on the way.
            (1..=2, Some(answer_ms)) => Some(answer_ms + random.below(60)),
            (3..=4, _) => Some(random.below(12_000)),
            _ => None,
        };
        let is_long = random.chance(0.03);
        Self {
            way,
            kind,
            dialled,
            caller_by_stream: random.chance(0.2),
            called,
            cancel_ms,
            middle: draw_middle(random),
            called_asks: random.chance(0.3),
            session_s: (is_long || random.chance(0.2)).then(|| 90 + random.below(100) as u32),
            bye_ms: match random.below(20) {
                0 => 0,
                _ if is_long => random.below(400_000),
                _ => random.below(60_000),
            },
            called_hangs_up: random.chance(0.4),
            vanish_ms: random.chance(0.02).then(|| random.below(30_000)),
            short_names: random.chance(0.3),
            has_proxy: random.chance(0.2),
            lures: random.chance(0.01),
        }
    }
}

impl Behaviour {
    const fn answer_ms(self) -> Option<u64> {
        match self {
            Self::Answer { answer_ms, .. }
            | Self::AnswerReliably { answer_ms, .. }
            | Self::Fork { answer_ms, .. }
            | Self::AnswerDespiteCancel { answer_ms } => Some(answer_ms),
            _ => None,
        }
    }
}

fn draw_middle(random: &mut Random) -> Option<(u64, Middle)> {
    let after_ms = random.below(5_000);
    let middle = random.weighted(&[(3, Middle::Reinvite), (1, Middle::Update), (1, Middle::Info)])?;
    random.chance(0.3).then_some((after_ms, middle))
}

fn behaviour(random: &mut Random, failing: u64) -> Behaviour {
    let ring_ms = random.below(1_500);
    let answer_ms = ring_ms + random.below(15_000);
    let after_ms = random.below(3_000);
    let status =
        random.weighted(&[(5, 486), (2, 480), (2, 603), (1, 404), (1, 302), (1, 500)]).unwrap_or(486);
    let devices = 2 + u8::try_from(random.below(3)).unwrap_or(0);
    let answers = 1 + u8::try_from(random.below(u64::from(devices))).unwrap_or(0);
    random
        .weighted(&[
            (75, Behaviour::Answer { ring_ms, answer_ms }),
            (15, Behaviour::AnswerReliably { ring_ms, answer_ms }),
            (10, Behaviour::Fork { devices, answers, answer_ms }),
            (5, Behaviour::AnswerDespiteCancel { answer_ms }),
            (20, Behaviour::Refuse { status, after_ms }),
            (3, Behaviour::RingForever),
            (failing, Behaviour::Unavailable),
            (failing / 3, Behaviour::Silent),
            (failing / 3, Behaviour::Unreachable),
        ])
        .unwrap_or(Behaviour::Silent)
}
