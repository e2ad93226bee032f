//! What is kept of a request from its arrival to its end: the server transaction, the decision, the branches.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayString;
use smallvec::SmallVec;

use crate::admit::LimiterPlace;
use crate::border::{Generation, Scope};
use crate::decide::{CachedAnswer, Planned, RouteChoice};
use crate::flow::Flow;
use crate::input::EnumOutcome;
use crate::message::{Message, Method};
use crate::reason::Reason;
use crate::snapshot::{Direction, EnumIndex, LimiterIndex, PeerIndex};
use crate::time::Time;
use crate::trace::Stage;
use crate::transaction::{
    InviteClientTransaction, InviteServerTransaction, NonInviteClientTransaction, NonInviteServerTransaction,
    ServerKey,
};

use super::changed::Changed;
use super::exemption::Exemption;
use super::forking::{Challenges, Forking};
use super::places::{DownstreamPlace, UpstreamPlace};
use super::record::Named;
use super::redirect::Following;

/// A request in progress (RFC 3261 §16.6: request context; §16.7: response context).
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) generation: Arc<Generation>,
    pub(crate) key: ServerKey,
    pub(crate) server: Server,
    /// The request as it came: failover starts from it anew, and our own answers are built from it. Once it is answered
    /// only its first line and what its records name.
    pub(crate) request: Box<[u8]>,
    pub(crate) named: Named,
    pub(crate) arrival: Arrival,
    pub(crate) upstream: PeerIndex,
    /// The request had no To tag: it starts something.
    pub(crate) is_initial: bool,
    /// Why it passes every limit.
    pub(crate) exemption: Option<Exemption>,
    /// How many Route values at the top are ours.
    pub(crate) own_routes: usize,
    /// A request inside a dialog goes where the dialog's token says.
    pub(crate) dialog_route: Option<DialogRoute>,
    pub(crate) decision: Decision,
    pub(crate) branches: SmallVec<[Branch; 1]>,
    /// The last response sent upstream, for retransmissions.
    pub(crate) last_sent: Vec<u8>,
    pub(crate) best: Option<BestResponse>,
    /// What 401 and 407 asked for, on all branches (RFC 3261 §16.7 (7)).
    pub(crate) challenges: Option<Box<Challenges>>,
    pub(crate) cancelled: Option<Cancelled>,
    /// INVARIANT: set exactly once, when the one final response (or the first 2xx) goes upstream.
    pub(crate) final_status: Option<u16>,
    /// Dialogs that became calls: a repeated 2xx after the BYE must not make another one.
    pub(crate) dialogs: SmallVec<[super::DialogKey; 2]>,
    pub(crate) facts: Facts,
    pub(crate) place: Option<UpstreamPlace>,
    /// Whoever sent it heeds what we ask for in the Via of responses (RFC 7339).
    pub(crate) heeds_overload: bool,
    /// Its places with the limiters that rules named.
    pub(crate) limiter_places: Vec<LimiterPlace>,
    /// By what a request that came another way is known to be this one.
    pub(crate) merge_key: Option<NonZeroU64>,
}

/// How it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) flow: Flow,
    /// Where responses go (RFC 3261 §18.2.2, RFC 3581 §4).
    pub(crate) reply_to: Flow,
    pub(crate) time: Time,
    pub(crate) unix_ms: u64,
}

/// The server transaction (RFC 3261 §17.2).
#[derive(Debug)]
pub(crate) enum Server {
    Invite(InviteServerTransaction),
    NonInvite(NonInviteServerTransaction),
}

impl Server {
    pub(crate) fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::NonInvite(machine) => machine.is_terminated(),
        }
    }
}

/// How far the decision has come.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub(crate) number: Option<ArrayString<17>>,
    /// The rule at which evaluation goes on.
    pub(crate) next_rule: usize,
    /// The rule behind the last look-up: where the next candidate starts.
    pub(crate) after_lookup: usize,
    pub(crate) enum_service: Option<EnumIndex>,
    /// What the last look-up led to.
    pub(crate) answer: Option<Arc<CachedAnswer>>,
    /// The answer whose candidates are tried.
    pub(crate) found: Option<Arc<CachedAnswer>>,
    /// How many of them may be tried (ENUM-17).
    pub(crate) candidates_max: u8,
    pub(crate) candidate: u8,
    pub(crate) is_parked: bool,
    /// Position of the rule that decided.
    pub(crate) rule: Option<usize>,
    /// Numbers of the tags that rules gave it, in their order.
    pub(crate) tags: SmallVec<[u16; 4]>,
    /// The limiters that counted it: a URI that is tried later passes the rules again, and counts once.
    pub(crate) counted: SmallVec<[LimiterIndex; 4]>,
    pub(crate) targets: SmallVec<[Planned; 4]>,
    pub(crate) next_target: usize,
    /// Some target was left out because it asked to be left alone.
    pub(crate) is_blocked: bool,
    /// Some target was left out because it asked for fewer requests.
    pub(crate) is_held_back: bool,
    /// Some Request-URI led nowhere, or nobody knew where.
    pub(crate) is_unlocated: bool,
    pub(crate) attempts_left: u8,
    /// By what the choice among equals is made: the same for all INVITEs of an overlap dialling (RFC 3578).
    pub(crate) hash: u64,
    pub(crate) forking: Option<Box<Forking>>,
    pub(crate) following: Option<Box<Following>>,
    pub(crate) changed: Option<Box<Changed>>,
}

