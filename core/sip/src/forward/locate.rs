//! Where a Request-URI leads, for peers that are located by it (RFC 3263 §4, LOC-01 to LOC-04): an address needs no question, a
//! name is asked for once for all who wait, and the answer serves until its TTL is over.

use std::sync::Arc;
use std::time::Duration;

use crate::border::{Border, Scope, TimerKey, target_key};
use crate::decide::{self, Asked, Planned};
use crate::message::{HeaderId, NameAddr, Uri, UriKind};
use crate::output::QuestionBody;
use crate::parse;
use crate::rewrite::peer_tag;
use crate::snapshot::{Location, PeerIndex, Snapshot, Target, Transport, document};
use crate::statistics::QuestionKind;
use crate::time::Time;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::RequestContext;
use super::decision::{LookUp, target_hash};

/// An answer kept: as it came, and resolved against the listeners of one generation.
#[derive(Debug)]
pub(crate) struct LocatedHost {
    document: Vec<document::Target>,
    generation: u64,
    targets: Arc<[Arc<Target>]>,
}

/// What of a URI says where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Destination<'a> {
    uri: Uri<'a>,
    transport: Option<Transport>,
    is_secure: bool,
}

impl<'a> Destination<'a> {
    /// `None` for what leads nowhere by DNS: a tel URI, a transport that we do not speak, sips over UDP.
    fn of(uri: Uri<'a>) -> Option<Self> {
        if !matches!(uri.kind, UriKind::Sip | UriKind::Sips) || uri.port == Some(0) {
            return None;
        }
        let is_secure = uri.kind == UriKind::Sips;
        let transport = match uri.params.value(b"transport").map(Transport::from_name) {
            Some(None) => return None,
            Some(Some(Transport::Udp)) if is_secure => return None,
            Some(Some(Transport::Tcp)) if is_secure => Some(Transport::Tls),
            Some(transport) => transport,
            None => None,
        };
        // LOC-01: `maddr` stands for the host.
        let host = uri.params.value(b"maddr").filter(|maddr| !maddr.is_empty()).unwrap_or(uri.host);
        Some(Self { uri: Uri { host, ..uri }, transport, is_secure })
    }

    /// The one target that an address means (LOC-02); `None` for a name.
    fn literal(&self, snapshot: &Snapshot, peer: PeerIndex) -> Option<Arc<[Arc<Target>]>> {
        let ip = self.uri.host_is_ip()?;
        // UDP is what no transport means; a peer that has no listener for it is reached by TCP.
        let choices: &[Transport] = match self.transport {
            Some(Transport::Udp) => &[Transport::Udp],
            Some(Transport::Tcp) => &[Transport::Tcp],
            Some(Transport::Tls) => &[Transport::Tls],
            None if self.is_secure => &[Transport::Tls],
            None => &[Transport::Udp, Transport::Tcp],
        };
        let found = choices.iter().find_map(|transport| {
            let port = self.uri.port.unwrap_or(transport.default_port());
            let target = document::Target::literal((ip, port).into(), *transport);
            Some(snapshot.located(peer, &[target])).filter(|targets| !targets.is_empty())
        });
        Some(found.unwrap_or_default())
    }

    fn question(&self, peer: &str) -> QuestionBody {
        QuestionBody::Locate {
            peer: peer.to_owned(),
            host: String::from_utf8_lossy(self.uri.host).to_ascii_lowercase(),
            port: self.uri.port,
            transport: self.transport,
            secure: self.is_secure,
        }
    }
}

/// The peer of a question, and everything else of it: the two halves of the key of its answer.
fn key(body: &QuestionBody) -> Option<(&str, String)> {
    let QuestionBody::Locate { peer, host, port, transport, secure } = body else { return None };
    let transport = transport.map_or("", Transport::name);
    Some((peer, format!("{host}\0{}\0{transport}\0{secure}", port.unwrap_or(0))))
}

