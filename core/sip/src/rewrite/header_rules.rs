//! The operator's header rules: add, set, remove, replace, copy, rename, and parameters (SC-01 to SC-05).
//!
//! Rules run in order, each on what the ones before it left. A folded value is unfolded before a rule reads it (SEC-12). What
//! a rule makes is one line: a result with a line end or NUL in it, longer than [`VALUE_BYTES_MAX`], or with another tag in
//! From or To than before is refused, and the header stays as it was (SEC-31). Regular expressions are those of the crate
//! `regex`, over bytes: linear in the text, and bounded in size.

use std::ops::Range;

use regex::bytes::Regex;
use smallvec::SmallVec;

use super::draft::{Draft, offset};
use super::header_name::HeaderName;
use super::text::{is_single_line, unfold};
use crate::message::{HeaderId, Method, NameAddr, elements};
use crate::parse::scan;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{HeaderAction, HeaderRule, HeaderRuleSet, Messages, ValueTest};
use crate::trace::{Stage, Step, Trace};

mod parameter;
mod replacement;
mod template;

use parameter::ParameterEdit;
pub(super) use parameter::is_uri_parameter;
pub(super) use replacement::Replacement;
use template::Template;
pub(super) use template::{Bound, Quoting};
pub use template::{ShortText, Variable, VariableValues};

/// No rule makes a longer value (the default bound of a header line, SEC-10).
pub(super) const VALUE_BYTES_MAX: usize = 8_192;
const TOO_LONG: &str = "the result is too long";

/// No rule copies into a message with so many headers: copies of copies would double it with each rule.
const COPIED_HEADERS_MAX: usize = 1_000;

/// Headers that no rule may touch: the border's own business, or nobody's (SC-02).
const UNTOUCHABLE: &[HeaderId] = &[
    HeaderId::Via,
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::MaxForwards,
    HeaderId::ContentLength,
    HeaderId::Authorization,
    HeaderId::WwwAuthenticate,
];

/// Headers of which every message has exactly one, with a tag that names the dialog: only `replace` is for them (SC-04).
const ONLY_REPLACED: &[HeaderId] = &[HeaderId::From, HeaderId::To];

/// Headers whose value is one, whatever commas stand in it; so are those that have no number here.
const WHOLE: &[HeaderId] = &[
    HeaderId::Other,
    HeaderId::Date,
    HeaderId::Subject,
    HeaderId::UserAgent,
    HeaderId::Server,
    HeaderId::Organization,
    HeaderId::ProxyAuthenticate,
    HeaderId::ProxyAuthorization,
    HeaderId::PChargingVector,
    HeaderId::PChargingFunctionAddresses,
];

/// One rule set, ready to run.
#[derive(Debug)]
pub struct HeaderRules {
    id: String,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    id: String,
    messages: Messages,
    methods: Vec<String>,
    statuses: Vec<(u16, u16)>,
    /// The header that changes; of a copy, the one that it becomes.
    header: String,
    values: Option<Test>,
    action: Action,
}

/// Which values are meant.
#[derive(Debug)]
enum Test {
    Equals(Vec<String>),
    Regex(Regex),
}

#[derive(Debug)]
enum Action {
    Add(Template),
    Set(Template),
    Remove,
    Replace(Replacement),
    Copy { from: String, only_first: bool },
    Rename { to: String },
    Parameter(ParameterEdit),
}

/// What came of a rule on one header, or on one value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    NoMatch,
    Replaced,
    /// Nothing of the line is left.
    Emptied,
    Refused(&'static str),
}

impl HeaderRules {
    /// Compiles a rule set.
    ///
    /// # Errors
    ///
    /// A header that rules may not touch or not so, a name or value that cannot stand in a header line, a regular expression
    /// that does not compile, a replacement that names a group which is not there, or a variable that nobody knows.
    pub fn compile(set: &HeaderRuleSet) -> Result<Self, SnapshotError> {
        let rules = set.rules.iter().map(|rule| {
            let place = format!("header_rules[{}].rules[{}]", set.id, rule.id);
            Rule::compile(rule)
                .map_err(|(key, problem)| SnapshotError::value(format!("{place}.{key}"), problem))
        });
        Ok(Self { id: set.id.clone(), rules: rules.collect::<Result<_, _>>()? })
    }

