//! When a rule holds: a tree of tests, cheap ones first, each of which can say why it does not.
//!
//! Number prefixes, domains and lists of the outermost condition of a rule lie in tables of all rules ([`Tables`]), so that
//! thousands of rules cost no more than a few; those of conditions inside `all`, `any` and `not` are tested in their place.

mod header;
mod list_index;
mod number;
mod refusal;
mod time;

use std::collections::HashMap;
use std::sync::Arc;

use arrayvec::ArrayVec;
use foldhash::fast::FixedState;
use regex::bytes::Regex;
use siphasher::sip::SipHasher13;
use smallvec::SmallVec;

use super::domains::{DomainTable, Host, normal};
use super::number_table::NumberTable;
use super::prefixes::PrefixTrie;
use super::rules::Facts;
use crate::input::EnumOutcome;
use crate::message::body::Body;
use crate::message::multipart::is_of_type;
use crate::message::{HeaderId, Message, Uri};
use crate::snapshot::document::{Condition, Direction, NumberCondition, Side, Transport};
use crate::snapshot::{ListenerIndex, Names, PeerIndex, SnapshotError};
use header::HeaderMatcher;
pub(super) use list_index::ListIndex;
pub(super) use number::NumberTest;
use time::TimeWindow;

/// Of so many calls, [`Condition::share`] counts.
pub(super) const SHARES: u16 = 10_000;
/// Conditions inside of conditions.
const NESTING_MAX: usize = 8;

/// Lists of numbers by their ids.
pub type Lists = HashMap<String, Arc<NumberTable>, FixedState>;

/// Prefixes, domains and lists of all rules: which of them does a request fall under?
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) prefixes: PrefixTrie,
    pub(super) domains: DomainTable,
    /// Of the number that is called.
    pub(super) called: ListIndex,
    pub(super) calling: ListIndex,
}

/// A part of an outermost condition that a table answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Indexed {
    Prefixes,
    Domains,
    CalledList,
    CallingList,
}

/// The condition of one rule, with names resolved and patterns compiled.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    tests: Vec<Test>,
    indexed: ArrayVec<Indexed, 4>,
}

/// One thing that must hold; of a list, one.
#[derive(Debug)]
pub(super) enum Test {
    Peers(Box<[PeerIndex]>),
    Side(Side),
    Direction(Direction),
    Listeners(Box<[ListenerIndex]>),
    Transports(Box<[Transport]>),
    Trusted(bool),
    Methods(Box<[String]>),
    Emergency(bool),
    EnumOutcomes(Box<[EnumOutcome]>),
    Schemes(Box<[String]>),
    Domains(DomainTable),
    Iotls(Box<[String]>),
    Number(NumberTest),
    Calling(NumberTest),
    Times(Box<[TimeWindow]>),
    Share(u16),
    OptionTags(Box<[String]>),
    ResourcePriorities(Box<[String]>),
    Header(HeaderMatcher),
    BodyTypes(Box<[String]>),
    Media(Box<[String]>),
    Codecs(Box<[String]>),
    Users(Box<[Regex]>),
    All(Box<[Compiled]>),
    Any(Box<[Compiled]>),
    Not(Box<Compiled>),
}

/// What is taken out of a request once, before the rules are looked at.
pub(super) struct Looked<'a> {
    uri: Option<Uri<'a>>,
    scheme: Option<&'a [u8]>,
    pub(super) host: Option<Host>,
    body: Body<'a>,
    /// The rules that its numbers fall under by a list.
    pub(super) called: RulesFound<'a>,
    pub(super) calling: RulesFound<'a>,
}

/// Ascending positions of rules, a list of them for each table.
type RulesFound<'a> = SmallVec<[&'a [u32]; 4]>;