impl Decision {
    pub(crate) fn enum_outcome(&self) -> Option<EnumOutcome> {
        self.answer.as_ref().map(|answer| answer.outcome)
    }

    /// The number that rules look at: that of the URI that a rule or a hook made, else the one that was called.
    pub(crate) fn number_now(&self) -> Option<&ArrayString<17>> {
        let before = self.number.as_ref();
        self.changed.as_ref().map_or(before, |changed| changed.number(before))
    }

    /// The URI that ENUM gave, of those the one that is tried now.
    pub(crate) fn candidate_uri(&self) -> Option<&str> {
        let found = self.found.as_ref()?;
        found.candidates.get(usize::from(self.candidate)).map(String::as_str)
    }

    /// The URI that takes the place of the one received: what a rule or a hook made of it, where a 3xx led, or the candidate that ENUM gave.
    pub(crate) fn request_uri(&self) -> Option<&[u8]> {
        let changed = self.changed.as_ref().and_then(|changed| changed.request_uri());
        let followed = || self.following.as_ref().and_then(|following| following.current());
        changed.or_else(followed).or_else(|| self.candidate_uri().map(str::as_bytes))
    }
}

/// Where a request inside a dialog goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialogRoute {
    pub(crate) downstream: PeerIndex,
    pub(crate) hop: Flow,
}

/// One client transaction of the request (RFC 3261 §16.6: branch).
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) peer: PeerIndex,
    /// Where it was sent; the ACK of a failure and the CANCEL go the same way (RFC 3263 §4).
    pub(crate) hop: Flow,
    pub(crate) client: Client,
    /// The request as sent: retransmissions, the ACK and the CANCEL come from it. Of an INVITE that was answered
    /// provisionally only what the ACK and the CANCEL are made of, for it is never sent again; of one with a 2xx nothing.
    pub(crate) sent: Box<[u8]>,
    /// What takes the place of `sent` then; empty once it did.
    pub(crate) outline: Box<[u8]>,
    pub(crate) cancel: Option<Box<CancelBranch>>,
    pub(crate) has_final: bool,
    /// Cancelled, and never heard of again.
    pub(crate) is_abandoned: bool,
    /// It rang longer than Timer C.
    pub(crate) has_rung_out: bool,
    pub(crate) timer_c_at: Option<Time>,
    pub(crate) place: Option<DownstreamPlace>,
    /// The session interval that it asks for, if the caller knows the timer (RFC 4028 §8.2).
    pub(crate) session_s: Option<NonZeroU32>,
}

/// The client transaction (RFC 3261 §17.1).
#[derive(Debug)]
pub(crate) enum Client {
    Invite(InviteClientTransaction),
    NonInvite(NonInviteClientTransaction),
}

impl Client {
    pub(crate) fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::NonInvite(machine) => machine.is_terminated(),
        }
    }

    pub(crate) fn has_provisional(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.has_provisional(),
            Self::NonInvite(machine) => machine.has_provisional(),
        }
    }
}

/// The CANCEL of a branch: a transaction of its own (RFC 3261 §9.1).
#[derive(Debug)]
pub(crate) struct CancelBranch {
    pub(crate) client: NonInviteClientTransaction,
    pub(crate) sent: Box<[u8]>,
}

/// Why the request is being called off.
#[derive(Clone, Debug)]
pub(crate) struct Cancelled {
    pub(crate) reason: Reason,
    /// Value of the Reason header to send along, if there is one.
    pub(crate) header: Option<Box<[u8]>>,
}

/// The best final response so far (RFC 3261 §16.7 (6)).
#[derive(Debug)]
pub(crate) struct BestResponse {
    pub(crate) status: u16,
    /// The branch that it came on.
    pub(crate) branch: usize,
    /// The response as it came; `None` when a branch timed out or was unreachable.
    pub(crate) bytes: Option<Box<[u8]>>,
    pub(crate) reason: Option<Reason>,
}

/// What the charging record will say and the stored request does not tell.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) icid: Option<String>,
    /// As it came from a trusted upstream: responses give it back (CH-04).
    pub(crate) orig_ioi_received: Option<String>,
    /// As it left.
    pub(crate) orig_ioi: Option<String>,
    pub(crate) term_ioi: Option<String>,
    pub(crate) request_uri_out: Option<String>,
    pub(crate) attempts: SmallVec<[Tried; 1]>,
    pub(crate) ring_ms: Option<u64>,
    pub(crate) peer_out: Option<PeerIndex>,
}

