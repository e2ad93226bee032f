//! P-Charging-Vector (RFC 7315 §4.6; TS 24.229 §4.5; EX-15, EX-16, EN-14, EN-26 to EN-28; CH-01 to CH-09 of the numbering
//! and charging requirements).
//!
//! | message  | vector received        | what leaves                                                              |
//! |----------|------------------------|--------------------------------------------------------------------------|
//! | request  | from a trusted source  | the same ICID; our `orig-ioi` if one is agreed; never a `term-ioi`       |
//! | request  | none, or not to be used | a new vector with the ICID given                                        |
//! | response | from a trusted source  | the ICID of the request; its `orig-ioi`; our `term-ioi` if one is agreed |
//! | response | none, or not to be used | 101 to 299 with an `orig-ioi` or `term-ioi` to write: a new vector     |
//! | 100      | any                    | none                                                                     |
//!
//! In all of them: a value of type 3 (an application server's) never crosses, nor do `access-network-charging-info` and
//! `fe-identifier`; the parameters that the agreement names are taken out, and with `icid-value` among them the whole header,
//! which means nothing without it. Parameters that nothing here is about stay as written. `transit-ioi` passes: this border
//! is no transit function yet (EX-35 to EX-38).

use super::draft::Draft;
use super::text::{is_single_line, split_param};
use crate::message::HeaderId;
use crate::parse::scan;
use crate::snapshot::document::Charging;
use crate::trace::{Stage, Step, Trace};

/// Parameters that stay in the network whose they are (EX-16, CH-08).
const NEVER_CROSS: [&str; 2] = ["access-network-charging-info", "fe-identifier"];

/// The vector of one message, for reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChargingVector<'a> {
    /// Identifies the call over all networks; what the quotes hold, if it is quoted.
    pub icid: &'a [u8],
    /// Who made the ICID.
    pub generated_at: Option<&'a [u8]>,
    /// The originating network.
    pub orig_ioi: Option<&'a [u8]>,
    /// The terminating network.
    pub term_ioi: Option<&'a [u8]>,
}

/// What a request told about charging.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestCharging {
    /// The ICID of the call, with which the request leaves (unless the vector is withheld).
    pub icid: Option<String>,
    /// The `orig-ioi` with which it came from a trusted source.
    pub orig_ioi: Option<String>,
}

/// What a response told about charging.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseCharging {
    /// The `term-ioi` with which it came from a trusted source.
    pub term_ioi: Option<String>,
}

impl<'a> ChargingVector<'a> {
    /// Reads the value of the header; `None` if it has no usable `icid-value`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut vector = Self::default();
        for (name, value, _) in parameters(value) {
            match name {
                _ if name.eq_ignore_ascii_case(b"icid-value") => vector.icid = value,
                _ if name.eq_ignore_ascii_case(b"icid-generated-at") => vector.generated_at = Some(value),
                _ if name.eq_ignore_ascii_case(b"orig-ioi") => vector.orig_ioi = Some(value),
                _ if name.eq_ignore_ascii_case(b"term-ioi") => vector.term_ioi = Some(value),
                _ => {}
            }
        }
        (!vector.icid.is_empty() && is_single_line(vector.icid)).then_some(vector)
    }
}

/// Prepares the vector of a request for the peer with which *charging* is agreed.
///
/// *new_icid* and *generated_at* (a host) are for a request without a vector that we may believe (EN-14, EN-27).
pub fn apply_request(
    draft: &mut Draft<'_>,
    charging: &Charging,
    trusted_source: bool,
    new_icid: impl FnOnce() -> String,
    generated_at: &str,
    trace: &mut Trace,
) -> RequestCharging {
    let received = take_usable(draft, trusted_source, trace, |vector| RequestCharging {
        icid: Some(text(vector.icid)),
        orig_ioi: vector.orig_ioi.map(text),
    });
    let facts = received.unwrap_or_else(|| {
        let new_icid = new_icid();
        if !is_withheld(charging) {
            let mut value = Vec::new();
            write_parameter("icid-value", &new_icid, &mut value);
            write_parameter("icid-generated-at", generated_at, &mut value);
            draft.append(HeaderId::PChargingVector, &value);
            step(trace, "added", || format!("a new vector with icid-value {new_icid}"), "EN-27, CH-02");
        }
        RequestCharging { icid: Some(new_icid), orig_ioi: None }
    });
    let edits =
        Edits { charging, icid: None, orig_ioi: charging.orig_ioi.as_deref().into(), term_ioi: Ioi::Remove };
    edits.apply(draft, trace);
    facts
}

