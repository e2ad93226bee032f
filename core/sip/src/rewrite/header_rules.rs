//! The operator's header rules: add, set, remove, replace (SC-01 to SC-05).
//!
//! Rules run in order, each on what the ones before it left. A folded value is unfolded before a rule reads it (SEC-12). What
//! a rule makes is one line: a result with a line end or NUL in it, longer than [`VALUE_BYTES_MAX`], or with another tag in
//! From or To than before is refused, and the header stays as it was (SEC-31). Regular expressions are those of the crate
//! `regex`, over bytes: linear in the text, and bounded in size.

use memchr::memmem::Finder;
use regex::bytes::{Captures, Regex, RegexBuilder};

use super::draft::{Draft, HeaderName};
use super::text::{is_single_line, unfold};
use crate::message::{HeaderId, Method, NameAddr};
use crate::parse::scan;
use crate::snapshot::SnapshotError;
use crate::snapshot::document::{HeaderAction, HeaderRule, HeaderRuleSet, Messages};
use crate::trace::{Stage, Step, Trace};

/// No rule makes a longer value (the default bound of a header line, SEC-10).
pub(super) const VALUE_BYTES_MAX: usize = 8_192;

/// Compiled size of one regular expression.
const REGEX_BYTES_MAX: usize = 256 * 1024;

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
    header: String,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Add(Vec<u8>),
    Set(Vec<u8>),
    Remove,
    ReplaceText { finder: Box<Finder<'static>>, with: Vec<u8> },
    ReplaceRegex { regex: Regex, with: Vec<Part> },
}

/// A piece of what a regular expression puts in place of a match.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

/// What came of a rule on one header.
enum Outcome {
    NoMatch,
    Replaced,
    Refused(&'static str),
}

impl HeaderRules {
    /// Compiles a rule set.
    ///
    /// # Errors
    ///
    /// A header that rules may not touch or not so, a name or value that cannot stand in a header line, a regular expression
    /// that does not compile, or a replacement that names a group which is not there.
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
    pub fn apply(&self, draft: &mut Draft<'_>, is_request: bool, method: Method<'_>, trace: &mut Trace) {
        for rule in &self.rules {
            if rule.is_for(is_request, method) {
                rule.apply(draft, trace);
            }
        }
    }
}

impl Rule {
    fn compile(rule: &HeaderRule) -> Result<Self, (&'static str, String)> {
        let id = HeaderName::from(rule.header.as_str()).id();
        let is_replace = matches!(rule.action, HeaderAction::Replace { .. });
        if !scan::is_token(rule.header.as_bytes()) {
            return Err(("header", format!("\"{}\" is not a header name", rule.header)));
        }
        if UNTOUCHABLE.contains(&id) {
            return Err((
                "header",
                format!("no rule may touch {}: the border or the end points need it", id.name()),
            ));
        }
        if ONLY_REPLACED.contains(&id) && !is_replace {
            let problem =
                format!("{} stands in every message exactly once: only `replace` is for it", id.name());
            return Err(("action", problem));
        }
        let line = |key: &'static str, text: &str| {
            let is_fit = is_single_line(text.as_bytes()) && text.len() <= VALUE_BYTES_MAX;
            is_fit
                .then(|| text.as_bytes().to_vec())
                .ok_or_else(|| (key, "must fit on one header line".to_owned()))
        };
        let action = match &rule.action {
            HeaderAction::Add { value } => Action::Add(line("value", value)?),
            HeaderAction::Set { value } => Action::Set(line("value", value)?),
            HeaderAction::Remove => Action::Remove,
            HeaderAction::Replace { pattern, .. } if pattern.is_empty() => {
                return Err(("pattern", "is empty: say what to look for".to_owned()));
            }
            HeaderAction::Replace { pattern, regex: false, with } => {
                let finder = Box::new(Finder::new(pattern.as_bytes()).into_owned());
                Action::ReplaceText { finder, with: line("with", with)? }
            }
            HeaderAction::Replace { pattern, regex: true, with } => {
                let regex = build(pattern).map_err(|error| ("pattern", error.to_string()))?;
                line("with", with)?;
                let with = template(with, &regex).map_err(|problem| ("with", problem))?;
                Action::ReplaceRegex { regex, with }
            }
        };
        let (messages, methods) = (rule.messages, rule.methods.clone());
        Ok(Self { id: rule.id.clone(), messages, methods, header: rule.header.clone(), action })
    }

    fn is_for(&self, is_request: bool, method: Method<'_>) -> bool {
        let is_kind = match self.messages {
            Messages::Any => true,
            Messages::Requests => is_request,
            Messages::Responses => !is_request,
        };
        is_kind && (self.methods.is_empty() || self.methods.iter().any(|known| known == method.as_str()))
    }

    fn apply(&self, draft: &mut Draft<'_>, trace: &mut Trace) {
        let name = self.header.as_str();
        match &self.action {
            Action::Add(value) => {
                draft.append(name, value);
                self.step(trace, "added", || String::from_utf8_lossy(value).into_owned());
            }
            Action::Set(value) => {
                draft.set(name, value);
                self.step(trace, "set", || String::from_utf8_lossy(value).into_owned());
            }
            Action::Remove => {
                let removed = draft.remove_all(name);
                if removed > 0 {
                    self.step(trace, "removed", || format!("{removed} header(s)"));
                }
            }
            Action::ReplaceText { .. } | Action::ReplaceRegex { .. } => self.replace(draft, trace),
        }
    }

