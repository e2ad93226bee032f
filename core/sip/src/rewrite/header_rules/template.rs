//! The texts that rules write: fixed, or with variables and captures in them.
//!
//! `${peer.to}`, with a dot, is a [`Variable`]; `$1`, `$name` and `${name}` are captures where there is an expression; `$$`
//! is a dollar sign. All is cut into pieces when a snapshot is loaded.
//!
//! INVARIANT: no value of a variable ends the header, the parameter or the quotes that it stands in. Where it would, the
//! edit does not happen.

use regex::bytes::{Captures, Regex};
use smallvec::SmallVec;

use super::super::draft::Draft;
use crate::parse::scan;

/// A short text on the stack.
pub type ShortText = SmallVec<[u8; 128]>;

macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident $name:literal)+) => {
        /// What a text may tell of the message and the call. *From* is the peer that sent the request, *to* the one that it
        /// goes to, in its responses too.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Variable { $($(#[$doc])* $variant),+ }

        impl Variable {
            /// Every variable.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name between `${` and `}`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

variables! {
    /// Id of the peer.
    PeerFrom "peer.from"
    /// Id of the peer.
    PeerTo "peer.to"
    /// `home` or `peer`.
    SideFrom "side.from"
    /// `home` or `peer`.
    SideTo "side.to"
    /// Id of the agreement.
    AgreementFrom "agreement.from"
    /// Id of the agreement.
    AgreementTo "agreement.to"
    /// The domain that the peer is configured with, else the host that it answers for.
    DomainFrom "domain.from"
    /// The domain that the peer is configured with, else the host that it answers for.
    DomainTo "domain.to"
    /// `orig-ioi` of the agreement.
    OrigIoiFrom "orig_ioi.from"
    /// `orig-ioi` of the agreement.
    OrigIoiTo "orig_ioi.to"
    /// `term-ioi` of the agreement.
    TermIoiFrom "term_ioi.from"
    /// `term-ioi` of the agreement.
    TermIoiTo "term_ioi.to"
    /// The Call-ID.
    CallId "call.id"
    /// The method.
    CallMethod "call.method"
    /// `exit` or `entry`.
    CallDirection "call.direction"
    /// The global number that is called, as the rules of `routes` left it.
    CallCalled "call.called"
    /// The global number that calls.
    CallCalling "call.calling"
    /// The Request-URI as it is now; in a response, as it left.
    RequestUri "request.uri"
    /// Its user part.
    RequestUser "request.user"
    /// Its host.
    RequestHost "request.host"
    /// `found`, `not_found` or `failed`.
    EnumOutcome "enum.outcome"
    /// The class of the answer.
    EnumClass "enum.class"
    /// The URI that ENUM led to.
    EnumUri "enum.uri"
    /// Name of this node.
    NodeName "node.name"
    /// Domain of our network.
    NodeDomain "node.domain"
}

/// Knows the values of variables, for one message.
pub trait VariableValues {
    /// Appends the value of *variable* to *out*; appends nothing when it has none here.
    fn write(&self, variable: Variable, draft: &Draft<'_>, out: &mut ShortText);
}

/// A text, cut into pieces.
#[derive(Debug)]
pub(in crate::rewrite) struct Template {
    parts: Vec<Part>,
    variables: Vec<(Variable, Place)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
    /// The variable with this number.
    Variable(usize),
}

/// What a value must not end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A word of the header.
    #[default]
    Plain,
    /// A quoted string.
    Quoted,
    /// A URI in angle brackets.
    Bracketed,
    /// Whoever writes the text quotes it.
    Raw,
}

/// How the values of a text's variables are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite) enum Quoting {
    /// As the place in the text asks for.
    ByPlace,
    /// Not at all: it is done with the whole text.
    Later,
}

/// The values of a text's variables.
#[derive(Debug, Default)]
pub(in crate::rewrite) struct Bound {
    text: ShortText,
    ends: SmallVec<[usize; 4]>,
}

impl Template {
    /// Cuts a text into pieces; captures are those of *regex*. Says what is wrong with it.
    pub(in crate::rewrite) fn compile(
        text: &str,
        regex: Option<&Regex>,
        quoting: Quoting,
    ) -> Result<Self, String> {
        let mut template = Self { parts: Vec::new(), variables: Vec::new() };
        let mut around = Around::default();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, behind) = rest.split_at(at);
            template.push_text(before, &mut around);
            let behind = &behind[1..];
            if let Some(tail) = behind.strip_prefix('$') {
                template.push_text("$", &mut around);
                rest = tail;
                continue;
            }
            let (name, tail) = match (behind.strip_prefix('{'), regex) {
                (Some(braced), _) => braced.split_once('}').ok_or("`${` without `}`")?,
                (None, Some(_)) => split_capture(behind),
                (None, None) => {
                    template.push_text("$", &mut around);
                    rest = behind;
                    continue;
                }
            };
            rest = tail;
            match regex {
                Some(regex) if !name.contains('.') => template.parts.push(Part::Group(group(name, regex)?)),
                _ => {
                    let place = if quoting == Quoting::Later { Place::Raw } else { around.place };
                    let known = Variable::ALL.iter().find(|known| known.name() == name);
                    let variable = known.ok_or_else(|| format!("there is no variable \"{name}\""))?;
                    template.parts.push(Part::Variable(template.variables.len()));
                    template.variables.push((*variable, place));
                }
            }
        }
        template.push_text(rest, &mut around);
        Ok(template)
    }

    fn push_text(&mut self, text: &str, around: &mut Around) {
        around.pass(text);
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.extend_from_slice(text.as_bytes()),
            _ => self.parts.push(Part::Text(text.as_bytes().to_vec())),
        }
    }

    /// Does it tell something of the message?
    pub(in crate::rewrite) fn has_variables(&self) -> bool {
        !self.variables.is_empty()
    }

    /// Returns the text when nothing in it depends on the message.
    pub(in crate::rewrite) fn fixed(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(&[]),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Looks the variables up; says which of them keeps the edit from happening, and why.
    pub(in crate::rewrite) fn bind(
        &self,
        draft: &Draft<'_>,
        values: &dyn VariableValues,
    ) -> Result<Bound, (Variable, &'static str)> {
        let mut bound = Bound::default();
        for (variable, place) in &self.variables {
            let mut value = ShortText::new();
            values.write(*variable, draft, &mut value);
            if value.is_empty() {
                return Err((*variable, "has no value"));
            }
            if !place.put(&value, &mut bound.text) {
                return Err((*variable, "has a value that cannot stand there"));
            }
            bound.ends.push(bound.text.len());
        }
        Ok(bound)
    }

    /// Hands the text to *put*, piece by piece.
    pub(in crate::rewrite) fn write(
        &self,
        bound: &Bound,
        captures: Option<&Captures<'_>>,
        put: &mut impl FnMut(&[u8]),
    ) {
        for part in &self.parts {
            match part {
                Part::Text(text) => put(text),
                Part::Group(group) => {
                    let found = captures.and_then(|captures| captures.get(*group));
                    put(found.map_or(&b""[..], |found| found.as_bytes()));
                }
                Part::Variable(number) => put(bound.value(*number)),
            }
        }
    }

    /// Returns the whole of a text without captures.
    pub(in crate::rewrite) fn text(&self, bound: &Bound) -> ShortText {
        let mut text = ShortText::new();
        self.write(bound, None, &mut |part| text.extend_from_slice(part));
        text
    }
}