/// Prepares the vector of a response for the peer with which *charging* is agreed. *icid* and *`orig_ioi`* are what
/// [`apply_request`] returned for its request; without them, what the response brings stays.
pub fn apply_response(
    draft: &mut Draft<'_>,
    charging: &Charging,
    trusted_source: bool,
    icid: Option<&str>,
    orig_ioi: Option<&str>,
    trace: &mut Trace,
) -> ResponseCharging {
    let status = draft.message().status().map_or(0, |line| line.code);
    if status <= 100 {
        draft.remove_all(HeaderId::PChargingVector); // EN-28
        return ResponseCharging::default();
    }
    let received = take_usable(draft, trusted_source, trace, |vector| ResponseCharging {
        term_ioi: vector.term_ioi.map(text),
    });
    let has_names = orig_ioi.is_some() || charging.term_ioi.is_some();
    if let (None, Some(icid), 101..=299, true, false) =
        (&received, icid, status, has_names, is_withheld(charging))
    {
        let mut value = Vec::new();
        write_parameter("icid-value", icid, &mut value);
        draft.append(HeaderId::PChargingVector, &value);
        step(trace, "added", || format!("a vector with icid-value {icid}"), "EN-27, EN-28");
    }
    let orig_ioi = match (orig_ioi, icid) {
        (Some(name), _) => Ioi::Write(name),
        (None, Some(_)) => Ioi::Remove,
        (None, None) => Ioi::Keep,
    };
    Edits { charging, icid, orig_ioi, term_ioi: charging.term_ioi.as_deref().into() }.apply(draft, trace);
    received.unwrap_or_default()
}

/// Leaves at most one vector, and only one that can be believed and read. Returns what *read* makes of it.
fn take_usable<F>(
    draft: &mut Draft<'_>,
    trusted_source: bool,
    trace: &mut Trace,
    read: impl Fn(&ChargingVector<'_>) -> F,
) -> Option<F> {
    let mut facts = None;
    let removed = draft.retain(HeaderId::PChargingVector.bit(), |header| {
        let is_wanted = trusted_source && facts.is_none();
        let vector = is_wanted.then(|| ChargingVector::parse(header.value)).flatten();
        facts = facts.take().or_else(|| vector.as_ref().map(&read));
        vector.is_some()
    });
    if removed > 0 {
        let why =
            if trusted_source { "more than one, or without icid-value" } else { "from an untrusted peer" };
        step(trace, "removed", || format!("{removed} header(s) {why}"), "EN-14, TB-23");
    }
    facts
}

/// What is to become of an inter-operator identifier.
#[derive(Clone, Copy)]
enum Ioi<'a> {
    /// As it is, unless it is of type 3.
    Keep,
    Remove,
    Write(&'a str),
}

impl<'a> From<Option<&'a str>> for Ioi<'a> {
    fn from(name: Option<&'a str>) -> Self {
        name.map_or(Self::Keep, Self::Write)
    }
}

struct Edits<'a> {
    charging: &'a Charging,
    /// Replaces the `icid-value`.
    icid: Option<&'a str>,
    orig_ioi: Ioi<'a>,
    term_ioi: Ioi<'a>,
}