impl<'a> Looked<'a> {
    pub(super) fn at(facts: &Facts<'a>, tables: &'a Tables) -> Self {
        let uri = Uri::parse(facts.request_uri).ok();
        let found = |number: Option<&str>, index: &'a ListIndex| {
            number.map(|number| index.rules_of(number).collect()).unwrap_or_default()
        };
        Self {
            scheme: uri.as_ref().map(|uri| uri.scheme),
            host: uri.as_ref().and_then(|uri| normal(uri.host)),
            uri,
            body: Body::of(facts.message),
            called: found(facts.number, &tables.called),
            calling: found(facts.calling, &tables.calling),
        }
    }
}

impl Indexed {
    fn covers(self, rule: u32, facts: &Facts<'_>, looked: &Looked<'_>, tables: &Tables) -> bool {
        let has = |found: &RulesFound<'_>| found.iter().any(|rules| rules.binary_search(&rule).is_ok());
        match self {
            Self::Prefixes => facts.number.is_some_and(|number| tables.prefixes.covers(rule, number)),
            Self::Domains => looked.host.as_deref().is_some_and(|host| tables.domains.covers(rule, host)),
            Self::CalledList => has(&looked.called),
            Self::CallingList => has(&looked.calling),
        }
    }
}

/// Compiles the conditions of a document.
pub(super) struct Compiler<'n> {
    pub(super) names: &'n Names,
    pub(super) lists: &'n Lists,
}

