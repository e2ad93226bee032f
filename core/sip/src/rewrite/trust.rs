//! Which headers may cross between networks that do not trust each other, and which may never (TS 24.229 §4.4,
//! TS 29.165 table 6.2; the rows TB-01 to TB-28, EX-14, EX-20, EN-14, EN-23, ID-01 to ID-03).
//!
//! The table is data. Rows about parameters inside other headers (TB-11 `cpc` and `oli`, TB-14 `iotl`, TB-28 `verstat`) and
//! the limit of two P-Asserted-Identity values (ID-03) belong to identity and numbers and are not here yet. P-Charging-Vector
//! (TB-23) is the business of `charging.rs`. Privacy is only read: it crosses unchanged, `id` included (PR-02, PR-03).

use super::draft::{Draft, DraftHeader};
use super::history;
use crate::message::HeaderId;
use crate::trace::{Stage, Step, Trace};

/// What happens to a header on one side of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Keep,
    Remove,
    /// RFC 3325 §7: remove if Privacy asks for `id`; `none` and no Privacy at all keep it (PR-04, ID-02).
    RemoveIfPrivacyId,
    /// RFC 7044 §10.1: remove if Privacy asks for `history`, `header` or `session`.
    RemoveIfPrivacyHistory,
    /// Remove if the value is this word.
    RemoveValue(&'static str),
}

/// In which messages a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Any,
    Responses,
}

/// One row of the trust boundary table.
#[derive(Clone, Copy, Debug)]
struct Row {
    id: &'static str,
    header: HeaderId,
    scope: Scope,
    /// Not applicable between networks, trusted or not.
    never_crosses: bool,
    /// From an untrusted source.
    inbound: Action,
    /// To an untrusted destination.
    outbound: Action,
}

const fn row(id: &'static str, header: HeaderId, inbound: Action, outbound: Action) -> Row {
    Row { id, header, scope: Scope::Any, never_crosses: false, inbound, outbound }
}

const fn never(id: &'static str, header: HeaderId) -> Row {
    Row { never_crosses: true, ..row(id, header, Action::Remove, Action::Remove) }
}

const TABLE: &[Row] = {
    use Action::{Keep, Remove, RemoveIfPrivacyHistory, RemoveIfPrivacyId, RemoveValue};
    use HeaderId as H;
    &[
        row("TB-01", H::PAssertedIdentity, Remove, RemoveIfPrivacyId),
        row("TB-02", H::PAccessNetworkInfo, Remove, Remove),
        row("TB-03", H::HistoryInfo, Keep, RemoveIfPrivacyHistory),
        row("TB-04", H::PAssertedService, Remove, Remove),
        row("TB-05", H::ResourcePriority, Remove, Remove),
        Row { scope: Scope::Responses, ..row("TB-06", H::Reason, Remove, Remove) },
        row("TB-07", H::PProfileKey, Remove, Remove),
        row("TB-08", H::PServedUser, Remove, Remove),
        row("TB-09", H::PPrivateNetworkIndication, Remove, Remove),
        row("TB-10", H::PEarlyMedia, Remove, Remove),
        row("TB-12", H::FeatureCaps, Remove, Keep),
        row("TB-13", H::Priority, RemoveValue("psap-callback"), Keep),
        row("TB-15", H::RestorationInfo, Remove, Remove),
        never("TB-16", H::RelayedCharge),
        row("TB-17", H::ServiceInteractInfo, Remove, Remove),
        row("TB-18", H::CellularNetworkInfo, Remove, Remove),
        row("TB-19", H::ResponseSource, Remove, Remove),
        row("TB-20", H::AttestationInfo, Remove, Remove),
        row("TB-21", H::OriginationId, Remove, Remove),
        row("TB-22", H::AdditionalIdentity, Remove, Remove),
        never("TB-24", H::PChargingFunctionAddresses),
        never("TB-25", H::PPreferredIdentity),
        never("TB-25", H::SecurityClient),
        never("TB-25", H::SecurityServer),
        never("TB-25", H::SecurityVerify),
        never("TB-25", H::PUserDatabase),
        never("TB-25", H::PMediaAuthorization),
        never("TB-26", H::ResourceShare),
        never("TB-26", H::PriorityShare),
        row("TB-27", H::Identity, Keep, Keep),
    ]
};

/// Position of a header's row, or [`NO_ROW`].
static ROW_OF: [u8; HeaderId::COUNT] = row_of();
const NO_ROW: u8 = u8::MAX;

const fn row_of() -> [u8; HeaderId::COUNT] {
    let mut rows = [NO_ROW; HeaderId::COUNT];
    let mut at = 0;
    while at < TABLE.len() {
        assert!(rows[TABLE[at].header.at()] == NO_ROW, "a header has two rows");
        rows[TABLE[at].header.at()] = at as u8;
        at += 1;
    }
    rows
}