    /// Returns the id of the set.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Runs the rules that are for this message; *method* is that of the `CSeq`.
    pub fn apply(
        &self,
        draft: &mut Draft<'_>,
        method: Method<'_>,
        values: &dyn VariableValues,
        trace: &mut Trace,
    ) {
        let status = draft.message().status().map(|line| line.code);
        for rule in &self.rules {
            if rule.is_for(status, method) {
                rule.apply(draft, values, trace);
            }
        }
    }
}

impl Rule {
    fn compile(rule: &HeaderRule) -> Result<Self, (&'static str, String)> {
        check_header("header", &rule.header)?;
        let header = HeaderName::from(rule.header.as_str());
        if !matches!(rule.action, HeaderAction::Replace { .. }) {
            check_whole(header)?;
        }
        let text = |value: &str| {
            check_line("value", value)?;
            Template::compile(value, None, Quoting::ByPlace).map_err(|problem| ("value", problem))
        };
        let action = match &rule.action {
            HeaderAction::Add { value } => Action::Add(text(value)?),
            HeaderAction::Set { value } => Action::Set(text(value)?),
            HeaderAction::Remove => Action::Remove,
            HeaderAction::Replace { pattern, regex, with } => {
                Action::Replace(Replacement::compile(pattern, *regex, with, Quoting::ByPlace)?)
            }
            HeaderAction::Copy { from, only_first } => {
                check_other("from", from, header)?;
                Action::Copy { from: from.clone(), only_first: *only_first }
            }
            HeaderAction::Rename { to } => {
                check_header("to", to)?;
                check_other("to", to, header)?;
                if ONLY_REPLACED.contains(&HeaderName::from(to.as_str()).id()) {
                    return Err(("to", format!("{to} stands in every message exactly once")));
                }
                Action::Rename { to: to.clone() }
            }
            HeaderAction::Parameter { name, place, change } => {
                Action::Parameter(ParameterEdit::compile(header, name, *place, change)?)
            }
        };
        let values = match (&rule.values, &action) {
            (None, _) => None,
            (Some(_), Action::Add(_) | Action::Set(_)) => {
                return Err(("values", "mean nothing to `add` and `set`".to_owned()));
            }
            (Some(ValueTest::Equals(values)), _) => Some(Test::Equals(values.clone())),
            (Some(ValueTest::Regex(pattern)), _) => {
                Some(Test::Regex(replacement::build(pattern).map_err(|problem| ("values", problem))?))
            }
        };
        Ok(Self {
            id: rule.id.clone(),
            messages: rule.messages,
            methods: rule.methods.clone(),
            statuses: rule.statuses.clone(),
            header: rule.header.clone(),
            values,
            action,
        })
    }

    /// Is it for a message of this method, with this status if it is a response?
    fn is_for(&self, status: Option<u16>, method: Method<'_>) -> bool {
        let is_kind = match self.messages {
            Messages::Any => true,
            Messages::Requests => status.is_none(),
            Messages::Responses => status.is_some(),
        };
        let is_status = self.statuses.is_empty()
            || status.is_some_and(|code| {
                self.statuses.iter().any(|(first, last)| (*first..=*last).contains(&code))
            });
        is_kind
            && is_status
            && (self.methods.is_empty() || self.methods.iter().any(|known| known == method.as_str()))
    }