    fn replace(&self, draft: &mut Draft<'_>, trace: &mut Trace) {
        let name = HeaderName::from(self.header.as_str());
        for at in 0..draft.header_count() {
            let Some(header) = draft.header_at(at).filter(|header| name.matches(header.id, header.name))
            else {
                continue;
            };
            let (mut outcome, id) = (Outcome::NoMatch, header.id);
            draft.edit_value(at, |value, out| {
                outcome = self.make(id, value, out);
                matches!(outcome, Outcome::Replaced)
            });
            match outcome {
                Outcome::NoMatch => {}
                Outcome::Replaced => self.step(trace, "replaced", || {
                    draft
                        .header_at(at)
                        .map(|header| String::from_utf8_lossy(header.value).into_owned())
                        .unwrap_or_default()
                }),
                Outcome::Refused(why) => self.step(trace, "refused", || why.to_owned()),
            }
        }
    }

    /// Makes the new value of a header; whatever is in *out* counts only with [`Outcome::Replaced`].
    fn make(&self, id: HeaderId, value: &[u8], out: &mut Vec<u8>) -> Outcome {
        let unfolded;
        let value = if is_single_line(value) {
            value
        } else {
            let mut text = Vec::with_capacity(value.len());
            unfold(value, &mut text);
            unfolded = text;
            &unfolded
        };
        let is_matched = match &self.action {
            Action::ReplaceText { finder, with } => replace_text(finder, with, value, out),
            Action::ReplaceRegex { regex, with } => replace_regex(regex, with, value, out),
            _ => false,
        };
        if !is_matched {
            return Outcome::NoMatch;
        }
        if out.len() > VALUE_BYTES_MAX {
            return Outcome::Refused("the result is too long");
        }
        if !is_single_line(out) {
            return Outcome::Refused("the result holds a line end or NUL");
        }
        if ONLY_REPLACED.contains(&id) && !has_same_tag(value, out) {
            return Outcome::Refused("the result has another tag, or is no address");
        }
        Outcome::Replaced
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

fn has_same_tag(before: &[u8], after: &[u8]) -> bool {
    match (NameAddr::parse(before), NameAddr::parse(after)) {
        (Ok(before), Ok(after)) => before.tag() == after.tag(),
        _ => false,
    }
}

/// Bytes, not characters: otherwise a sender could hide text from `.` behind a byte that is not UTF-8.
fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
}

fn replace_text(finder: &Finder<'_>, with: &[u8], value: &[u8], out: &mut Vec<u8>) -> bool {
    let mut copied = 0;
    for at in finder.find_iter(value) {
        out.extend_from_slice(value.get(copied..at).unwrap_or_default());
        out.extend_from_slice(with);
        copied = at + finder.needle().len();
        if out.len() > VALUE_BYTES_MAX {
            break;
        }
    }
    out.extend_from_slice(value.get(copied..).unwrap_or_default());
    copied > 0
}

fn replace_regex(regex: &Regex, with: &[Part], value: &[u8], out: &mut Vec<u8>) -> bool {
    // Most headers do not match; `is_match` tells without room for captures.
    if !regex.is_match(value) {
        return false;
    }
    let mut copied = 0;
    for captures in regex.captures_iter(value) {
        let Some(whole) = captures.get(0) else { continue };
        out.extend_from_slice(value.get(copied..whole.start()).unwrap_or_default());
        for part in with {
            part.write(&captures, out);
        }
        copied = whole.end();
        if out.len() > VALUE_BYTES_MAX {
            break;
        }
    }
    out.extend_from_slice(value.get(copied..).unwrap_or_default());
    true
}

impl Part {
    fn write(&self, captures: &Captures<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Group(group) => {
                out.extend_from_slice(captures.get(*group).map_or(&b""[..], |found| found.as_bytes()));
            }
        }
    }
}

/// Reads `$1`, `$name`, `${name}` and `$$`. A number ends with its digits, so `$1x` is the first group and an `x`.
fn template(with: &str, regex: &Regex) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        let (text, behind) = rest.split_at(at);
        push_text(text, &mut parts);
        let behind = &behind[1..];
        if let Some(tail) = behind.strip_prefix('$') {
            push_text("$", &mut parts);
            rest = tail;
            continue;
        }
        let (name, tail) = if let Some(braced) = behind.strip_prefix('{') {
            braced.split_once('}').ok_or("`${` without `}`")?
        } else {
            let is_number = behind.starts_with(|first: char| first.is_ascii_digit());
            let is_part = |letter: char| {
                letter.is_ascii_digit() || (!is_number && (letter.is_ascii_alphabetic() || letter == '_'))
            };
            behind.split_at(behind.find(|letter| !is_part(letter)).unwrap_or(behind.len()))
        };
        let group = match name.parse::<usize>() {
            Ok(number) => Some(number).filter(|number| *number < regex.captures_len()),
            Err(_) => regex.capture_names().position(|known| known == Some(name)),
        };
        parts
            .push(Part::Group(group.ok_or_else(|| {
                format!("the pattern has no group \"{name}\"; write $$ for a dollar sign")
            })?));
        rest = tail;
    }
    push_text(rest, &mut parts);
    Ok(parts)
}

fn push_text(text: &str, parts: &mut Vec<Part>) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.extend_from_slice(text.as_bytes()),
        _ => parts.push(Part::Text(text.as_bytes().to_vec())),
    }
}

#[cfg(test)]
mod tests;