/// The headers that have a row, and those that may not even cross where all trust each other.
const ROW_IDS: u128 = ids(false);
const NEVER_IDS: u128 = ids(true);

const fn ids(never_only: bool) -> u128 {
    let (mut ids, mut at) = (0, 0);
    while at < TABLE.len() {
        if TABLE[at].never_crosses || !never_only {
            ids |= TABLE[at].header.bit();
        }
        at += 1;
    }
    ids
}

/// What the Privacy headers ask for (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).
#[derive(Clone, Copy, Debug, Default)]
struct Privacy {
    id: bool,
    history: bool,
}

impl Privacy {
    fn of(draft: &Draft<'_>) -> Self {
        let mut privacy = Self::default();
        for header in draft.all(HeaderId::Privacy) {
            for value in header.value.split(|byte| matches!(byte, b';' | b',')) {
                let is = |word: &[u8]| crate::parse::scan::trim(value).eq_ignore_ascii_case(word);
                privacy.id |= is(b"id");
                privacy.history |= is(b"history") || is(b"header") || is(b"session");
            }
        }
        privacy
    }
}

/// Where a message comes from and where it goes.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    is_response: bool,
    source_trusted: bool,
    destination_trusted: bool,
    crosses_networks: bool,
    privacy: Privacy,
}

impl Crossing {
    /// Why the header is to be removed, if it is.
    fn reason_to_remove(self, row: &Row, value: &[u8]) -> Option<&'static str> {
        if row.scope == Scope::Responses && !self.is_response {
            return None;
        }
        if row.never_crosses && self.crosses_networks {
            return Some("never crosses between networks");
        }
        if !self.source_trusted && self.removes(row.inbound, value) {
            return Some("from an untrusted peer");
        }
        (!self.destination_trusted && self.removes(row.outbound, value)).then_some("to an untrusted peer")
    }

    fn removes(self, action: Action, value: &[u8]) -> bool {
        match action {
            Action::Keep => false,
            Action::Remove => true,
            Action::RemoveIfPrivacyId => self.privacy.id,
            Action::RemoveIfPrivacyHistory => self.privacy.history,
            Action::RemoveValue(word) => value.eq_ignore_ascii_case(word.as_bytes()),
        }
    }
}

/// Removes from *draft* what may not cross. Returns how many headers it removed or changed.
pub fn apply(
    draft: &mut Draft<'_>,
    source_trusted: bool,
    destination_trusted: bool,
    crosses_networks: bool,
    trace: &mut Trace,
) -> usize {
    let privacy = if destination_trusted { Privacy::default() } else { Privacy::of(draft) };
    let is_response = !draft.is_request();
    let crossing = Crossing { is_response, source_trusted, destination_trusted, crosses_networks, privacy };
    let mut has_history = false;
    // Most messages between networks that trust each other hold nothing of what never crosses.
    let all_trusted = source_trusted && destination_trusted;
    let removed = draft.retain(if all_trusted { NEVER_IDS } else { ROW_IDS }, |header| {
        let at = ROW_OF.get(header.id.at()).copied().unwrap_or(NO_ROW);
        let Some(row) = TABLE.get(usize::from(at)) else { return true };
        has_history |= header.id == HeaderId::HistoryInfo;
        let reason = crossing.reason_to_remove(row, header.value);
        if let Some(reason) = reason {
            trace.step(|| step(row.id, header, reason));
        }
        reason.is_none()
    });
    if destination_trusted || !has_history {
        return removed;
    }
    let hidden = history::hide_private_entries(draft);
    if hidden > 0 {
        let detail = "History-Info entries that ask for privacy, to an untrusted peer".to_owned();
        trace.step(|| Step {
            stage: Stage::Rewrite,
            rule: None,
            outcome: "removed",
            detail,
            clause: Some("TB-03, PR-06"),
        });
    }
    removed + hidden
}