    fn apply(&self, draft: &mut Draft<'_>, values: &dyn VariableValues, trace: &mut Trace) {
        let name = self.header.as_str();
        let bound = match self.template().map(|template| template.bind(draft, values)) {
            None => Bound::default(),
            Some(Ok(bound)) => bound,
            Some(Err((variable, why))) => {
                return self.step(trace, "skipped", || format!("{} {why}", variable.name()));
            }
        };
        match &self.action {
            Action::Add(text) => {
                self.write(text, &bound, draft, "added", trace, |draft, value| draft.append(name, value));
            }
            Action::Set(text) => {
                self.write(text, &bound, draft, "set", trace, |draft, value| draft.set(name, value));
            }
            Action::Remove if self.values.is_none() => {
                let removed = draft.remove_all(name);
                if removed > 0 {
                    self.step(trace, "removed", || format!("{removed} header(s)"));
                }
            }
            Action::Remove => {
                self.edit(draft, "removed", trace, Self::without);
            }
            Action::Replace(replacement) if self.values.is_none() => {
                self.edit(draft, "replaced", trace, |_, _, value, out| {
                    replacement.apply(&bound, value, &mut |piece| out.extend_from_slice(piece))
                });
            }
            Action::Replace(replacement) => self.edit(draft, "replaced", trace, |rule, id, value, out| {
                rule.edit_each(id, value, out, |value, out| {
                    replacement.apply(&bound, value, &mut |piece| out.extend_from_slice(piece))
                })
            }),
            Action::Parameter(parameter) => self.edit(draft, "replaced", trace, |rule, id, value, out| {
                rule.edit_each(id, value, out, |value, out| parameter.apply(id, value, &bound, out))
            }),
            Action::Copy { from, only_first } => {
                let copied = self.copy(draft, from, name, *only_first, trace);
                if copied > 0 {
                    self.step(trace, "copied", || format!("{copied} value(s) of {from}"));
                }
            }
            Action::Rename { to } => self.rename(draft, to, trace),
        }
    }

    const fn template(&self) -> Option<&Template> {
        match &self.action {
            Action::Add(text) | Action::Set(text) => Some(text),
            Action::Replace(replacement) => Some(&replacement.with),
            Action::Parameter(parameter) => parameter.template(),
            Action::Remove | Action::Copy { .. } | Action::Rename { .. } => None,
        }
    }

