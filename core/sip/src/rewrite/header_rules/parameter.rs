//! One parameter of a header value, or of the URI in it: added, set, removed, replaced (RFC 3261 §20.10, §25.1).

use super::super::draft::offset;
use super::super::header_name::HeaderName;
use super::super::text::split_param;
use super::replacement::Replacement;
use super::template::{Bound, Quoting, ShortText, Template};
use super::{Outcome, check_line};
use crate::message::{HeaderId, NameAddr, Uri, UriKind};
use crate::parse::scan;
use crate::snapshot::document::{ParameterChange, ParameterPlace};

/// Headers whose whole value is a list of parameters (RFC 7315 §5.5, §5.6).
const PARAMETERS_ONLY: &[HeaderId] = &[HeaderId::PChargingVector, HeaderId::PChargingFunctionAddresses];

/// What becomes of one parameter.
#[derive(Debug)]
pub(super) struct ParameterEdit {
    place: ParameterPlace,
    name: String,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Add(Template),
    Set(Template),
    Remove,
    Replace(Replacement),
}

impl ParameterEdit {
    /// Compiles it, or says which key of it is wrong and why.
    pub(super) fn compile(
        header: HeaderName<'_>,
        name: &str,
        place: ParameterPlace,
        change: &ParameterChange,
    ) -> Result<Self, (&'static str, String)> {
        if !scan::is_token(name.as_bytes()) {
            return Err(("name", format!("\"{name}\" is not the name of a parameter")));
        }
        if place == ParameterPlace::Uri && PARAMETERS_ONLY.contains(&header.id()) {
            return Err(("in", format!("there is no URI in {}", header.id().name())));
        }
        let text = |value: &str| {
            check_line("value", value)?;
            Template::compile(value, None, Quoting::Later).map_err(|problem| ("value", problem))
        };
        let change = match change {
            ParameterChange::Add { value } => Change::Add(text(value)?),
            ParameterChange::Set { value } => Change::Set(text(value)?),
            ParameterChange::Remove => Change::Remove,
            ParameterChange::Replace { pattern, regex, with } => {
                Change::Replace(Replacement::compile(pattern, *regex, with, Quoting::Later)?)
            }
        };
        Ok(Self { place, name: name.to_owned(), change })
    }

    pub(super) const fn template(&self) -> Option<&Template> {
        match &self.change {
            Change::Add(text) | Change::Set(text) => Some(text),
            Change::Replace(replacement) => Some(&replacement.with),
            Change::Remove => None,
        }
    }

    /// Appends what becomes of one value of the header; that counts only with [`Outcome::Replaced`].
    pub(super) fn apply(&self, id: HeaderId, value: &[u8], bound: &Bound, out: &mut Vec<u8>) -> Outcome {
        match self.place {
            _ if value == b"*" => Outcome::NoMatch, // the Contact of a REGISTER: no address
            ParameterPlace::Header => self.in_header(id, value, bound, out),
            ParameterPlace::Uri => self.in_uri(value, bound, out),
        }
    }

    fn in_header(&self, id: HeaderId, value: &[u8], bound: &Bound, out: &mut Vec<u8>) -> Outcome {
        let is_bare = PARAMETERS_ONLY.contains(&id);
        let start = if is_bare { 0 } else { scan::find_outside(value, b';').unwrap_or(value.len()) };
        let (from, (head, params)) = (out.len(), value.split_at(start));
        out.extend_from_slice(head);
        let outcome = self.edit(params, is_bare, bound, out);
        if out.len() == from { Outcome::Refused("nothing would be left") } else { outcome }
    }

    fn in_uri(&self, value: &[u8], bound: &Bound, out: &mut Vec<u8>) -> Outcome {
        let Ok(address) = NameAddr::parse(value) else { return Outcome::NoMatch };
        let uri = match Uri::parse(address.uri) {
            Ok(uri) if matches!(uri.kind, UriKind::Sip | UriKind::Sips | UriKind::Tel) => uri,
            _ => return Outcome::NoMatch,
        };
        let start = offset(value, address.uri) as usize;
        let end = start + address.uri.len();
        let headers = end - uri.headers.map_or(0, |headers| headers.len() + 1);
        let params = headers - uri.params.as_bytes().len();
        let piece = |from: usize, to: usize| value.get(from..to).unwrap_or_default();
        let from = out.len();
        // Without brackets what stands behind the URI is of the header (§20.10), so one with parameters gets some.
        let brackets: (&[u8], &[u8]) = if address.bracketed { (b"", b"") } else { (b"<", b">") };
        for text in [piece(0, start), brackets.0, piece(start, params)] {
            out.extend_from_slice(text);
        }
        let outcome = self.edit(piece(params, headers), false, bound, out);
        for text in [piece(headers, end), brackets.1, piece(end, value.len())] {
            out.extend_from_slice(text);
        }
        let made = NameAddr::parse(out.get(from..).unwrap_or_default());
        match outcome {
            Outcome::Replaced if made.is_ok_and(|made| Uri::parse(made.uri).is_ok()) => Outcome::Replaced,
            Outcome::Replaced => Outcome::Refused("the result is no address"),
            other => other,
        }
    }