impl Compiler<'_> {
    /// Resolves the condition of *rule* and enters its prefixes and domains into *tables*.
    pub(super) fn outermost(
        &self,
        rule: u32,
        condition: &Condition,
        tables: &mut Tables,
    ) -> Result<Compiled, SnapshotError> {
        let place = format!("routes[{rule}].condition");
        for (at, prefix) in condition.number.prefixes.iter().enumerate() {
            let fault = |problem| SnapshotError::value(format!("{place}.number.prefixes[{at}]"), problem);
            tables.prefixes.insert(prefix, rule).map_err(fault)?;
        }
        for (at, domain) in condition.domains.iter().enumerate() {
            let fault = |problem| SnapshotError::value(format!("{place}.domains[{at}]"), problem);
            tables.domains.insert(domain, rule).map_err(fault)?;
        }
        let mut rest = Condition { domains: Vec::new(), ..condition.clone() };
        rest.number.prefixes.clear();
        let mut indexed = ArrayVec::new();
        let kinds = [
            (Indexed::Prefixes, !condition.number.prefixes.is_empty()),
            (Indexed::Domains, !condition.domains.is_empty()),
            (Indexed::CalledList, enter(&mut tables.called, rule, &mut rest.number, &place, ".number")?),
            (Indexed::CallingList, enter(&mut tables.calling, rule, &mut rest.calling, &place, ".calling")?),
        ];
        indexed.extend(kinds.into_iter().filter_map(|(kind, is_asked)| is_asked.then_some(kind)));
        Ok(Compiled { indexed, ..self.nested(&rest, &place, 0)? })
    }

    fn nested(&self, condition: &Condition, place: &str, depth: usize) -> Result<Compiled, SnapshotError> {
        if depth > NESTING_MAX {
            return Err(SnapshotError::value(
                place,
                format!("more than {NESTING_MAX} conditions inside each other"),
            ));
        }
        let mut tests = Vec::new();
        self.of_the_way(condition, place, &mut tests)?;
        self.of_the_uri(condition, place, &mut tests)?;
        self.of_numbers(condition, place, &mut tests)?;
        of_the_moment(condition, place, &mut tests)?;
        of_the_message(condition, place, &mut tests)?;
        let each = |conditions: &[Condition], key: &str| -> Result<Box<[Compiled]>, SnapshotError> {
            let inner = |(at, one)| self.nested(one, &format!("{place}.{key}[{at}]"), depth + 1);
            conditions.iter().enumerate().map(inner).collect()
        };
        if !condition.all.is_empty() {
            tests.push(Test::All(each(&condition.all, "all")?));
        }
        if !condition.any.is_empty() {
            tests.push(Test::Any(each(&condition.any, "any")?));
        }
        if let Some(not) = &condition.not {
            tests.push(Test::Not(Box::new(self.nested(not, &format!("{place}.not"), depth + 1)?)));
        }
        Ok(Compiled { tests, ..Compiled::default() })
    }

    /// Where the request came from and what it is.
    fn of_the_way(
        &self,
        condition: &Condition,
        place: &str,
        tests: &mut Vec<Test>,
    ) -> Result<(), SnapshotError> {
        if !condition.peers.is_empty() {
            let find = |(at, id): (usize, &String)| {
                Names::find(&self.names.peers, id, "peer", &format!("{place}.peers[{at}]"))
            };
            tests.push(Test::Peers(condition.peers.iter().enumerate().map(find).collect::<Result<_, _>>()?));
        }
        if !condition.listeners.is_empty() {
            let find = |(at, id): (usize, &String)| {
                Names::find(&self.names.listeners, id, "listener", &format!("{place}.listeners[{at}]"))
            };
            let listeners = condition.listeners.iter().enumerate().map(find);
            tests.push(Test::Listeners(listeners.collect::<Result<_, _>>()?));
        }
        tests.extend(condition.side.map(Test::Side));
        tests.extend(condition.direction.map(Test::Direction));
        tests.extend(condition.trusted.map(Test::Trusted));
        tests.extend(condition.emergency.map(Test::Emergency));
        tests.extend(list(&condition.transports).map(Test::Transports));
        tests.extend(list(&condition.methods).map(Test::Methods));
        tests.extend(list(&condition.enum_outcomes).map(Test::EnumOutcomes));
        Ok(())
    }

    #[allow(clippy::unused_self)] // beside its siblings
    fn of_the_uri(
        &self,
        condition: &Condition,
        place: &str,
        tests: &mut Vec<Test>,
    ) -> Result<(), SnapshotError> {
        tests.extend(list(&condition.schemes).map(Test::Schemes));
        tests.extend(list(&condition.iotls).map(Test::Iotls));
        if !condition.domains.is_empty() {
            let mut domains = DomainTable::default();
            for (at, domain) in condition.domains.iter().enumerate() {
                let fault = |problem| SnapshotError::value(format!("{place}.domains[{at}]"), problem);
                domains.insert(domain, 0).map_err(fault)?;
            }
            tests.push(Test::Domains(domains));
        }
        if !condition.users.is_empty() {
            let compile = |(at, pattern): (usize, &String)| {
                let fault = |problem| SnapshotError::value(format!("{place}.users[{at}]"), problem);
                header::compile_regex(pattern).map_err(fault)
            };
            tests.push(Test::Users(
                condition.users.iter().enumerate().map(compile).collect::<Result<_, _>>()?,
            ));
        }
        Ok(())
    }

    fn of_numbers(
        &self,
        condition: &Condition,
        place: &str,
        tests: &mut Vec<Test>,
    ) -> Result<(), SnapshotError> {
        let find = |wanted: &crate::snapshot::document::ListCondition| {
            self.lists.get(&wanted.list).cloned().ok_or_else(|| format!("unknown list \"{}\"", wanted.list))
        };
        let compile = |asked: &NumberCondition, key: &str| {
            NumberTest::compile(asked, find)
                .map_err(|problem| SnapshotError::value(format!("{place}{key}"), problem))
        };
        tests.extend(compile(&condition.number, ".number")?.into_iter().map(Test::Number));
        tests.extend(compile(&condition.calling, ".calling")?.into_iter().map(Test::Calling));
        Ok(())
    }
}

/// Enters the list that a condition asks for into an index and takes it out of the condition; `false` where it is tested in
/// its place.
fn enter(
    index: &mut ListIndex,
    rule: u32,
    asked: &mut NumberCondition,
    place: &str,
    key: &str,
) -> Result<bool, SnapshotError> {
    let fault = |problem| SnapshotError::value(format!("{place}{key}"), problem);
    let is_indexed = index.insert(rule, asked).map_err(fault)?;
    if is_indexed {
        asked.lists.clear();
    }
    Ok(is_indexed)
}

