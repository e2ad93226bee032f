//! Why a condition does not hold, in words, with what the request has: for `explain` and traces only.

use super::{Indexed, Looked, Mismatch, Test, iotl};
use crate::decide::rules::Facts;
use crate::input::EnumOutcome;

impl Mismatch<'_> {
    /// Says in words what did not hold, with the value that the request has.
    pub(in crate::decide) fn text(&self, facts: &Facts<'_>, looked: &Looked<'_>) -> String {
        match self {
            Self::Indexed(Indexed::Prefixes) => number(facts.number, "begins with none of the prefixes"),
            Self::Indexed(Indexed::Domains) => domain(looked),
            Self::Indexed(Indexed::CalledList) => number(facts.number, "has no such entry in the list"),
            Self::Indexed(Indexed::CallingList) => facts.calling.map_or_else(
                || NO_CALLER.to_owned(),
                |number| format!("{number} has no such entry in the list"),
            ),
            Self::Test(test) => test.refusal(facts, looked),
        }
    }
}

impl Test {
    fn refusal(&self, facts: &Facts<'_>, looked: &Looked<'_>) -> String {
        match self {
            Self::Peers(_) => "the request came from another peer".to_owned(),
            Self::Side(_) => "it came from the other side".to_owned(),
            Self::Direction(_) => format!("the direction is {}", facts.direction.name()),
            Self::Listeners(_) => "it came to another listener".to_owned(),
            Self::Transports(_) => format!("it came over {}", facts.transport.name()),
            Self::Trusted(true) => "its sender is not trusted".to_owned(),
            Self::Trusted(false) => "its sender is trusted".to_owned(),
            Self::Methods(_) => format!("the method is {}", lossy(facts.method.as_bytes())),
            Self::Emergency(true) => "it is no emergency call".to_owned(),
            Self::Emergency(false) => "it is an emergency call".to_owned(),
            Self::EnumOutcomes(_) => enum_outcome(facts.enum_outcome).to_owned(),
            Self::Schemes(_) => match looked.scheme {
                Some(scheme) => format!("the scheme is {}", lossy(scheme)),
                None => "the Request-URI has no scheme".to_owned(),
            },
            Self::Domains(_) => domain(looked),
            Self::Iotls(_) => match iotl(looked) {
                Some(found) => format!("iotl is {}", lossy(found)),
                None => "the Request-URI has no iotl".to_owned(),
            },
            Self::Number(test) => {
                facts.number.map_or_else(|| NO_NUMBER.to_owned(), |number| test.refusal(number))
            }
            Self::Calling(test) => {
                facts.calling.map_or_else(|| NO_CALLER.to_owned(), |number| test.refusal(number))
            }
            Self::Times(_) => "it is another time".to_owned(),
            Self::Share(share) => format!("it is not of the {} % that count", f64::from(*share) / 100.0),
            Self::OptionTags(tags) => format!("no option tag {}", tags.join(", ")),
            Self::ResourcePriorities(values) => format!("no Resource-Priority {}", values.join(", ")),
            Self::Header(matcher) => matcher.refusal(),
            Self::BodyTypes(types) => format!("no body of type {}", types.join(", ")),
            Self::Media(media) => format!("no media {}", media.join(", ")),
            Self::Codecs(codecs) => format!("no codec {}", codecs.join(", ")),
            Self::Users(_) => match looked.uri.as_ref().and_then(|uri| uri.user) {
                Some(user) => format!("no expression matches the user part {}", lossy(user)),
                None => "the Request-URI has no user part".to_owned(),
            },
            Self::All(conditions) => {
                let failing = conditions.iter().find(|one| !one.holds(facts, looked));
                let why = failing.and_then(|one| one.why(facts, looked));
                format!("not all hold: {}", why.unwrap_or_default())
            }
            Self::Any(conditions) => {
                let why = conditions.iter().filter_map(|one| one.why(facts, looked));
                format!("none holds: {}", why.collect::<Vec<_>>().join("; "))
            }
            Self::Not(_) => "what must not hold does".to_owned(),
        }
    }
}

impl super::Compiled {
    fn why(&self, facts: &Facts<'_>, looked: &Looked<'_>) -> Option<String> {
        self.tests.iter().find(|test| !test.holds(facts, looked)).map(|test| test.refusal(facts, looked))
    }
}

const NO_NUMBER: &str = "the Request-URI holds no global number";
const NO_CALLER: &str = "the caller has no global number";

fn number(number: Option<&str>, problem: &str) -> String {
    number.map_or_else(|| NO_NUMBER.to_owned(), |number| format!("{number} {problem}"))
}

fn domain(looked: &Looked<'_>) -> String {
    match looked.host.as_deref() {
        Some(host) => format!("{} is none of the domains", lossy(host)),
        None => "the Request-URI has no host".to_owned(),
    }
}

const fn enum_outcome(outcome: Option<EnumOutcome>) -> &'static str {
    match outcome {
        Some(EnumOutcome::Found) => "ENUM found the number",
        Some(EnumOutcome::NotFound) => "ENUM does not know the number",
        Some(EnumOutcome::Failed) => "ENUM failed",
        None => "ENUM was not asked",
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