fn step(id: &'static str, header: &DraftHeader<'_>, reason: &str) -> Step {
    let (name, value) = (String::from_utf8_lossy(header.name), String::from_utf8_lossy(header.value));
    let detail = format!("{name}: {value} ({reason})");
    Step { stage: Stage::Rewrite, rule: None, outcome: "removed", detail, clause: Some(id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::testing::{edited_headers, edited_response};

    const TRUSTED: bool = true;
    const UNTRUSTED: bool = false;

    fn request(headers: &[&str], source: bool, destination: bool) -> Vec<String> {
        edited_headers(headers, |draft| {
            apply(draft, source, destination, true, &mut Trace::off());
        })
    }

    #[test]
    fn every_row_does_what_it_says_in_requests_and_responses() {
        for row in TABLE {
            for (source, destination) in
                [(TRUSTED, TRUSTED), (UNTRUSTED, TRUSTED), (TRUSTED, UNTRUSTED), (UNTRUSTED, UNTRUSTED)]
            {
                let word = |action| if let Action::RemoveValue(word) = action { word } else { "v" };
                let value = word(row.inbound);
                let line = format!("{}: {value}", row.header.name());
                let headers = ["X-A: a", &line, "X-B: b"];
                let removes = |action| matches!(action, Action::Remove | Action::RemoveValue(_));
                let is_removed = row.never_crosses
                    || (source == UNTRUSTED && removes(row.inbound))
                    || (destination == UNTRUSTED && removes(row.outbound));
                let expected: &[&str] = if is_removed { &["X-A: a", "X-B: b"] } else { &headers };
                let responses = edited_response(200, &headers, |draft| {
                    apply(draft, source, destination, true, &mut Trace::off());
                });
                assert_eq!(responses, expected, "{} in a response", row.id);
                let expected = if row.scope == Scope::Any { expected } else { &headers };
                assert_eq!(request(&headers, source, destination), expected, "{} in a request", row.id);
            }
        }
    }

    #[test]
    fn an_identity_goes_out_unless_privacy_asks_for_it() {
        const IDENTITY: &str = "P-Asserted-Identity: <sip:+4420@a.example>";
        for (privacy, is_kept) in [
            (None, true),
            (Some("Privacy: none"), true),
            (Some("Privacy: user"), true),
            (Some("Privacy: header;session"), true),
            (Some("Privacy: id"), false),
            (Some("privacy: user; ID ;critical"), false),
            (Some("Privacy: user,id"), false),
            (Some("Privacy: none;id"), false),
        ] {
            let mut headers = vec![IDENTITY, "P-Asserted-Identity: <tel:+4420>", "From: x"];
            headers.extend(privacy);
            let kept: Vec<_> =
                headers.iter().copied().filter(|line| is_kept || !line.starts_with("P-Asserted")).collect();
            assert_eq!(request(&headers, TRUSTED, UNTRUSTED), kept, "{privacy:?}");
            assert_eq!(request(&headers, TRUSTED, TRUSTED), headers, "{privacy:?}");
        }
    }

    #[test]
    fn what_an_untrusted_peer_asserts_is_gone_and_its_privacy_stays() {
        let headers = [
            "P-Asserted-Identity: <sip:a>",
            "p-asserted-identity: <sip:b>",
            "Privacy: id",
            "P-Access-Network-Info: x",
            "P-Charging-Function-Addresses: ccf=1",
            "P-Charging-Vector: icid-value=1",
            "Reason: SIP;cause=200",
            "Priority: emergency",
            "Identity: signed",
        ];
        let expected = [
            "Privacy: id",
            "P-Charging-Vector: icid-value=1",
            "Reason: SIP;cause=200",
            "Priority: emergency",
            "Identity: signed",
        ];
        assert_eq!(request(&headers, UNTRUSTED, TRUSTED), expected);
    }

    #[test]
    fn inside_one_network_nothing_is_removed() {
        let headers = [
            "P-Charging-Function-Addresses: ccf=1",
            "P-Preferred-Identity: <sip:a>",
            "P-Asserted-Identity: x",
        ];
        let out = edited_headers(&headers, |draft| {
            assert_eq!(apply(draft, TRUSTED, TRUSTED, false, &mut Trace::off()), 0);
        });
        assert_eq!(out, headers);
    }

    #[test]
    fn history_entries_that_ask_for_privacy_do_not_go_to_the_untrusted() {
        let headers = [
            "History-Info: <sip:a>;index=1, <sip:b?Privacy=history>;index=1.1,<sip:c>;index=1.2",
            "History-Info: <sip:d?privacy=HISTORY>;index=1.3",
            "To: t",
        ];
        let expected = ["History-Info: <sip:a>;index=1, <sip:c>;index=1.2", "To: t"];
        assert_eq!(request(&headers, TRUSTED, UNTRUSTED), expected);
        assert_eq!(request(&headers, TRUSTED, TRUSTED), headers);
        let whole = ["History-Info: <sip:a>;index=1", "Privacy: history"];
        assert_eq!(request(&whole, TRUSTED, UNTRUSTED), ["Privacy: history"]);
        assert_eq!(request(&whole, TRUSTED, TRUSTED), whole);
    }

    #[test]
    fn each_removal_is_a_step_with_its_row() {
        let mut trace = Trace::on();
        edited_headers(&["P-Served-User: <sip:a>", "To: t"], |draft| {
            assert_eq!(apply(draft, UNTRUSTED, TRUSTED, true, &mut trace), 1);
        });
        let steps = trace.take();
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].outcome, steps[0].clause), ("removed", Some("TB-08")));
        assert_eq!(steps[0].detail, "P-Served-User: <sip:a> (from an untrusted peer)");
    }
}
