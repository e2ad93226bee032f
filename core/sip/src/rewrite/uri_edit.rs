//! A URI changed as a rule of `routes` says: its number, user part, form, host, parameters (RFC 3261 §19.1, RFC 3966).
//!
//! Each change works on what the one before left. What would be no URI any more, or another one than was meant, is an error:
//! whoever asked decides what becomes of the request.

use super::header_rules::{Bound, Outcome, Quoting, Replacement, is_uri_parameter};
use super::text::split_param;
use crate::message::{Params, Uri, UriKind};
use crate::parse::scan;
use crate::snapshot::document::{self, UriForm};

/// E.164: no global number has more.
const DIGITS_MAX: usize = 15;

/// What is changed in a URI.
#[derive(Debug)]
pub struct UriEdit {
    number: Option<NumberEdit>,
    user: Option<Replacement>,
    form: Option<UriForm>,
    host: Option<Vec<u8>>,
    removed: Vec<String>,
    set: Vec<(String, String)>,
}

/// Digits that go from the front of a number, and what comes there.
#[derive(Clone, Debug)]
pub struct NumberEdit {
    strip: usize,
    prefix: Vec<u8>,
}

/// What came of an edit: the new text, nothing when it stays as it is, or why there is none.
type Edited = Result<Option<Vec<u8>>, &'static str>;

/// The parts of a URI, each as written.
struct Parts {
    kind: UriKind,
    scheme: Vec<u8>,
    /// What stands before the host; of a tel URI, the number.
    user: Option<Vec<u8>>,
    password: Option<Vec<u8>>,
    /// Host and port.
    address: Vec<u8>,
    /// With the semicolon before each.
    params: Vec<u8>,
    headers: Option<Vec<u8>>,
}

impl UriEdit {
    /// Compiles the changes; says which key is wrong and why. Nothing is to be changed when there are none.
    pub fn compile(rewrite: &document::Rewrite) -> Result<Option<Self>, (&'static str, String)> {
        let user = match &rewrite.user {
            None => None,
            Some(edit) => {
                Some(Replacement::compile(&edit.pattern, true, &edit.with, Quoting::Later).map_err(
                    |(key, problem)| {
                        if key == "with" { ("user.with", problem) } else { ("user.pattern", problem) }
                    },
                )?)
            }
        };
        if user.as_ref().is_some_and(|user| user.with.has_variables()) {
            return Err(("user.with", "there are no variables here".to_owned()));
        }
        let is_host = |host: &str| {
            Uri::parse(format!("sip:{host}").as_bytes()).is_ok_and(|uri| uri.host == host.as_bytes())
        };
        match &rewrite.host {
            Some(host) if !is_host(host) => return Err(("host", "is no host".to_owned())),
            None if rewrite.form == Some(UriForm::Sip) => {
                return Err(("host", "missing: a sip URI has one".to_owned()));
            }
            _ => {}
        }
        for name in rewrite.set_parameters.iter().map(|(name, _)| name).chain(&rewrite.removed_parameters) {
            if name.is_empty() || !is_uri_parameter(name.as_bytes()) || name.eq_ignore_ascii_case("method") {
                return Err(("parameters", format!("\"{name}\" is no parameter of a Request-URI")));
            }
        }
        for (name, value) in &rewrite.set_parameters {
            if !is_uri_parameter(value.as_bytes()) {
                return Err(("parameters", format!("the value of {name} cannot stand in a URI")));
            }
        }
        let edit = Self {
            number: rewrite.number.as_ref().map(|edit| NumberEdit::compile(edit, "number")).transpose()?,
            user,
            form: rewrite.form,
            host: rewrite.host.as_ref().map(|host| host.as_bytes().to_vec()),
            removed: rewrite.removed_parameters.clone(),
            set: rewrite.set_parameters.clone(),
        };
        let is_nothing = edit.number.is_none()
            && edit.user.is_none()
            && edit.form.is_none()
            && edit.host.is_none()
            && edit.removed.is_empty()
            && edit.set.is_empty();
        Ok((!is_nothing).then_some(edit))
    }

    /// Returns what becomes of *uri*. What a change is about and the URI does not have stays away: a name has no number, a
    /// tel URI no host.
    pub fn apply(&self, uri: &[u8]) -> Edited {
        let Some(mut parts) = Parts::read(uri) else { return Ok(None) };
        let before = parts.number().map(<[u8]>::to_vec);
        if let Some(number) = &self.number {
            parts.edit_number(number)?;
        }
        if let Some(user) = &self.user {
            parts.edit_user(user)?;
        }
        match self.form {
            Some(UriForm::Tel) => parts.make_tel()?,
            Some(UriForm::Sip) => parts.make_sip(self.host.as_deref().unwrap_or_default()),
            None => {}
        }
        if let Some(host) = &self.host
            && parts.kind != UriKind::Tel
        {
            parts.address.clone_from(host);
        }
        parts.edit_params(&self.removed, &self.set);
        let made = parts.write();
        if made == uri {
            return Ok(None);
        }
        let is_other = parts.number() != before.as_deref() || self.form.is_some();
        check(&made, is_other)?;
        Ok(Some(made))
    }
}

