//! What one call is going to do, drawn from the seed before it starts.

use crate::random::Random;

/// Which way the call crosses the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the home core to the other carrier.
    Exit,
    /// From the other carrier.
    Entry,
}

/// What the caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call: INVITE to BYE.
    Call,
    /// A page-mode MESSAGE.
    Message,
    /// An OPTIONS to the border itself.
    Ping,
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
}

/// What a called agent does with an INVITE or a MESSAGE. Times are milliseconds after its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Rings and answers.
    Answer {
        /// When it rings.
        ring_ms: u64,
        /// When it answers.
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

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Plan {
    pub way: Way,
    pub kind: Kind,
    pub dialled: Dialled,
    /// What each called agent does, by the place of its address in the list of its carrier.
    pub called: [Behaviour; 3],
    /// When the caller gives up, unless answered by then.
    pub cancel_ms: Option<u64>,
    /// When after the answer the caller puts the call on hold.
    pub hold_ms: Option<u64>,
    /// When after the answer somebody hangs up.
    pub bye_ms: u64,
    /// Does the called one hang up?
    pub called_hangs_up: bool,
    /// When the caller falls silent for ever (battery, crash).
    pub vanish_ms: Option<u64>,
    /// Does the caller write short header names?
    pub short_names: bool,
}

/// How many different numbers are dialled: few enough that answers are shared and come from the cache.
const NUMBERS: u64 = 300;

impl Plan {
    /// Draws a plan.
    pub fn draw(random: &mut Random) -> Self {
        let way = if random.chance(0.7) { Way::Exit } else { Way::Entry };
        let kind =
            random.weighted(&[(90, Kind::Call), (8, Kind::Message), (2, Kind::Ping)]).unwrap_or(Kind::Call);
        let number = random.below(NUMBERS);
        let dialled = match (way, random.below(100)) {
            (_, 0..=2) => Dialled::Forbidden,
            (Way::Entry, _) | (_, 3..=22) => Dialled::Sip,
            (_, 23..=27) => Dialled::Unknown(number),
            (_, 28..=30) => Dialled::Mute(number),
            _ => Dialled::Telephone(number),
        };
        let called = [behaviour(random, 30), behaviour(random, 20), behaviour(random, 0)];
        let answer_ms = match called[0] {
            Behaviour::Answer { answer_ms, .. } | Behaviour::AnswerDespiteCancel { answer_ms } => {
                Some(answer_ms)
            }
            _ => None,
        };
        let cancel_ms = match (random.below(20), answer_ms) {
            (0, _) => Some(random.below(40)),
            // A race: the CANCEL and the 200 meet somewhere on the way.
            (1..=2, Some(answer_ms)) => Some(answer_ms + random.below(60)),
            (3..=4, _) => Some(random.below(12_000)),
            _ => None,
        };
        Self {
            way,
            kind,
            dialled,
            called,
            cancel_ms,
            hold_ms: random.chance(0.2).then(|| random.below(5_000)),
            bye_ms: if random.chance(0.05) { 0 } else { random.below(60_000) },
            called_hangs_up: random.chance(0.4),
            vanish_ms: random.chance(0.02).then(|| random.below(30_000)),
            short_names: random.chance(0.3),
        }
    }
}

fn behaviour(random: &mut Random, failing: u64) -> Behaviour {
    let ring_ms = random.below(1_500);
    let answer_ms = ring_ms + random.below(15_000);
    let after_ms = random.below(3_000);
    let status =
        random.weighted(&[(5, 486), (2, 480), (2, 603), (1, 404), (1, 302), (1, 500)]).unwrap_or(486);
    random
        .weighted(&[
            (100, Behaviour::Answer { ring_ms, answer_ms }),
            (5, Behaviour::AnswerDespiteCancel { answer_ms }),
            (20, Behaviour::Refuse { status, after_ms }),
            (3, Behaviour::RingForever),
            (failing, Behaviour::Unavailable),
            (failing / 3, Behaviour::Silent),
            (failing / 3, Behaviour::Unreachable),
        ])
        .unwrap_or(Behaviour::Silent)
}