fn of_the_moment(condition: &Condition, place: &str, tests: &mut Vec<Test>) -> Result<(), SnapshotError> {
    if let Some(share) = condition.share {
        if share == 0 || share > SHARES {
            return Err(SnapshotError::value(format!("{place}.share"), format!("1 to {SHARES}")));
        }
        tests.push(Test::Share(share));
    }
    if !condition.times.is_empty() {
        let compile = |(at, time)| {
            let fault = |problem| SnapshotError::value(format!("{place}.times[{at}]"), problem);
            TimeWindow::compile(time).map_err(fault)
        };
        tests.push(Test::Times(condition.times.iter().enumerate().map(compile).collect::<Result<_, _>>()?));
    }
    Ok(())
}

/// What the headers and the body hold: dearer to look at, so it comes last.
fn of_the_message(condition: &Condition, place: &str, tests: &mut Vec<Test>) -> Result<(), SnapshotError> {
    tests.extend(list(&condition.option_tags).map(Test::OptionTags));
    tests.extend(list(&condition.resource_priorities).map(Test::ResourcePriorities));
    for (at, header) in condition.headers.iter().enumerate() {
        let fault = |problem| SnapshotError::value(format!("{place}.headers[{at}]"), problem);
        tests.push(Test::Header(HeaderMatcher::compile(header).map_err(fault)?));
    }
    tests.extend(list(&condition.body_types).map(Test::BodyTypes));
    tests.extend(list(&condition.media).map(Test::Media));
    tests.extend(list(&condition.codecs).map(Test::Codecs));
    Ok(())
}

fn list<T: Clone>(items: &[T]) -> Option<Box<[T]>> {
    (!items.is_empty()).then(|| items.into())
}

impl Compiled {
    /// Returns why it does not hold for *rule*, whose condition this is, in words that cost nothing until they are asked for.
    pub(super) fn mismatch(
        &self,
        rule: u32,
        facts: &Facts<'_>,
        looked: &Looked<'_>,
        tables: &Tables,
    ) -> Option<Mismatch<'_>> {
        let outside = self.indexed.iter().find(|one| !one.covers(rule, facts, looked, tables));
        if let Some(indexed) = outside {
            return Some(Mismatch::Indexed(*indexed));
        }
        self.tests.iter().find(|test| !test.holds(facts, looked)).map(Mismatch::Test)
    }

    /// Is it found through a table?
    pub(super) const fn is_indexed(&self) -> bool {
        !self.indexed.is_empty()
    }

    /// Does it, or a condition inside of it, ask for what stands in the message?
    pub(super) fn reads_messages(&self) -> bool {
        self.indexed.iter().any(|one| matches!(one, Indexed::CallingList))
            || self.tests.iter().any(Test::reads_message)
    }

    fn holds(&self, facts: &Facts<'_>, looked: &Looked<'_>) -> bool {
        self.tests.iter().all(|test| test.holds(facts, looked))
    }
}

/// The part of a condition that does not hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mismatch<'c> {
    Indexed(Indexed),
    Test(&'c Test),
}

impl Test {
    fn reads_message(&self) -> bool {
        match self {
            Self::Calling(_)
            | Self::Share(_)
            | Self::OptionTags(_)
            | Self::ResourcePriorities(_)
            | Self::Header(_)
            | Self::BodyTypes(_)
            | Self::Media(_)
            | Self::Codecs(_) => true,
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().any(Compiled::reads_messages),
            Self::Not(condition) => condition.reads_messages(),
            _ => false,
        }
    }