impl Edits<'_> {
    fn apply(&self, draft: &mut Draft<'_>, trace: &mut Trace) {
        let Some(at) = draft.first(HeaderId::PChargingVector).map(|header| header.at) else { return };
        if is_withheld(self.charging) {
            draft.remove_all(HeaderId::PChargingVector);
            return step(trace, "removed", || "the whole header, as agreed".to_owned(), "EX-15");
        }
        let is_edited = draft.edit_value(at, |value, out| {
            self.write(value, out);
            out.as_slice() != value
        });
        if is_edited {
            let value = || draft.header_at(at).map(|header| text(header.value)).unwrap_or_default();
            step(trace, "rewritten", value, "EX-15, EX-16, CH-06");
        }
    }

    fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        let (mut has_orig, mut has_term) = (false, false);
        for (name, value, written) in parameters(value) {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("icid-value") {
                match self.icid.filter(|icid| icid.as_bytes() != value) {
                    Some(icid) => write_parameter("icid-value", icid, out),
                    None => keep(written, out),
                }
            } else if NEVER_CROSS.iter().any(|name| is(name)) || self.is_removed(name) {
                // stays here
            } else if is("orig-ioi") {
                has_orig = has_orig || write_ioi("orig-ioi", self.orig_ioi, value, written, out);
            } else if is("term-ioi") {
                has_term = has_term || write_ioi("term-ioi", self.term_ioi, value, written, out);
            } else {
                keep(written, out);
            }
        }
        for (name, ioi, is_there) in
            [("orig-ioi", self.orig_ioi, has_orig), ("term-ioi", self.term_ioi, has_term)]
        {
            if let (Ioi::Write(own), false, false) = (ioi, is_there, self.is_removed(name.as_bytes())) {
                write_parameter(name, own, out);
            }
        }
    }

    fn is_removed(&self, name: &[u8]) -> bool {
        self.charging.removed_parameters.iter().any(|removed| name.eq_ignore_ascii_case(removed.as_bytes()))
    }
}

/// Writes what becomes of the identifier that is there; returns whether one is there now.
fn write_ioi(name: &str, ioi: Ioi<'_>, value: &[u8], written: &[u8], out: &mut Vec<u8>) -> bool {
    match ioi {
        Ioi::Write(own) if own.as_bytes() != value => write_parameter(name, own, out),
        Ioi::Remove => return false,
        // CH-05, CH-06: type 3 is an application server's, and stays in its network
        Ioi::Keep if value.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"Type 3")) => {
            return false;
        }
        Ioi::Write(_) | Ioi::Keep => keep(written, out),
    }
    true
}

/// Is the vector not to be sent at all?
fn is_withheld(charging: &Charging) -> bool {
    charging.removed_parameters.iter().any(|name| name.eq_ignore_ascii_case("icid-value"))
}

/// Walks over the parameters: name, value without quotes, and the text as written without its semicolon.
fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    let mut rest = value;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (text, behind) = split_param(rest);
            rest = behind;
            let written = text.strip_prefix(b";").unwrap_or(text);
            let end = memchr::memchr(b'=', written).unwrap_or(written.len());
            let (name, value) = written.split_at(end);
            let value = scan::trim(value.strip_prefix(b"=").unwrap_or_default());
            let inner = match value {
                [b'"', inner @ .., b'"'] => inner,
                _ => value,
            };
            let name = scan::trim(name);
            if !name.is_empty() {
                return Some((name, inner, written));
            }
        }
        None
    })
}

fn keep(written: &[u8], out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b';');
    }
    out.extend_from_slice(written);
}

/// Appends a parameter, quoted if its value is neither a token nor a host (RFC 3261 §25.1, `gen-value`).
fn write_parameter(name: &str, value: &str, out: &mut Vec<u8>) {
    keep(name.as_bytes(), out);
    out.push(b'=');
    let is_plain = |byte: u8| scan::is_token_byte(byte) || matches!(byte, b'[' | b']' | b':');
    if !value.is_empty() && value.bytes().all(is_plain) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in value.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn step(trace: &mut Trace, outcome: &'static str, detail: impl FnOnce() -> String, clause: &'static str) {
    trace.step(|| Step {
        stage: Stage::Rewrite,
        rule: None,
        outcome,
        detail: format!("P-Charging-Vector: {}", detail()),
        clause: Some(clause),
    });
}

#[cfg(test)]
mod tests;
