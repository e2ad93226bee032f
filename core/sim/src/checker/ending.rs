//! What must be true when a call is over, and when all are.

use std::time::Duration;

use ibcf_sip::event::{CallRecord, Outcome, RecordKind};
use ibcf_sip::statistics::{Kind as FamilyKind, Shared};

use super::Checker;
use super::watch::{CallWatch, Final, Seen};
use crate::peer::Agent;
use crate::plan::{Behaviour, Dialled, Kind, Plan};

/// A caller waits this long for an answer; what comes later need not be passed on.
const PATIENCE: Duration = Duration::from_secs(30);
/// A request is sent at least so often: the loss of fewer datagrams leaves nobody without an answer.
const LOST_BORNE: u32 = 5;

impl Checker {
    /// Judges what is left when all is over.
    pub fn on_end(&mut self, shared: &Shared) {
        // Those that do not count what is in progress.
        const STANDING: [&str; 13] = [
            "ibcf_answer_cache_entries",
            "ibcf_location_cache_entries",
            "ibcf_config_generation",
            "ibcf_config_generations_kept",
            "ibcf_drain_state",
            "ibcf_limits",
            "ibcf_limiter_keys_limit",
            "ibcf_pattern_held_limit",
            "ibcf_pattern_keys_limit",
            "ibcf_peer_calls_limit",
            "ibcf_peer_up",
            "ibcf_table_peak",
            "ibcf_target_state",
        ];
        let families = shared.families(ibcf_sip::Time::ZERO);
        for family in families.iter().filter(|family| family.kind == FamilyKind::Gauge) {
            let is_live = !STANDING.contains(&family.name);
            for sample in family.samples.iter().filter(|sample| is_live && sample.value != 0.0) {
                let (name, labels, value) = (family.name, &sample.labels, sample.value);
                self.fail(None, format!("{name}{labels:?} is {value} when traffic stopped"));
            }
        }
    }

    /// Judges one call: its answers, its record, and what its agents complain of.
    pub fn on_call_end(&mut self, call: u64, plan: &Plan, agents: &[Agent]) {
        let watch = self.calls.remove(&call).unwrap_or_default();
        let mut faults = Vec::new();
        watch.judge_answers(&mut faults);
        let first = watch.first_request(plan.kind.method());
        self.judge_refusal(plan, &watch, first, &mut faults);
        let expected = first.map_or(0..=0, |seen| self.records_expected(plan, &watch, seen));
        if !expected.contains(&watch.packed.len()) {
            let found: Vec<_> =
                watch.records().map(|record| (record.outcome, record.status, record.reason)).collect();
            faults.push(format!("{} records instead of {expected:?}: {found:?}", watch.packed.len()));
        }
        if let Some(answer) = first.filter(|seen| !seen.is_excused()).and_then(|seen| seen.answer) {
            for record in watch.records() {
                judge_record(plan, &watch, &record, answer, &mut faults);
            }
        }
        if !watch.may_complain(plan) {
            faults.extend(agents.iter().flat_map(|agent| agent.complaints.iter().cloned()));
            if !self.may_be_full {
                judge_dialogs(agents, &mut faults);
            }
        }
        let outcome = outcome(&watch, first);
        *self.outcomes.entry(outcome).or_default() += 1;
        for fault in faults {
            self.fail(Some(call), fault);
        }
    }

    /// Invariant 6, and no refusal without a limit.
    fn judge_refusal(&self, plan: &Plan, watch: &CallWatch, first: Option<&Seen>, faults: &mut Vec<String>) {
        let refused = first.filter(|seen| !seen.is_excused()).and_then(|seen| seen.answer);
        let is_refused = refused.is_some_and(|answer| answer.is_own && answer.status == 503);
        if !is_refused || self.is_draining {
            return;
        }
        // The last tenth of a full table is for them and for dialogs; when that is taken too, nothing is left to give.
        if plan.dialled == Dialled::Emergency && !self.may_be_full {
            let reason = watch.records().next().and_then(|record| record.reason);
            faults.push(format!("an emergency call was refused: {reason:?}"));
        } else if !self.may_refuse {
            faults.push("a call was refused although no limit was met".to_owned());
        }
    }

    /// How many records the call must have: one, or one for each dialog that it became (CH-17).
    fn records_expected(
        &self,
        plan: &Plan,
        watch: &CallWatch,
        first: &Seen,
    ) -> std::ops::RangeInclusive<usize> {
        let is_turned_away = self.may_refuse
            && first.answer.is_some_and(|answer| answer.is_own && answer.status == 503 && !answer.has_reason);
        let most = if matches!(plan.kind, Kind::Call | Kind::Message) { first.tags.len().max(1) } else { 0 };
        // Calls that were turned away at the door were never admitted; those of a node that crashed are lost with it.
        let least = if is_turned_away || watch.is_crashed { 0 } else { most };
        // Sent again to a border that forgot it, the request begins anew, with as many devices as then accept it.
        let again = first.disturbances as usize * first.tags.len().max(1);
        least..=(if is_turned_away { 0 } else { most }) + again
    }
}

