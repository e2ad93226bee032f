//! Several peers at once (RFC 3261 §16.6, §16.7): who is asked together, and what their answers make of each other.
//!
//! A *strand* is one peer of the route: its first target is asked, and the next one only when that failed, as in serial
//! search (RFC 3263 §4.3: the servers of one domain stand in for each other, so two of them would ring one phone twice). The
//! strands of one priority run together; those of the next begin when none of these is left and none gave an answer that
//! ends the search. `Max-Breadth` (RFC 5393 §5) bounds how many run at once, here and in all networks behind.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::border::{Border, Scope};
use crate::decide::{Planned, RouteChoice, Target};
use crate::message::{HeaderId, Message};
use crate::parse::{self, scan};
use crate::rewrite::Draft;
use crate::trace::Stage;
use crate::transaction::SlotId;

use super::RequestContext;
use super::branch::Sending;
use super::decision::LookUp;

/// What a request without `Max-Breadth` may spend (RFC 5393 §5.3.1).
const BREADTH: u32 = 60;

/// So many challenges are carried back: a proxy merges, but it does not collect without end.
const CHALLENGES_MAX: usize = 32;

/// The peers of a route that are asked together.
#[derive(Debug)]
pub(crate) struct Forking {
    strands: SmallVec<[Strand; 4]>,
    is_planned: bool,
    /// The priority whose strands run; none before the first began.
    priority: Option<u16>,
    /// So many strands may run at once ...
    width: usize,
    /// ... each with so much of the breadth.
    share: u32,
    breadth: u32,
    /// Somebody gave an answer that is no reason to ask further peers.
    has_verdict: bool,
}

/// One peer: a run of the decision's targets.
#[derive(Clone, Copy, Debug)]
struct Strand {
    priority: u16,
    next: usize,
    end: usize,
    branch: Option<usize>,
}

impl Strand {
    const fn is_waiting(&self) -> bool {
        self.branch.is_none() && self.next < self.end
    }
}

impl Forking {
    /// Begins with what *message* may spend; whom it asks is planned when all targets are known.
    pub(super) fn new(message: Option<&Message<'_>>) -> Self {
        Self {
            strands: SmallVec::new(),
            is_planned: false,
            priority: None,
            width: 0,
            share: 0,
            breadth: message.map_or(BREADTH, max_breadth),
            has_verdict: false,
        }
    }

    /// Makes a strand of each peer of *choice* that has *targets*; they stand peer by peer.
    fn plan(&mut self, choice: &RouteChoice, targets: &[Planned]) {
        self.is_planned = true;
        let mut end = 0;
        for group in targets.chunk_by(|one, next| one.peer() == next.peer()) {
            let next = end;
            end += group.len();
            let peer = group.first().map(Planned::peer);
            let priority =
                choice.peers.iter().find(|(one, ..)| Some(*one) == peer).map_or(0, |entry| entry.1);
            self.strands.push(Strand { priority, next, end, branch: None });
        }
    }

    /// The `Max-Breadth` of a branch that starts now.
    pub(super) const fn share(&self) -> u32 {
        self.share
    }

    pub(super) const fn has_verdict(&self) -> bool {
        self.has_verdict
    }

    /// Goes on to the strands of the next priority; `false` when there are none, or no more are to be asked.
    fn begin_group(&mut self, attempts_left: u8) -> bool {
        let waiting = self.strands.iter().filter(|strand| strand.is_waiting());
        let later =
            waiting.map(|strand| strand.priority).filter(|one| self.priority.is_none_or(|now| *one > now));
        let Some(next) = later.min().filter(|_| !self.has_verdict && attempts_left > 0) else { return false };
        self.priority = Some(next);
        let count = self.strands.iter().filter(|strand| strand.priority == next).count();
        let breadth = usize::try_from(self.breadth).unwrap_or(usize::MAX);
        self.width = count.min(breadth).min(usize::from(attempts_left)).max(1);
        self.share = self.breadth / u32::try_from(self.width).unwrap_or(u32::MAX);
        true
    }

    /// Which strand may start now.
    fn waiting(&self) -> Option<usize> {
        let now = self.priority?;
        self.strands.iter().position(|strand| strand.priority == now && strand.is_waiting())
    }

    /// A strand goes on with another branch to the same target.
    pub(super) fn replace(&mut self, number: usize, next: usize) {
        if let Some(strand) = self.strands.iter_mut().find(|strand| strand.branch == Some(number)) {
            strand.branch = Some(next);
        }
    }

    /// A branch is over: its strand goes on with its next target, or is over too.
    pub(super) fn end(&mut self, number: usize, is_retriable: bool) {
        self.has_verdict |= !is_retriable;
        if let Some(strand) = self.strands.iter_mut().find(|strand| strand.branch == Some(number)) {
            strand.branch = None;
            if !is_retriable {
                strand.next = strand.end;
            }
        }
    }
}

/// Reads `Max-Breadth`: what cannot be read allows no fork.
pub(super) fn max_breadth(message: &Message<'_>) -> u32 {
    let header = message.first(HeaderId::MaxBreadth);
    header.map_or(BREADTH, |header| scan::number(header.value).unwrap_or(1))
}