impl Bound {
    fn value(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }
}

impl Place {
    /// Appends a value as it may stand here; `false` if it may not.
    fn put(self, value: &[u8], out: &mut ShortText) -> bool {
        let is_text = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
        let is_word = |byte: &u8| {
            (0x21..0x7f).contains(byte) && !matches!(byte, b',' | b';' | b'"' | b'<' | b'>' | b'\\')
        };
        let is_fit = match self {
            Self::Plain => value.iter().all(is_word),
            Self::Bracketed => scan::are_uri_bytes(value),
            Self::Quoted | Self::Raw => value.iter().all(is_text),
        };
        if is_fit && self == Self::Quoted {
            for byte in value {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(*byte);
            }
        } else if is_fit {
            out.extend_from_slice(value);
        }
        is_fit
    }
}

/// What the text so far has opened.
#[derive(Default)]
struct Around {
    place: Place,
    is_escaped: bool,
}

impl Around {
    fn pass(&mut self, text: &str) {
        for byte in text.bytes() {
            self.place = match (self.place, byte) {
                (Place::Quoted, _) if self.is_escaped => {
                    self.is_escaped = false;
                    Place::Quoted
                }
                (Place::Quoted, b'\\') => {
                    self.is_escaped = true;
                    Place::Quoted
                }
                (Place::Plain, b'"') => Place::Quoted,
                (Place::Plain, b'<') => Place::Bracketed,
                (Place::Quoted, b'"') | (Place::Bracketed, b'>') => Place::Plain,
                (place, _) => place,
            };
        }
    }
}

/// Cuts off the name of a capture without braces. A number ends with its digits, so `$1x` is the first group and an `x`.
fn split_capture(text: &str) -> (&str, &str) {
    let is_number = text.starts_with(|first: char| first.is_ascii_digit());
    let is_part = |letter: char| {
        letter.is_ascii_digit() || (!is_number && (letter.is_ascii_alphabetic() || letter == '_'))
    };
    text.split_at(text.find(|letter| !is_part(letter)).unwrap_or(text.len()))
}

fn group(name: &str, regex: &Regex) -> Result<usize, String> {
    let group = match name.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < regex.captures_len()),
        Err(_) => regex.capture_names().position(|known| known == Some(name)),
    };
    group.ok_or_else(|| format!("the pattern has no group \"{name}\"; write $$ for a dollar sign"))
}