    /// Writes a header of its own.
    fn write(
        &self,
        template: &Template,
        bound: &Bound,
        draft: &mut Draft<'_>,
        outcome: &'static str,
        trace: &mut Trace,
        put: impl FnOnce(&mut Draft<'_>, &[u8]) -> bool,
    ) {
        let made;
        let value = if let Some(fixed) = template.fixed() {
            fixed
        } else {
            made = template.text(bound);
            made.as_slice()
        };
        if value.len() > VALUE_BYTES_MAX {
            return self.step(trace, "refused", || TOO_LONG.to_owned());
        }
        if put(draft, value) {
            self.step(trace, outcome, || String::from_utf8_lossy(value).into_owned());
        }
    }

    /// Gives each header of the name the value that *make* makes of the one it has.
    fn edit(
        &self,
        draft: &mut Draft<'_>,
        done: &'static str,
        trace: &mut Trace,
        make: impl Fn(&Self, HeaderId, &[u8], &mut Vec<u8>) -> Outcome,
    ) {
        let name = HeaderName::from(self.header.as_str());
        let mut at = 0;
        while let Some(header) = draft.header_at(at) {
            if !name.matches(header.id, header.name) {
                at += 1;
                continue;
            }
            let (mut outcome, id) = (Outcome::NoMatch, header.id);
            draft.edit_value(at, |value, out| {
                outcome = self.make(id, value, out, &make);
                matches!(outcome, Outcome::Replaced)
            });
            match outcome {
                Outcome::NoMatch => {}
                Outcome::Replaced => self.step(trace, done, || {
                    draft
                        .header_at(at)
                        .map(|header| String::from_utf8_lossy(header.value).into_owned())
                        .unwrap_or_default()
                }),
                Outcome::Emptied => {
                    draft.remove_at(at);
                    self.step(trace, done, || "the whole header".to_owned());
                    continue;
                }
                Outcome::Refused(why) => self.step(trace, "refused", || why.to_owned()),
            }
            at += 1;
        }
    }

    /// Makes the new value of a header; whatever is in *out* counts only with [`Outcome::Replaced`].
    fn make(
        &self,
        id: HeaderId,
        value: &[u8],
        out: &mut Vec<u8>,
        make: &impl Fn(&Self, HeaderId, &[u8], &mut Vec<u8>) -> Outcome,
    ) -> Outcome {
        let unfolded;
        let value = if is_single_line(value) {
            value
        } else {
            let mut text = Vec::with_capacity(value.len());
            unfold(value, &mut text);
            unfolded = text;
            &unfolded
        };
        match make(self, id, value, out) {
            Outcome::Replaced if out.len() > VALUE_BYTES_MAX => Outcome::Refused(TOO_LONG),
            Outcome::Replaced if !is_single_line(out) => {
                Outcome::Refused("the result holds a line end or NUL")
            }
            Outcome::Replaced if ONLY_REPLACED.contains(&id) && !has_same_tag(value, out) => {
                Outcome::Refused("the result has another tag, or is no address")
            }
            outcome => outcome,
        }
    }

    /// Edits the values of a line that are meant; the others stay as written, with what stands between them.
    fn edit_each(
        &self,
        id: HeaderId,
        line: &[u8],
        out: &mut Vec<u8>,
        edit: impl Fn(&[u8], &mut Vec<u8>) -> Outcome,
    ) -> Outcome {
        let (mut copied, mut result) = (0, Outcome::NoMatch);
        for span in spans(id, line) {
            let value = line.get(span.clone()).unwrap_or_default();
            if !self.means(value) {
                continue;
            }
            let before = out.len();
            out.extend_from_slice(line.get(copied..span.start).unwrap_or_default());
            match edit(value, out) {
                Outcome::Replaced => (copied, result) = (span.end, Outcome::Replaced),
                other => {
                    out.truncate(before);
                    if result == Outcome::NoMatch {
                        result = other;
                    }
                }
            }
        }
        out.extend_from_slice(line.get(copied..).unwrap_or_default());
        result
    }

    /// Leaves the values of a line that are not meant.
    fn without(&self, id: HeaderId, line: &[u8], out: &mut Vec<u8>) -> Outcome {
        let (mut kept, mut is_changed) = (0, false);
        for span in spans(id, line) {
            let value = line.get(span).unwrap_or_default();
            if self.means(value) {
                is_changed = true;
                continue;
            }
            if kept > 0 {
                out.extend_from_slice(b", ");
            }
            kept += 1;
            out.extend_from_slice(value);
        }
        match (is_changed, kept) {
            (false, _) => Outcome::NoMatch,
            (true, 0) => Outcome::Emptied,
            (true, _) => Outcome::Replaced,
        }
    }

    /// Adds the values of the header *from* that are meant as headers named *to*; returns how many.
    fn copy(
        &self,
        draft: &mut Draft<'_>,
        from: &str,
        to: &str,
        only_first: bool,
        trace: &mut Trace,
    ) -> usize {
        let name = HeaderName::from(from);
        let (mut at, mut copied) = (0, 0);
        while let Some(header) = draft.header_at(at) {
            if !name.matches(header.id, header.name) {
                at += 1;
                continue;
            }
            let parts: SmallVec<[Range<usize>; 4]> = if self.values.is_none() && !only_first {
                smallvec::smallvec![0..header.value.len()]
            } else {
                let is_meant =
                    |span: &Range<usize>| self.means(header.value.get(span.clone()).unwrap_or_default());
                spans(header.id, header.value)
                    .filter(is_meant)
                    .take(if only_first { 1 } else { usize::MAX })
                    .collect()
            };
            for part in parts {
                if draft.header_count() >= COPIED_HEADERS_MAX {
                    self.step(trace, "refused", || "there are too many headers".to_owned());
                    return copied;
                }
                let Some(inserted) = draft.append_copy(at, &part, to) else { return copied };
                at += usize::from(inserted <= at);
                copied += 1;
                if only_first {
                    return copied;
                }
            }
            at += 1;
        }
        copied
    }

    fn rename(&self, draft: &mut Draft<'_>, to: &str, trace: &mut Trace) {
        let from = self.header.as_str();
        if self.values.is_some() {
            if self.copy(draft, from, to, false, trace) > 0 {
                self.edit(draft, "renamed", trace, Self::without);
            }
            return;
        }
        let (name, mut renamed) = (HeaderName::from(from), 0);
        for at in 0..draft.header_count() {
            if draft.header_at(at).is_some_and(|header| name.matches(header.id, header.name))
                && draft.rename(at, to)
            {
                renamed += 1;
            }
        }
        if renamed > 0 {
            self.step(trace, "renamed", || format!("{renamed} header(s) to {to}"));
        }
    }

    fn means(&self, value: &[u8]) -> bool {
        match &self.values {
            None => true,
            Some(Test::Equals(known)) => {
                known.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(value))
            }
            Some(Test::Regex(regex)) => regex.is_match(value),
        }
    }