/// What 401 and 407 responses ask for, with the number of their branch.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Vec<(usize, HeaderId, Box<[u8]>)>);

impl Challenges {
    /// Keeps what *response*, which came on branch *number*, asks for.
    pub(super) fn note(&mut self, number: usize, response: &Message<'_>) {
        for id in [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate] {
            let room = CHALLENGES_MAX.saturating_sub(self.0.len());
            self.0.extend(response.all(id).take(room).map(|header| (number, id, header.value.into())));
        }
    }
}

impl Border {
    /// Starts every branch that may start now; `false` when none is open then, and none waits for an answer.
    pub(super) fn fork_next(
        &mut self,
        id: SlotId,
        context: &mut RequestContext,
        message: Option<&Message<'_>>,
        is_full: &mut bool,
        scope: &mut Scope<'_>,
    ) -> bool {
        if self.plan_fork(id, context, scope) == LookUp::Parked {
            return true;
        }
        loop {
            while let Some((target, at)) = self.next_of_strands(context, scope) {
                let number = context.branches.len();
                let tried = self.try_target(id, context, message, &target, scope);
                *is_full |= tried == Sending::Full;
                let forking = context.decision.forking.as_mut();
                if let Some(strand) = forking.and_then(|forking| forking.strands.get_mut(at)) {
                    strand.next += 1;
                    strand.branch = (tried == Sending::Sent).then_some(number);
                }
            }
            if context.has_live_branch() {
                return true;
            }
            let attempts_left = context.decision.attempts_left;
            let forking = context.decision.forking.as_mut();
            if !forking.is_some_and(|forking| forking.begin_group(attempts_left)) {
                return false;
            }
        }
    }

    /// Plans the strands when the targets of all peers are known. Those that are located by the Request-URI are asked for
    /// before any branch starts: who comes first must not be a matter of the DNS.
    fn plan_fork(&mut self, id: SlotId, context: &mut RequestContext, scope: &mut Scope<'_>) -> LookUp {
        if context.decision.forking.as_ref().is_none_or(|forking| forking.is_planned) {
            return LookUp::Done;
        }
        while let Some(planned) = context.decision.targets.get(context.decision.next_target) {
            match planned {
                Planned::Target(_) => context.decision.next_target += 1,
                Planned::Locate(peer) => {
                    let peer = *peer;
                    if self.locate(id, context, peer, scope) == LookUp::Parked {
                        return LookUp::Parked;
                    }
                }
            }
        }
        let generation = Arc::clone(&context.generation);
        let choice = context.decision.rule.and_then(|rule| generation.snapshot.routes.choice(rule));
        if let (Some(forking), Some(choice)) = (&mut context.decision.forking, choice) {
            forking.plan(choice, &context.decision.targets);
            let text = || forking.to_string();
            scope.step(Stage::Decide, None, "forked", text, Some("RFC 3261 §16.6, RFC 5393 §5"));
        }
        LookUp::Done
    }

    /// The target of the next strand that may start, and which strand it is.
    fn next_of_strands(
        &self,
        context: &mut RequestContext,
        scope: &mut Scope<'_>,
    ) -> Option<(Target, usize)> {
        loop {
            let live = context.branches.iter().filter(|branch| !branch.has_final).count();
            let may_try = context.may_try(scope);
            let forking =
                context.decision.forking.as_ref().filter(|forking| may_try && live < forking.width)?;
            let at = forking.waiting()?;
            let strand = *forking.strands.get(at)?;
            if let Some(Planned::Target(target)) = self.next_planned(context, strand.next..strand.end, scope)
            {
                return Some((target, at));
            }
            // Something speaks against all that is left of it.
            if let Some(strand) = context.decision.forking.as_mut().and_then(|it| it.strands.get_mut(at)) {
                strand.next = strand.end;
            }
        }
    }

    /// The best response, with the challenges of all others if it is one (RFC 3261 §16.7 (7)).
    pub(super) fn with_challenges(
        &mut self,
        context: &RequestContext,
        number: usize,
        response: Box<[u8]>,
    ) -> Box<[u8]> {
        let all = || context.challenges.iter().flat_map(|challenges| &challenges.0);
        let others = || all().filter(|(branch, ..)| *branch != number);
        if others().next().is_none() {
            return response;
        }
        let mut index = self.stored_index.take().unwrap_or_default();
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut merged = Vec::with_capacity(response.len() + 512);
        if let Ok(message) = parse::parse_kept(&response, &mut index) {
            let mut draft = Draft::new(message, &mut scratch);
            for (_, id, value) in others() {
                draft.append(*id, value);
            }
            draft.encode(&mut merged);
        }
        self.scratch = scratch;
        self.stored_index = Some(index);
        merged.into_boxed_slice()
    }
}

impl std::fmt::Display for Forking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let groups = self.strands.chunk_by(|one, next| one.priority == next.priority);
        let sizes: Vec<String> = groups.map(|group| group.len().to_string()).collect();
        write!(formatter, "{} peer(s) at once, Max-Breadth {}", sizes.join(", then "), self.breadth)
    }
}