impl Border {
    /// Puts the targets to which the request leads into the place of the step that stands next, or asks for them.
    pub(super) fn locate(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        peer: PeerIndex,
        scope: &mut Scope<'_>,
    ) -> LookUp {
        let generation = Arc::clone(&context.generation);
        let snapshot = &generation.snapshot;
        let uri = self.next_hop_uri(context);
        let Some(destination) = Uri::parse(&uri).ok().and_then(Destination::of) else {
            self.take_located(context, peer, &[], scope);
            return LookUp::Done;
        };
        if let Some(targets) = destination.literal(snapshot, peer) {
            self.take_located(context, peer, &targets, scope);
            return LookUp::Done;
        }
        let body = destination.question(&snapshot.peer(peer).id);
        if let Some(targets) = self.cached(&body, snapshot, peer, scope.now.time) {
            self.statistics().location_hits.one();
            self.take_located(context, peer, &targets, scope);
            return LookUp::Done;
        }
        self.statistics().location_misses.one();
        self.ask_where(id, context, peer, body, scope)
    }

    fn ask_where(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        peer: PeerIndex,
        body: QuestionBody,
        scope: &mut Scope<'_>,
    ) -> LookUp {
        let of_peer = context.generation.snapshot.peer(peer);
        let Some(Location::RequestUri { deadline_ms }) = of_peer.location else {
            self.take_located(context, peer, &[], scope);
            return LookUp::Done;
        };
        let deadline = Duration::from_millis(deadline_ms);
        let (outcome, clause) = match self.questions.ask(body, id, scope.now.time, deadline) {
            Asked::New(question) => {
                self.wheel.arm(question.deadline, TimerKey::Question(SlotId::from_u64(question.id.0)));
                scope.out.questions.push(question);
                ("asked", "RFC 3263 §4")
            }
            Asked::Joined => ("is being asked for already", "RFC 3263 §4"),
            Asked::Full => {
                self.take_located(context, peer, &[], scope);
                return LookUp::Done;
            }
        };
        let uri = context.request_uri();
        scope.step(
            Stage::Decide,
            Some(&of_peer.id),
            outcome,
            || format!("where {} leads", String::from_utf8_lossy(uri)),
            Some(clause),
        );
        context.decision.is_parked = true;
        LookUp::Parked
    }

    /// Where the host of the question is, as it was answered before.
    fn cached(
        &self,
        body: &QuestionBody,
        snapshot: &Snapshot,
        peer: PeerIndex,
        now: Time,
    ) -> Option<Arc<[Arc<Target>]>> {
        let (of_peer, what) = key(body)?;
        let host = self.locations.get(of_peer, &what, now)?;
        if host.generation == snapshot.generation {
            return Some(Arc::clone(&host.targets));
        }
        Some(snapshot.located(peer, &host.document)) // another generation may have other listeners
    }

    /// For requests inside dialogs, which ask nobody: where the URI was found to lead when somebody asked.
    pub(super) fn located_before(
        &self,
        snapshot: &Snapshot,
        peer: PeerIndex,
        uri: &Uri<'_>,
        now: Time,
    ) -> Option<Arc<[Arc<Target>]>> {
        let of_peer = snapshot.peer(peer);
        matches!(of_peer.location, Some(Location::RequestUri { .. })).then_some(())?;
        let body = Destination::of(*uri)?.question(&of_peer.id);
        self.cached(&body, snapshot, peer, now).filter(|targets| !targets.is_empty())
    }

    pub(super) fn on_located(
        &mut self,
        body: &QuestionBody,
        mut document: Vec<document::Target>,
        ttl_ms: u64,
        waiters: Vec<SlotId>,
        scope: &mut Scope<'_>,
    ) {
        if matches!(body, QuestionBody::Locate { secure: true, .. }) {
            document.retain(|target| target.transport == Transport::Tls);
        }
        let generation = Arc::clone(&self.generation);
        if let Some((of_peer, what)) = key(body)
            && let Some(peer) = generation.peer_by_tag(peer_tag(of_peer))
        {
            let targets = generation.snapshot.located(peer, &document);
            let generation = generation.snapshot.generation;
            let host = Arc::new(LocatedHost { document: document.clone(), generation, targets });
            let expires = scope.now.time + Duration::from_millis(ttl_ms);
            if let Some(eviction) = self.locations.put(of_peer, &what, host, scope.now.time, expires) {
                self.statistics().locations_evicted.count(eviction);
            }
        }
        self.resume_located(waiters, &document, scope);
    }

