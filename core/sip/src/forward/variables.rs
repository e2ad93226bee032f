//! What the texts of header rules may tell of a call: [`Variable`] for [`Variable`], looked up where a rule asks for it.

use crate::decide;
use crate::input::EnumOutcome;
use crate::message::{Method, Uri};
use crate::rewrite::{Draft, ShortText, Variable, VariableValues};
use crate::snapshot::{Agreement, Direction, Peer, PeerIndex, RuleSetIndex, Side, Snapshot};
use crate::trace::Trace;

use super::Decision;

/// The call of one message.
#[derive(Clone, Copy)]
pub(super) struct CallVariables<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Who sent the request.
    pub(super) upstream: PeerIndex,
    /// Whom it goes to.
    pub(super) downstream: PeerIndex,
    /// Of an initial request and its responses.
    pub(super) decision: Option<&'a Decision>,
    /// Of a response: the Request-URI with which the request left.
    pub(super) request_uri: Option<&'a str>,
}

impl VariableValues for CallVariables<'_> {
    fn write(&self, variable: Variable, draft: &Draft<'_>, out: &mut ShortText) {
        let (from, to) = (self.upstream, self.downstream);
        let mut put = |text: Option<&[u8]>| out.extend_from_slice(text.unwrap_or_default());
        match variable {
            Variable::PeerFrom => put(Some(self.peer(from).id.as_bytes())),
            Variable::PeerTo => put(Some(self.peer(to).id.as_bytes())),
            Variable::SideFrom => put(Some(side(self.peer(from)))),
            Variable::SideTo => put(Some(side(self.peer(to)))),
            Variable::AgreementFrom => put(Some(self.agreement(from).id.as_bytes())),
            Variable::AgreementTo => put(Some(self.agreement(to).id.as_bytes())),
            Variable::DomainFrom => put(domain(self.peer(from))),
            Variable::DomainTo => put(domain(self.peer(to))),
            Variable::OrigIoiFrom => put(bytes(self.agreement(from).charging.orig_ioi.as_ref())),
            Variable::OrigIoiTo => put(bytes(self.agreement(to).charging.orig_ioi.as_ref())),
            Variable::TermIoiFrom => put(bytes(self.agreement(from).charging.term_ioi.as_ref())),
            Variable::TermIoiTo => put(bytes(self.agreement(to).charging.term_ioi.as_ref())),
            Variable::CallId => put(draft.message().call_id().ok()),
            Variable::CallMethod => put(method(draft)),
            Variable::CallDirection => put(Some(match self.peer(from).direction() {
                Direction::Exit => b"exit",
                Direction::Entry => b"entry",
            })),
            Variable::CallCalled => {
                put(self.decision.and_then(Decision::number_now).map(|number| number.as_bytes()));
            }
            Variable::CallCalling => {
                let is_asserted = draft.is_request() && self.agreement(from).trusted;
                let number = decide::calling_number(&draft.message(), is_asserted);
                put(number.as_ref().map(|number| number.as_bytes()));
            }
            Variable::RequestUri => put(Some(self.request_uri(draft))),
            Variable::RequestUser => put(uri(self.request_uri(draft)).and_then(|uri| uri.user)),
            Variable::RequestHost => put(uri(self.request_uri(draft)).map(|uri| uri.host)),
            Variable::EnumOutcome => {
                put(self.decision.and_then(Decision::enum_outcome).map(|outcome| match outcome {
                    EnumOutcome::Found => &b"found"[..],
                    EnumOutcome::NotFound => b"not_found",
                    EnumOutcome::Failed => b"failed",
                }));
            }
            Variable::EnumClass => {
                put(self
                    .decision
                    .and_then(|decision| decision.answer.as_ref())
                    .map(|it| it.class.as_bytes()));
            }
            Variable::EnumUri => put(self.decision.and_then(Decision::candidate_uri).map(str::as_bytes)),
            Variable::NodeName => put(Some(self.snapshot.node.name.as_bytes())),
            Variable::NodeDomain => put(Some(self.snapshot.node.domain.as_bytes())),
        }
    }
}

impl CallVariables<'_> {
    /// Runs rule sets on a message of the call, in their order.
    pub(super) fn apply(
        &self,
        sets: &[RuleSetIndex],
        draft: &mut Draft<'_>,
        method: Method<'_>,
        trace: &mut Trace,
    ) {
        for set in sets {
            self.snapshot.header_rules[set.at()].apply(draft, method, self, trace);
        }
    }

    fn peer(&self, peer: PeerIndex) -> &Peer {
        self.snapshot.peer(peer)
    }

    fn agreement(&self, peer: PeerIndex) -> &Agreement {
        self.snapshot.agreement(peer)
    }

    fn request_uri<'d>(&'d self, draft: &'d Draft<'_>) -> &'d [u8] {
        self.request_uri.map_or_else(|| draft.request_uri(), str::as_bytes)
    }
}

fn uri(text: &[u8]) -> Option<Uri<'_>> {
    Uri::parse(text).ok()
}

fn bytes(text: Option<&String>) -> Option<&[u8]> {
    text.map(String::as_bytes)
}

fn domain(peer: &Peer) -> Option<&[u8]> {
    bytes(peer.domain.as_ref().or(peer.request_uri_host.as_ref()))
}

const fn side(peer: &Peer) -> &'static [u8] {
    match peer.side {
        Side::Home => b"home",
        Side::Peer => b"peer",
    }
}

fn method<'d>(draft: &'d Draft<'_>) -> Option<&'d [u8]> {
    let message = draft.message();
    let method = match message.request() {
        Some(request) => request.method,
        None => message.cseq().ok()?.method,
    };
    Some(method.as_str().as_bytes())
}