    fn holds(&self, facts: &Facts<'_>, looked: &Looked<'_>) -> bool {
        match self {
            Self::Peers(peers) => peers.contains(&facts.peer),
            Self::Side(side) => *side == facts.side,
            Self::Direction(direction) => *direction == facts.direction,
            Self::Listeners(listeners) => listeners.contains(&facts.listener),
            Self::Transports(transports) => transports.contains(&facts.transport),
            Self::Trusted(wanted) => *wanted == facts.trusted,
            Self::Methods(methods) => methods.iter().any(|one| one.as_bytes() == facts.method.as_bytes()),
            Self::Emergency(wanted) => *wanted == facts.is_emergency(),
            Self::EnumOutcomes(outcomes) => {
                facts.enum_outcome.is_some_and(|outcome| outcomes.contains(&outcome))
            }
            Self::Schemes(schemes) => looked.scheme.is_some_and(|scheme| has(schemes, scheme)),
            Self::Domains(domains) => looked.host.as_deref().is_some_and(|host| domains.covers(0, host)),
            Self::Iotls(scenarios) => iotl(looked).is_some_and(|found| is_scenario(scenarios, found)),
            Self::Number(test) => facts.number.is_some_and(|number| test.holds(number)),
            Self::Calling(test) => facts.calling.is_some_and(|number| test.holds(number)),
            Self::Times(windows) => windows.iter().any(|window| window.is_open(facts.unix_ms)),
            Self::Share(share) => facts
                .message
                .and_then(|message| message.call_id().ok())
                .is_some_and(|id| place_of_call(id) < *share),
            Self::OptionTags(tags) => TAGGED.into_iter().any(|id| {
                facts.message.is_some_and(|message| message.values(id).any(|value| has(tags, value.value)))
            }),
            Self::ResourcePriorities(wanted) => {
                facts.message.is_some_and(|message| has_priority(message, wanted))
            }
            Self::Header(matcher) => facts.message.is_some_and(|message| matcher.holds(message)),
            Self::BodyTypes(types) => {
                let mut parts = looked.body.parts().iter();
                parts.any(|(kind, _)| types.iter().any(|wanted| is_of_type(kind, wanted)))
            }
            Self::Media(wanted) => looked.body.media().iter().any(|found| has(wanted, found)),
            Self::Codecs(wanted) => looked.body.codecs().iter().any(|found| has(wanted, found)),
            Self::Users(patterns) => {
                let user = looked.uri.as_ref().and_then(|uri| uri.user);
                user.is_some_and(|user| patterns.iter().any(|pattern| pattern.is_match(user)))
            }
            Self::All(conditions) => conditions.iter().all(|one| one.holds(facts, looked)),
            Self::Any(conditions) => conditions.iter().any(|one| one.holds(facts, looked)),
            Self::Not(condition) => !condition.holds(facts, looked),
        }
    }
}

/// Headers that name option tags of the request (RFC 3261 §20.32, §20.37, §20.29).
const TAGGED: [HeaderId; 3] = [HeaderId::Require, HeaderId::ProxyRequire, HeaderId::Supported];

fn has(names: &[String], found: &[u8]) -> bool {
    names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(found))
}

/// Where a call stands among 10,000: the same on every node and at every start, so that a share is the same calls everywhere.
pub fn place_of_call(call_id: &[u8]) -> u16 {
    let place = SipHasher13::new().hash(call_id) % u64::from(SHARES);
    u16::try_from(place).unwrap_or(SHARES)
}

/// Does Resource-Priority have one of these values or namespaces?
pub(crate) fn has_priority(message: &Message<'_>, wanted: &[String]) -> bool {
    let mut values = message.values(HeaderId::ResourcePriority);
    values.any(|value| has(wanted, value.value) || has(wanted, namespace(value.value)))
}

/// `ets` of `ets.0`.
fn namespace(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b'.').next().unwrap_or_default()
}

/// The scenario of the Request-URI (RFC 7549 §5): a parameter of the URI, in a SIP URI with `user=phone` also of the user part.
fn iotl<'l>(looked: &'l Looked<'_>) -> Option<&'l [u8]> {
    let uri = looked.uri.as_ref()?;
    let of_user = || {
        let params = uri.user?.split(|byte| *byte == b';').skip(1);
        params.into_iter().find_map(|param| param.strip_prefix(b"iotl="))
    };
    uri.params.value(b"iotl").or_else(of_user)
}

/// A value is a list of scenarios, the latest first: `homeB-homeA.homeA-visitedA` holds two.
fn is_scenario(wanted: &[String], found: &[u8]) -> bool {
    found.split(|byte| *byte == b'.').any(|scenario| has(wanted, scenario))
}