    pub(super) fn resume_located(
        &mut self,
        waiters: Vec<SlotId>,
        document: &[document::Target],
        scope: &mut Scope<'_>,
    ) {
        for id in waiters {
            self.with_context(id, scope, |border, context, scope| {
                let is_parked = std::mem::take(&mut context.decision.is_parked);
                let is_over = context.final_status.is_some() || context.cancelled.is_some();
                if !is_parked || is_over {
                    return;
                }
                border.observe_question(QuestionKind::Locate, context, scope);
                if let Some(Planned::Locate(peer)) =
                    context.decision.targets.get(context.decision.next_target)
                {
                    let peer = *peer;
                    let targets = context.generation.snapshot.located(peer, document);
                    border.take_located(context, peer, &targets, scope);
                }
                if let Err(rejection) = border.forward_next(id, context, None, scope) {
                    border.reject(id, context, None, &rejection, scope);
                }
            });
        }
    }

    fn take_located(
        &mut self,
        context: &mut RequestContext,
        peer: PeerIndex,
        targets: &[Arc<Target>],
        scope: &mut Scope<'_>,
    ) {
        let generation = Arc::clone(&context.generation);
        let of_peer = generation.snapshot.peer(peer);
        let tag = peer_tag(&of_peer.id);
        for target in targets {
            self.watch_found(target_key(&generation, tag, target), &of_peer.id, &target.id, scope);
        }
        context.decision.is_unlocated |= targets.is_empty();
        let (hash, next) = (target_hash(context), context.decision.next_target);
        decide::located_targets(peer, targets, hash, next, &mut context.decision.targets);
        scope.step(
            Stage::Decide,
            Some(&of_peer.id),
            "located",
            || targets.iter().map(|target| target.id.as_str()).collect::<Vec<_>>().join(", "),
            Some("RFC 3263 §4"),
        );
    }

    /// The URI to be resolved: the topmost Route that is not ours, else the Request-URI as it leaves (LOC-01).
    fn next_hop_uri(&mut self, context: &RequestContext) -> Vec<u8> {
        let mut index = self.stored_index.take().unwrap_or_default();
        let route = parse::parse_kept(&context.request, &mut index).ok().and_then(|message| {
            let route = message.values(HeaderId::Route).nth(context.own_routes)?;
            let route = NameAddr::parse(route.value).ok()?;
            Some(route.uri.to_vec())
        });
        self.stored_index = Some(index);
        route.unwrap_or_else(|| context.request_uri().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, port, transport and security of the question that a URI leads to.
    fn asked(uri: &str) -> Option<String> {
        let QuestionBody::Locate { host, port, transport, secure, .. } =
            Destination::of(Uri::parse(uri.as_bytes()).expect("a URI"))?.question("carrier_b")
        else {
            panic!("another question")
        };
        let transport = transport.map_or("any", Transport::name);
        Some(format!("{host} {port:?} {transport} {secure}"))
    }

    #[test]
    fn a_uri_is_asked_for_as_it_says() {
        for (uri, expected) in [
            ("sip:+44@B.Example;user=phone", Some("b.example None any false")),
            ("sip:b.example:5070", Some("b.example Some(5070) any false")),
            ("sip:b.example;transport=TCP", Some("b.example None tcp false")),
            ("sips:b.example", Some("b.example None any true")),
            ("sips:b.example;transport=tcp", Some("b.example None tls true")),
            ("sips:b.example;transport=udp", None),
            ("sip:b.example;maddr=c.example", Some("c.example None any false")),
            ("sip:b.example;transport=sctp", None),
            ("sip:b.example:0", None),
            ("tel:+441632960083", None),
        ] {
            assert_eq!(asked(uri).as_deref(), expected, "{uri}");
        }
    }
}