impl NumberEdit {
    /// Compiles it; says what is wrong with *key*.
    pub fn compile(edit: &document::NumberEdit, key: &'static str) -> Result<Self, (&'static str, String)> {
        let digits = edit.prefix.strip_prefix('+').unwrap_or(&edit.prefix);
        if !digits.bytes().all(is_phone_digit) {
            return Err((key, format!("\"{}\" is no beginning of a number", edit.prefix)));
        }
        if edit.strip == 0 && edit.prefix.is_empty() {
            return Err((key, "changes nothing".to_owned()));
        }
        Ok(Self { strip: usize::from(edit.strip), prefix: edit.prefix.as_bytes().to_vec() })
    }

    /// Returns what becomes of the number in *uri*.
    pub fn apply(&self, uri: &[u8]) -> Edited {
        let Some(mut parts) = Parts::read(uri) else { return Ok(None) };
        parts.edit_number(self)?;
        let made = parts.write();
        if made == uri {
            return Ok(None);
        }
        check(&made, true)?;
        Ok(Some(made))
    }

    /// The `+` and the visual separators go with the first digits.
    fn of(&self, number: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        let digits: Vec<u8> =
            number.iter().copied().filter(|byte| !matches!(byte, b'+' | b'-' | b'.' | b'(' | b')')).collect();
        if digits.is_empty() || !digits.iter().copied().all(is_phone_digit) {
            return Ok(None);
        }
        let rest = digits.get(self.strip..).ok_or("the number has fewer digits than are to go")?;
        let made = [&self.prefix, rest].concat();
        if made.is_empty() || made == b"+" {
            return Err("no digit of the number would be left");
        }
        Ok(Some(made))
    }
}

impl Parts {
    /// Of a sip, sips or tel URI; others have none that a rule may change.
    fn read(uri: &[u8]) -> Option<Self> {
        let parsed = Uri::parse(uri).ok()?;
        let (kind, scheme) = (parsed.kind, parsed.scheme.to_vec());
        let owned = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        match kind {
            UriKind::Tel | UriKind::Sip | UriKind::Sips => {}
            UriKind::Urn | UriKind::Other => return None,
        }
        let tail = parsed.params.as_bytes().len() + parsed.headers.map_or(0, |headers| headers.len() + 1);
        let front = parsed.opaque.get(..parsed.opaque.len().saturating_sub(tail))?;
        // Neither a password nor a user part may hold a bare @ (RFC 3261 §25.1), so the first one ends both.
        let address = match memchr::memchr(b'@', front) {
            _ if kind == UriKind::Tel => &[][..],
            Some(at) => front.get(at + 1..)?,
            None => front,
        };
        Some(Self {
            kind,
            scheme,
            user: owned(parsed.user),
            password: owned(parsed.password),
            address: address.to_vec(),
            params: parsed.params.as_bytes().to_vec(),
            headers: owned(parsed.headers),
        })
    }