impl CallWatch {
    /// The request that began the call, if it ever came.
    fn first_request(&self, method: &str) -> Option<&Seen> {
        self.seen.iter().find(|seen| seen.is_initial && seen.method == method)
    }

    fn judge_answers(&self, faults: &mut Vec<String>) {
        for seen in self.seen.iter().filter(|seen| seen.answer.is_none() && !seen.is_excused()) {
            let must = match seen.method.as_str() {
                "INVITE" | "CANCEL" => true,
                _ => self.was_answered_in_time(seen) && !(seen.is_initial && self.was_given_up()),
            };
            if must {
                faults.push(format!("the {} {} got no final response", seen.method, seen.cseq));
            }
        }
    }

    /// Did somebody answer it while its caller still waited? A non-INVITE that nobody answers gets no 408 (RFC 4320 §4.2).
    fn was_answered_in_time(&self, seen: &Seen) -> bool {
        self.answered.iter().any(|answered| {
            answered.status >= 200 && answered.origin == seen.origin && answered.at < seen.at + PATIENCE
        })
    }

    /// Did the border hear of no target in time? What came later it dropped, as it must (RFC 4320 §4.2).
    fn was_given_up(&self) -> bool {
        self.attempts().all(|attempt| attempt.status.is_none())
    }

    /// May somebody wait in vain in this call, and nobody is to blame?
    fn may_complain(&self, plan: &Plan) -> bool {
        let is_mute = |behaviour: &Behaviour| {
            matches!(behaviour, Behaviour::Silent | Behaviour::Unreachable | Behaviour::RingForever)
        };
        // A target whose answers were all lost in four seconds: the border went on to the next one, and drops what comes late.
        let was_lost = self.attempts().any(|attempt| attempt.reason.is_some());
        let is_mute_event = plan.kind != Kind::Call && plan.called.iter().any(is_mute);
        // Of a query there is no record, and so no attempt that tells that a target was given up before it answered.
        let is_slow_query =
            plan.kind == Kind::Query && self.packed.is_empty() && !plan.called.iter().all(is_prompt);
        self.is_disturbed
            || self.lost > LOST_BORNE
            || plan.vanish_ms.is_some()
            || plan.lures
            || was_lost
            || is_mute_event
            || is_slow_query
    }
}

/// Is a request other than INVITE answered at once?
const fn is_prompt(behaviour: &Behaviour) -> bool {
    !matches!(
        behaviour,
        Behaviour::Answer { .. } | Behaviour::Silent | Behaviour::Unreachable | Behaviour::RingForever
    )
}

fn judge_record(
    plan: &Plan,
    watch: &CallWatch,
    record: &CallRecord<'_>,
    answer: Final,
    faults: &mut Vec<String>,
) {
    let kind = if plan.kind == Kind::Call { RecordKind::Call } else { RecordKind::Event };
    if record.record != kind {
        faults.push(format!("the record is a {:?}", record.record));
    }
    let is_answered = record.outcome == Outcome::Answered;
    if record.status != answer.status || is_answered != (answer.status < 300) {
        faults.push(format!(
            "{} was answered but {:?} {} recorded",
            answer.status, record.outcome, record.status
        ));
    }
    let times = [Some(record.start_ms), record.ring_ms, record.answer_ms, Some(record.end_ms)];
    if !watch.has_wall_clock_jumped && !times.iter().flatten().is_sorted() {
        faults.push(format!("the times of the record go back: {times:?}"));
    }
    if is_answered && kind == RecordKind::Call && record.released_by.is_none() && !watch.is_disturbed {
        faults.push("nobody ended the answered call".to_owned());
    }
}

/// Both ends of each dialog know that it is over (or neither does).
fn judge_dialogs(agents: &[Agent], faults: &mut Vec<String>) {
    let Some((caller, others)) = agents.split_first() else { return };
    for dialog in caller.dialogs.iter().filter(|dialog| dialog.is_confirmed) {
        let other = others
            .iter()
            .flat_map(|agent| &agent.dialogs)
            .find(|other| other.is(&dialog.remote_tag, &dialog.local_tag));
        match other {
            None => faults.push(format!("nobody has the other end of the dialog with {}", dialog.remote_tag)),
            Some(other) if other.is_over != dialog.is_over => {
                faults.push(format!("a BYE in the dialog with {} never came through", dialog.remote_tag));
            }
            Some(_) => {}
        }
    }
}

fn outcome(watch: &CallWatch, first: Option<&Seen>) -> &'static str {
    match watch.records().next().map(|record| record.outcome) {
        Some(Outcome::Answered) => "answered",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::Cancelled) => "cancelled",
        Some(Outcome::Rejected) => "rejected",
        None if first.is_none() => "never arrived",
        None if watch.is_crashed => "lost in a crash",
        None if first.and_then(|seen| seen.answer).is_some_and(|answer| answer.status == 503) => {
            "turned away"
        }
        None => "without a record",
    }
}
