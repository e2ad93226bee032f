//! What DNS answers, and when: in good times soon, in bad ones late, wrongly, or never.

use std::time::Duration;

use ibcf_sip::input::{AnswerBody, EnumOutcome};

use crate::policy::ENUM_DEADLINE_MS;
use crate::random::Random;

/// How the servers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Well: nearly every answer comes within half a second.
    #[default]
    Well,
    /// Slow: half of the answers come after the deadline.
    Slow,
    /// They say that they cannot tell.
    Failing,
    /// They say nothing.
    Dead,
}

impl Health {
    /// Draws one.
    pub fn draw(random: &mut Random) -> Self {
        random
            .weighted(&[(2, Self::Well), (2, Self::Slow), (1, Self::Failing), (1, Self::Dead)])
            .unwrap_or_default()
    }

    /// Answers an ENUM question: what, and after how long; `None` when no answer ever comes.
    pub fn answer_enum(self, number: &str, random: &mut Random) -> Option<(Duration, AnswerBody)> {
        let delay = match self {
            Self::Well | Self::Failing => random.millis(1, 400),
            Self::Slow => random.millis(ENUM_DEADLINE_MS / 2, ENUM_DEADLINE_MS * 3 / 2),
            Self::Dead => return None,
        };
        let late = Duration::from_millis(ENUM_DEADLINE_MS + 500);
        let (delay, outcome, class) = if self == Self::Failing {
            (delay, EnumOutcome::Failed, "SERVFAIL")
        } else if number.starts_with("+441688") {
            (random.chance(0.5).then_some(late)?, EnumOutcome::Found, "FOUND")
        } else if number.starts_with("+441699") {
            (delay, EnumOutcome::NotFound, "NXDOMAIN")
        } else if random.chance(0.05) {
            (delay, EnumOutcome::Failed, "TIMEOUT")
        } else {
            (delay, EnumOutcome::Found, "FOUND")
        };
        let mut candidates = Vec::new();
        if outcome == EnumOutcome::Found {
            candidates.push(format!("sip:{number}@b.example;user=phone"));
            if random.chance(0.3) {
                candidates.push(format!("sip:{number}@other.example;user=phone"));
            }
        }
        let ttl_ms = random.below(20_000);
        Some((delay, AnswerBody::Enum { outcome, class: class.to_owned(), candidates, ttl_ms }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_servers_say_nothing_and_failing_ones_say_so() {
        let mut random = Random::new(1, 1);
        for _ in 0..50 {
            assert_eq!(Health::Dead.answer_enum("+441632000001", &mut random), None);
            let (_, body) = Health::Failing.answer_enum("+441632000001", &mut random).unwrap();
            assert!(matches!(body, AnswerBody::Enum { outcome: EnumOutcome::Failed, .. }));
        }
    }
}
