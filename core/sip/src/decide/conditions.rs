//! When a rule holds. What every rule tests for itself is here; number prefixes and domains lie in tables of all rules.

use crate::input::EnumOutcome;
use crate::snapshot::document::{Condition, Direction};
use crate::snapshot::{Names, PeerIndex, SnapshotError};

use super::domains::{DomainTable, Host, normal};
use super::prefixes::PrefixTrie;
use super::rules::Facts;
use crate::message::uri::Uri;

/// Prefixes and domains of all rules.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) prefixes: PrefixTrie,
    pub(super) domains: DomainTable,
}

/// The condition of one rule, with names resolved. An empty list always holds.
#[derive(Debug)]
pub(super) struct Compiled {
    peers: Vec<PeerIndex>,
    direction: Option<Direction>,
    methods: Vec<String>,
    schemes: Vec<String>,
    enum_outcomes: Vec<EnumOutcome>,
    pub(super) has_prefixes: bool,
    pub(super) has_domains: bool,
}

/// The part of a condition that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    Peer,
    Direction,
    Method,
    Scheme,
    EnumOutcome,
    NumberPrefix,
    Domain,
}

/// What is taken out of the Request-URI once, before the rules are looked at.
pub(super) struct Looked<'a> {
    pub(super) scheme: Option<&'a [u8]>,
    pub(super) host: Option<Host>,
}

impl<'a> Looked<'a> {
    pub(super) fn at(request_uri: &'a [u8]) -> Self {
        let uri = Uri::parse(request_uri).ok();
        Self {
            scheme: uri.as_ref().map(|uri| uri.scheme),
            host: uri.as_ref().and_then(|uri| normal(uri.host)),
        }
    }
}

impl Compiled {
    /// Resolves *condition* and enters its prefixes and domains into *tables* for *rule*.
    pub(super) fn compile(
        rule: u32,
        condition: &Condition,
        names: &Names,
        tables: &mut Tables,
    ) -> Result<Self, SnapshotError> {
        let place = |key: &str| format!("routes[{rule}].condition.{key}");
        for (at, prefix) in condition.number_prefixes.iter().enumerate() {
            let fault = |problem| SnapshotError::value(place(&format!("number_prefixes[{at}]")), problem);
            tables.prefixes.insert(prefix, rule).map_err(fault)?;
        }
        for (at, domain) in condition.domains.iter().enumerate() {
            let fault = |problem| SnapshotError::value(place(&format!("domains[{at}]")), problem);
            tables.domains.insert(domain, rule).map_err(fault)?;
        }
        let peers = condition
            .peers
            .iter()
            .enumerate()
            .map(|(at, id)| Names::find(&names.peers, id, "peer", &place(&format!("peers[{at}]"))))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            peers,
            direction: condition.direction,
            methods: condition.methods.clone(),
            schemes: condition.schemes.clone(),
            enum_outcomes: condition.enum_outcomes.clone(),
            has_prefixes: !condition.number_prefixes.is_empty(),
            has_domains: !condition.domains.is_empty(),
        })
    }

    /// Returns the first part that does not hold for *rule*, whose condition this is.
    pub(super) fn mismatch(
        &self,
        rule: u32,
        facts: &Facts<'_>,
        looked: &Looked<'_>,
        tables: &Tables,
    ) -> Option<Mismatch> {
        if !self.peers.is_empty() && !self.peers.contains(&facts.peer) {
            return Some(Mismatch::Peer);
        }
        if self.direction.is_some_and(|direction| direction != facts.direction) {
            return Some(Mismatch::Direction);
        }
        let method = facts.method.as_bytes();
        if !self.methods.is_empty() && !self.methods.iter().any(|one| one.as_bytes() == method) {
            return Some(Mismatch::Method);
        }
        if !self.schemes.is_empty() {
            let has =
                |scheme: &[u8]| self.schemes.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(scheme));
            if !looked.scheme.is_some_and(has) {
                return Some(Mismatch::Scheme);
            }
        }
        if !self.enum_outcomes.is_empty()
            && !facts.enum_outcome.is_some_and(|outcome| self.enum_outcomes.contains(&outcome))
        {
            return Some(Mismatch::EnumOutcome);
        }
        if self.has_prefixes && !facts.number.is_some_and(|number| tables.prefixes.covers(rule, number)) {
            return Some(Mismatch::NumberPrefix);
        }
        if self.has_domains && !looked.host.as_deref().is_some_and(|host| tables.domains.covers(rule, host)) {
            return Some(Mismatch::Domain);
        }
        None
    }
}

impl Mismatch {
    /// Says in words what did not hold, with the value that the request has.
    pub(super) fn text(self, facts: &Facts<'_>, looked: &Looked<'_>) -> String {
        match self {
            Self::Peer => "the request came from another peer".to_owned(),
            Self::Direction => format!("the direction is {}", facts.direction.name()),
            Self::Method => format!("the method is {}", String::from_utf8_lossy(facts.method.as_bytes())),
            Self::Scheme => match looked.scheme {
                Some(scheme) => format!("the scheme is {}", String::from_utf8_lossy(scheme)),
                None => "the Request-URI has no scheme".to_owned(),
            },
            Self::EnumOutcome => match facts.enum_outcome {
                Some(EnumOutcome::Found) => "ENUM found the number".to_owned(),
                Some(EnumOutcome::NotFound) => "ENUM does not know the number".to_owned(),
                Some(EnumOutcome::Failed) => "ENUM failed".to_owned(),
                None => "ENUM was not asked".to_owned(),
            },
            Self::NumberPrefix => match facts.number {
                Some(number) => format!("{number} begins with none of the prefixes"),
                None => "the Request-URI holds no global number".to_owned(),
            },
            Self::Domain => match looked.host.as_deref() {
                Some(host) => format!("{} is none of the domains", String::from_utf8_lossy(host)),
                None => "the Request-URI has no host".to_owned(),
            },
        }
    }
}
