//! What a rule does with a request that its condition holds for.

use std::time::Duration;

use super::hook::Hook;
use super::refusal::Refusal;
use crate::reason::Reason;
use crate::rewrite::{NumberEdit, UriEdit};
use crate::snapshot::document::{self, Fork, Redirects, RouteAction};
use crate::snapshot::{EnumIndex, LimiterIndex, Names, PeerIndex, RuleSetIndex, SnapshotError};

/// What a rule does.
#[derive(Debug)]
pub(super) enum Action {
    Lookup(EnumIndex),
    Route(RouteChoice),
    Reject(Refusal),
    /// The number of its tag.
    Tag(u16),
    Hook(Box<Hook>),
    Limit(LimiterIndex),
    Mirror,
    Rewrite(Box<Rewrite>),
}

/// What a rule changes in a request.
#[derive(Debug)]
pub struct Rewrite {
    /// In the Request-URI.
    pub uri: Option<UriEdit>,
    /// In the number of the caller, in the request that leaves.
    pub calling: Option<NumberEdit>,
    /// In the headers of the request that leaves.
    pub headers: Vec<RuleSetIndex>,
}

/// The peers of a route, and when to go from one target to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteChoice {
    /// Peer, priority (lower first), weight among those of equal priority.
    pub peers: Vec<(PeerIndex, u16, u16)>,
    /// Statuses after which the next target is tried, besides silence and unreachability.
    pub failover_statuses: Vec<u16>,
    /// At most so many targets are tried.
    pub attempts_max: u8,
    /// One peer after the other, or all of one priority at once.
    pub fork: Fork,
    /// How old a request may be when a target is tried.
    pub time_budget: Option<Duration>,
    /// What becomes of a 3xx.
    pub redirects: Redirects,
}

impl Action {
    /// Resolves the action of the rule at *at*; a tag that is new is put behind *tags*.
    pub(super) fn compile(
        at: usize,
        action: &RouteAction,
        names: &Names,
        tags: &mut Vec<String>,
    ) -> Result<Self, SnapshotError> {
        let place = |key: &str| format!("routes[{at}].action.{key}");
        match action {
            RouteAction::Enum { service } => {
                Names::find(&names.enums, service, "enum service", &place("service")).map(Action::Lookup)
            }
            RouteAction::Route { to, failover_statuses, attempts_max, fork, time_budget_ms, redirects } => {
                if to.is_empty() {
                    return Err(SnapshotError::value(place("to"), "names no peer"));
                }
                if *attempts_max == 0 {
                    return Err(SnapshotError::value(place("attempts_max"), "at least 1"));
                }
                if *time_budget_ms == Some(0) {
                    return Err(SnapshotError::value(place("time_budget_ms"), "more than 0"));
                }
                if let Some(status) = failover_statuses.iter().find(|status| !(300..700).contains(*status)) {
                    return Err(SnapshotError::value(
                        place("failover_statuses"),
                        format!("{status} is not 300 to 699"),
                    ));
                }
                let peer = |(position, one): (usize, &document::RoutePeer)| {
                    Names::find(&names.peers, &one.peer, "peer", &place(&format!("to[{position}].peer")))
                        .map(|peer| (peer, one.priority, one.weight))
                };
                let peers = to.iter().enumerate().map(peer).collect::<Result<_, _>>()?;
                Ok(Action::Route(RouteChoice {
                    peers,
                    failover_statuses: failover_statuses.clone(),
                    attempts_max: *attempts_max,
                    fork: *fork,
                    time_budget: time_budget_ms.map(Duration::from_millis),
                    redirects: *redirects,
                }))
            }
            RouteAction::Drop {} => Ok(Action::Reject(Refusal::of(Reason::Dropped))),
            RouteAction::Tag { tag } => tag_number(tag, tags, || place("tag")).map(Action::Tag),
            RouteAction::Mirror {} => Ok(Action::Mirror),
            RouteAction::Hook { call, deadline_ms, tags: given, fallback } => {
                if *deadline_ms == 0 {
                    return Err(SnapshotError::value(place("deadline_ms"), "more than 0"));
                }
                let in_fallback = |key: &str| place(&format!("fallback.{key}"));
                let number = |tag: &String| {
                    tag_number(tag, tags, || place("tags")).map(|number| (tag.clone(), number))
                };
                Ok(Action::Hook(Box::new(Hook {
                    call: call.clone(),
                    deadline: Duration::from_millis(*deadline_ms),
                    tags: given.iter().map(number).collect::<Result<_, _>>()?,
                    fallback: fallback.as_ref().map(|one| refusal(one, &in_fallback)).transpose()?,
                    choice: RouteChoice {
                        failover_statuses: document::failover_default(),
                        attempts_max: document::attempts_default(),
                        ..RouteChoice::default()
                    },
                })))
            }
            RouteAction::Limit { limiter } => {
                Names::find(&names.limiters, limiter, "limiter", &place("limiter")).map(Action::Limit)
            }
            RouteAction::Rewrite(rewrite) => compile_rewrite(rewrite, names, &place),
            RouteAction::Reject(written) => refusal(written, &place).map(Action::Reject),
        }
    }