    fn write(&self) -> Vec<u8> {
        let mut out = self.scheme.clone();
        out.push(b':');
        out.extend_from_slice(self.user.as_deref().unwrap_or_default());
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend_from_slice(password);
        }
        if self.user.is_some() && self.kind != UriKind::Tel {
            out.push(b'@');
        }
        out.extend_from_slice(&self.address);
        out.extend_from_slice(&self.params);
        if let Some(headers) = &self.headers {
            out.push(b'?');
            out.extend_from_slice(headers);
        }
        out
    }

    /// The number as written: of a tel URI, or of a SIP URI with `user=phone` (TEL-07).
    fn number(&self) -> Option<&[u8]> {
        let user = self.user.as_deref()?;
        let is_phone =
            || Params(&self.params).value(b"user").is_some_and(|value| value.eq_ignore_ascii_case(b"phone"));
        (self.kind == UriKind::Tel || is_phone()).then(|| scan::split_where(user, |byte| byte == b';').0)
    }

    fn edit_number(&mut self, edit: &NumberEdit) -> Result<(), &'static str> {
        let Some(number) = self.number() else { return Ok(()) };
        let length = number.len();
        let Some(made) = edit.of(number)? else { return Ok(()) };
        let is_global = made.first() == Some(&b'+');
        let user = self.user.get_or_insert_default();
        user.splice(..length, made);
        // A context is of a local number only (RFC 3966 §5.1.5).
        if is_global && self.kind == UriKind::Tel {
            without(&mut self.params, "phone-context");
        } else if is_global {
            let at = memchr::memchr(b';', user).unwrap_or(user.len());
            let mut params = user.split_off(at);
            without(&mut params, "phone-context");
            user.extend_from_slice(&params);
        }
        Ok(())
    }

    fn edit_user(&mut self, edit: &Replacement) -> Result<(), &'static str> {
        let Some(user) = self.user.as_deref() else { return Ok(()) };
        let mut made = Vec::new();
        match edit.apply(&Bound::default(), user, &mut |piece| made.extend_from_slice(piece)) {
            Outcome::Refused(why) => Err(why),
            Outcome::Replaced if made.is_empty() => Err("nothing of the user part would be left"),
            Outcome::Replaced if !made.iter().all(|byte| is_user_byte(*byte)) => {
                Err("the user part would hold what cannot stand there")
            }
            Outcome::Replaced => {
                self.user = Some(made);
                Ok(())
            }
            Outcome::NoMatch | Outcome::Emptied => Ok(()),
        }
    }

    /// RFC 3261 §19.1.6: the number with its parameters is the user part.
    fn make_sip(&mut self, host: &[u8]) {
        if self.kind != UriKind::Tel {
            return;
        }
        let mut user = Vec::new();
        for byte in self.user.iter().flatten().chain(&self.params) {
            match byte {
                b'#' => user.extend_from_slice(b"%23"),
                b':' => user.extend_from_slice(b"%3A"),
                b'[' => user.extend_from_slice(b"%5B"),
                b']' => user.extend_from_slice(b"%5D"),
                byte => user.push(*byte),
            }
        }
        (self.kind, self.scheme, self.user) = (UriKind::Sip, b"sip".to_vec(), Some(user));
        (self.address, self.params) = (host.to_vec(), b";user=phone".to_vec());
    }

    /// The way back: what the SIP URI says beside the number is left out.
    fn make_tel(&mut self) -> Result<(), &'static str> {
        if self.kind == UriKind::Tel || self.number().is_none() {
            return Ok(());
        }
        let user =
            unescape(self.user.as_deref().unwrap_or_default()).ok_or("the number is escaped wrongly")?;
        let at = memchr::memchr(b';', &user).unwrap_or(user.len());
        let (number, params) = user.split_at(at);
        (self.user, self.params) = (Some(number.to_vec()), params.to_vec());
        (self.kind, self.scheme) = (UriKind::Tel, b"tel".to_vec());
        (self.password, self.headers) = (None, None);
        self.address.clear();
        Ok(())
    }

    fn edit_params(&mut self, removed: &[String], set: &[(String, String)]) {
        for name in removed {
            without(&mut self.params, name);
        }
        for (name, value) in set {
            let is_there = |param: &[u8]| {
                let text = param.strip_prefix(b";").unwrap_or(param);
                let (found, is) = scan::split_where(text, |byte| byte == b'=');
                found.eq_ignore_ascii_case(name.as_bytes())
                    && is.strip_prefix(b"=").unwrap_or_default() == value.as_bytes()
            };
            let mut rest = self.params.as_slice();
            let mut is_set = false;
            while !rest.is_empty() && !is_set {
                let (param, behind) = split_param(rest);
                (is_set, rest) = (is_there(param), behind);
            }
            if is_set {
                continue;
            }
            without(&mut self.params, name);
            self.params.push(b';');
            self.params.extend_from_slice(name.as_bytes());
            if !value.is_empty() {
                self.params.push(b'=');
                self.params.extend_from_slice(value.as_bytes());
            }
        }
    }
}

/// Takes a parameter out of a list.
fn without(params: &mut Vec<u8>, name: &str) {
    let (mut kept, mut rest) = (Vec::with_capacity(params.len()), params.as_slice());
    while !rest.is_empty() {
        let (param, behind) = split_param(rest);
        rest = behind;
        let text = param.strip_prefix(b";").unwrap_or(param);
        if !scan::split_where(text, |byte| byte == b'=').0.eq_ignore_ascii_case(name.as_bytes()) {
            kept.extend_from_slice(param);
        }
    }
    *params = kept;
}

/// Is what was made a URI, with a number that means the same everywhere where it is a new one?
fn check(made: &[u8], is_new_number: bool) -> Result<(), &'static str> {
    let uri = Uri::parse(made).map_err(|_| "the result is no URI")?;
    let Some(number) = uri.number().filter(|_| is_new_number) else { return Ok(()) };
    let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_global = number.first() == Some(&b'+');
    if is_global && (digits == 0 || digits > DIGITS_MAX) {
        return Err("the number would have more than 15 digits, or none");
    }
    // A SIP URI has a host to tell what a local number means.
    if !is_global && uri.kind == UriKind::Tel && !uri.params.has(b"phone-context") {
        return Err("a tel URI with a local number would have no phone-context");
    }
    Ok(())
}

/// RFC 3966 §3 `phonedigit-hex`.
const fn is_phone_digit(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#')
}

/// RFC 3261 §25.1 `user`.
fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%#".contains(&byte)
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        let code = (digit(0)? * 16 + digit(1)?) as u8;
        out.push(Some(code).filter(u8::is_ascii_graphic)?);
        rest = behind.get(2..)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests;