    /// Appends what becomes of a list of parameters, which begins with a semicolon unless it is *bare*.
    fn edit(&self, params: &[u8], is_bare: bool, bound: &Bound, out: &mut Vec<u8>) -> Outcome {
        let (start, mut is_there, mut rest) = (out.len(), false, params);
        let put = |param: &[u8], out: &mut Vec<u8>| {
            if !(is_bare && out.len() == start) {
                out.push(b';');
            }
            out.extend_from_slice(param);
        };
        while !rest.is_empty() {
            let (param, behind) = split_param(rest);
            rest = behind;
            let param = param.strip_prefix(b";").unwrap_or(param);
            let (name, value) = scan::split_where(param, |byte| byte == b'=');
            if !scan::trim(name).eq_ignore_ascii_case(self.name.as_bytes()) {
                put(param, out);
                continue;
            }
            match &self.change {
                Change::Remove => {}
                Change::Set(_) if is_there => {}
                Change::Add(_) => put(param, out),
                Change::Set(text) => {
                    put(name, out);
                    if let Some(why) = self.write_value(&text.text(bound), out) {
                        return Outcome::Refused(why);
                    }
                }
                Change::Replace(replacement) => {
                    put(name, out);
                    let value = scan::trim(value.strip_prefix(b"=").unwrap_or_default());
                    if let Some(why) = self.write_replaced(replacement, value, bound, out) {
                        return Outcome::Refused(why);
                    }
                }
            }
            is_there = true;
        }
        if let (Change::Add(text) | Change::Set(text), false) = (&self.change, is_there) {
            put(self.name.as_bytes(), out);
            if let Some(why) = self.write_value(&text.text(bound), out) {
                return Outcome::Refused(why);
            }
        }
        let is_same = out.get(start..) == Some(params);
        if is_same { Outcome::NoMatch } else { Outcome::Replaced }
    }

    /// Appends `=` and the value, quoted where it has to be; nothing for an empty one. Says why it cannot stand there.
    fn write_value(&self, value: &[u8], out: &mut Vec<u8>) -> Option<&'static str> {
        if value.is_empty() {
            return None;
        }
        out.push(b'=');
        if self.place == ParameterPlace::Uri {
            out.extend_from_slice(value);
            return (!is_uri_parameter(value)).then_some("the value cannot stand in a URI");
        }
        let is_plain = |byte: &u8| scan::is_token_byte(*byte) || matches!(byte, b'[' | b']' | b':');
        if value.iter().all(is_plain) {
            out.extend_from_slice(value);
            return None;
        }
        out.push(b'"');
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        out.push(b'"');
        None
    }

    fn write_replaced(
        &self,
        replacement: &Replacement,
        value: &[u8],
        bound: &Bound,
        out: &mut Vec<u8>,
    ) -> Option<&'static str> {
        let inner = match value {
            [b'"', inner @ .., b'"'] if scan::quoted_length(value) == Some(value.len()) => inner,
            _ => value,
        };
        let mut made = ShortText::new();
        match replacement.apply(bound, inner, &mut |piece| made.extend_from_slice(piece)) {
            Outcome::Refused(why) => Some(why),
            Outcome::Replaced if inner.len() == value.len() => self.write_value(&made, out),
            Outcome::Replaced => {
                out.extend_from_slice(b"=\"");
                out.extend_from_slice(&made);
                out.push(b'"');
                let quoted = out.get(out.len() - made.len() - 2..).unwrap_or_default();
                (scan::quoted_length(quoted) != Some(quoted.len())).then_some("the result breaks its quotes")
            }
            _ if value.is_empty() => None,
            _ => {
                out.push(b'=');
                out.extend_from_slice(value);
                None
            }
        }
    }
}

/// RFC 3261 §25.1 `paramchar`; RFC 3966 §3 has no more for the parameters of a number.
pub(in crate::rewrite) fn is_uri_parameter(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$%".contains(byte))
}