    /// Says it in words.
    pub(super) fn text(&self, tags: &[String]) -> String {
        match self {
            Self::Lookup(_) => "look the number up, then go on".to_owned(),
            Self::Route(choice) => format!("send it to one of {} peer(s)", choice.peers.len()),
            Self::Tag(tag) => {
                format!("tag it {}, then go on", tags.get(usize::from(*tag)).map_or("", String::as_str))
            }
            Self::Rewrite(_) => "change it, then go on".to_owned(),
            Self::Reject(Refusal { reason: Reason::Dropped, .. }) => "drop it".to_owned(),
            Self::Mirror => "copy its messages into the trace, then go on".to_owned(),
            Self::Hook(hook) => format!("ask {}", hook.call),
            Self::Limit(_) => "count it, then go on while there is room".to_owned(),
            Self::Reject(Refusal { reason, status, phrase, .. }) => {
                format!("refuse it: {status} {phrase} ({})", reason.id())
            }
        }
    }
}

/// Returns the number of *tag*, which is put behind *tags* if it is new.
fn tag_number(
    tag: &str,
    tags: &mut Vec<String>,
    place: impl FnOnce() -> String,
) -> Result<u16, SnapshotError> {
    let known = tags.iter().position(|one| one == tag);
    let number = known.unwrap_or(tags.len());
    if known.is_none() {
        tags.push(tag.to_owned());
    }
    u16::try_from(number).map_err(|_| SnapshotError::value(place(), "more than 65,535 tags"))
}

fn refusal(written: &document::Refusal, place: &impl Fn(&str) -> String) -> Result<Refusal, SnapshotError> {
    Refusal::compile(written).map_err(|(key, problem)| match key {
        "reason" => {
            SnapshotError::Unknown { place: place(key), kind: "reason", name: written.reason.clone() }
        }
        _ => SnapshotError::value(place(key), problem),
    })
}

fn compile_rewrite(
    rewrite: &document::Rewrite,
    names: &Names,
    place: &impl Fn(&str) -> String,
) -> Result<Action, SnapshotError> {
    let wrong = |(key, problem): (&'static str, String)| SnapshotError::value(place(key), problem);
    let set = |(position, id): (usize, &String)| {
        Names::find(&names.rule_sets, id, "header rule set", &place(&format!("headers[{position}]")))
    };
    let compiled = Rewrite {
        uri: UriEdit::compile(rewrite).map_err(wrong)?,
        calling: rewrite
            .calling
            .as_ref()
            .map(|edit| NumberEdit::compile(edit, "calling"))
            .transpose()
            .map_err(wrong)?,
        headers: rewrite.headers.iter().enumerate().map(set).collect::<Result<_, _>>()?,
    };
    if compiled.uri.is_none() && compiled.calling.is_none() && compiled.headers.is_empty() {
        return Err(SnapshotError::value(place("kind"), "changes nothing"));
    }
    Ok(Action::Rewrite(Box::new(compiled)))
}