/// One try at a target: what becomes an [`Attempt`](crate::event::Attempt) of the record.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) peer: PeerIndex,
    pub(crate) place: Arc<crate::snapshot::Target>,
    pub(crate) status: Option<u16>,
    pub(crate) phrase: Option<Box<str>>,
    /// What its Reason header says, where it failed.
    pub(crate) cause: Option<Box<str>>,
    pub(crate) reason: Option<Reason>,
}

impl RequestContext {
    pub(crate) fn method(&self) -> Method<'_> {
        let end = memchr::memchr(b' ', &self.request).unwrap_or(0);
        Method::from_bytes(self.request.get(..end).unwrap_or_default())
    }

    /// Keeps *message* as what it came as, with the places of the names in it.
    pub(super) fn take_request(&mut self, message: &Message<'_>) {
        self.request = message.bytes().into();
        if self.is_initial {
            self.named = Named::find(message);
        }
    }

    pub(crate) fn is_emergency(&self) -> bool {
        self.exemption == Some(Exemption::Emergency)
    }

    pub(crate) fn is_invite(&self) -> bool {
        matches!(self.server, Server::Invite(_))
    }

    /// The Request-URI as it stands now: what rules, a 3xx or ENUM made of it, else as received.
    pub(crate) fn request_uri(&self) -> &[u8] {
        self.decision.request_uri().unwrap_or_else(|| received_uri(&self.request))
    }

    /// May a further target be tried?
    pub(super) fn may_try(&self, scope: &mut Scope<'_>) -> bool {
        if self.is_out_of_time(scope) {
            let text = || "the time for it is over".to_owned();
            scope.step(Stage::Forward, None, "no further target", text, Some("LOC-35"));
            return false;
        }
        // The number of a branch is one byte of what its responses are found by.
        self.decision.attempts_left > 0 && self.branches.len() < usize::from(u8::MAX)
    }

    pub(super) fn is_out_of_time(&self, scope: &Scope<'_>) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= scope.now.time)
    }

    /// How long whoever asked still waits, where that is bounded.
    pub(super) fn time_left(&self, scope: &Scope<'_>) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.since(scope.now.time))
    }

    /// When the last target may be tried: as the route says; a request other than INVITE not after whoever sent it gave up,
    /// for Timer F there runs as long as here (RFC 4321 §4, LOC-35).
    fn deadline(&self) -> Option<Time> {
        let timers = self.generation.snapshot.peer(self.upstream).timers;
        let patience = (!self.is_invite()).then(|| timers.transaction_life());
        let budget = self.choice().and_then(|choice| choice.time_budget);
        Some(self.arrival.time + budget.into_iter().chain(patience).min()?)
    }

    /// What the rule that decided chooses, if it is one that routes.
    pub(super) fn choice(&self) -> Option<&RouteChoice> {
        self.generation.snapshot.routes.choice(self.decision.rule?)
    }

    /// Id of the rule that decided.
    pub(crate) fn rule(&self) -> Option<&str> {
        self.generation.snapshot.routes.id(self.decision.rule?)
    }

    /// Is the next target to be tried after this final status?
    pub(crate) fn fails_over_after(&self, status: u16) -> bool {
        self.choice().is_some_and(|choice| choice.failover_statuses.contains(&status))
    }

    pub(crate) fn direction(&self) -> Direction {
        self.generation.snapshot.peer(self.upstream).direction()
    }

    /// Nothing that rings now is wanted any more: cancelled, answered elsewhere, or refused everywhere (RFC 3261 §16.7 (10)).
    pub(crate) fn is_decided(&self) -> bool {
        self.cancelled.is_some() || self.final_status.is_some() || self.is_refused_everywhere()
    }

    /// A 6xx came, and the route does not say to go on after it.
    pub(crate) fn is_refused_everywhere(&self) -> bool {
        let best = self.best.as_ref().map_or(0, |best| best.status);
        best >= 600 && !self.fails_over_after(best)
    }

    pub(crate) fn has_live_branch(&self) -> bool {
        self.branches.iter().any(|branch| !branch.has_final)
    }

    /// Answered: from now on only repetitions are absorbed, for 32 s over UDP (Timers H, J, L), so little is kept.
    pub(crate) fn shorten(&mut self) {
        self.request = self.named.shorten(&self.request);
        if !self.is_invite() {
            for branch in self.branches.iter_mut().filter(|branch| branch.has_final) {
                branch.sent = Box::default();
            }
        }
    }

    /// Everything is over: nothing can arrive any more that needs this context.
    pub(crate) fn is_finished(&self) -> bool {
        self.server.is_terminated()
            && self.branches.iter().all(|branch| {
                (branch.is_abandoned || branch.client.is_terminated())
                    && branch.cancel.as_ref().is_none_or(|cancel| cancel.client.is_terminated())
            })
    }
}

/// The Request-URI of a stored request.
pub(crate) fn received_uri(request: &[u8]) -> &[u8] {
    request.split(|byte| *byte == b' ').nth(1).unwrap_or_default()
}