    fn step(&self, trace: &mut Trace, outcome: &'static str, detail: impl FnOnce() -> String) {
        trace.step(|| Step {
            stage: Stage::Rewrite,
            rule: Some(self.id.clone()),
            outcome,
            detail: format!("{}: {}", self.header, detail()),
            clause: Some("SC-01"),
        });
    }
}

/// Where the values of a line stand; one that is no list has one.
fn spans(id: HeaderId, line: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let (whole, list) = if WHOLE.contains(&id) { (Some(line), &[][..]) } else { (None, line) };
    let values = whole.into_iter().chain(elements(list)).filter(|value| !value.is_empty());
    values.map(move |value| {
        let start = offset(line, value) as usize;
        start..start + value.len()
    })
}

/// Must fit on one header line.
fn check_line(key: &'static str, text: &str) -> Result<(), (&'static str, String)> {
    let is_fit = is_single_line(text.as_bytes()) && text.len() <= VALUE_BYTES_MAX;
    if is_fit { Ok(()) } else { Err((key, "must fit on one header line".to_owned())) }
}

fn check_header(key: &'static str, name: &str) -> Result<(), (&'static str, String)> {
    if !scan::is_token(name.as_bytes()) {
        return Err((key, format!("\"{name}\" is not a header name")));
    }
    let id = HeaderName::from(name).id();
    if UNTOUCHABLE.contains(&id) {
        let problem = format!("no rule may touch {}: the border or the end points need it", id.name());
        return Err((key, problem));
    }
    Ok(())
}

/// A header that may only be edited in part.
fn check_whole(header: HeaderName<'_>) -> Result<(), (&'static str, String)> {
    if !ONLY_REPLACED.contains(&header.id()) {
        return Ok(());
    }
    let name = header.id().name();
    Err(("action", format!("{name} stands in every message exactly once: only `replace` is for it")))
}

/// What a hook may do to a header and its *value* is what a rule may that edits it as a whole.
pub(super) fn check_edit(header: &str, value: &str) -> Result<(), String> {
    let checked = check_header("header", header)
        .and_then(|()| check_whole(HeaderName::from(header)))
        .and_then(|()| check_line("value", value));
    checked.map_err(|(key, problem)| match key {
        "value" => format!("the value of {header} {problem}"),
        _ => problem,
    })
}

fn check_other(key: &'static str, name: &str, header: HeaderName<'_>) -> Result<(), (&'static str, String)> {
    if !scan::is_token(name.as_bytes()) {
        return Err((key, format!("\"{name}\" is not a header name")));
    }
    let other = HeaderName::from(name);
    if header.matches(other.id(), other.text()) {
        return Err((key, "is the same header".to_owned()));
    }
    Ok(())
}

fn has_same_tag(before: &[u8], after: &[u8]) -> bool {
    match (NameAddr::parse(before), NameAddr::parse(after)) {
        (Ok(before), Ok(after)) => before.tag() == after.tag(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
