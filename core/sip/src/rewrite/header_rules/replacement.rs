//! Text that is looked for, and what is put in its place.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::template::{Bound, Quoting, Template};
use super::{Outcome, TOO_LONG, VALUE_BYTES_MAX};

/// Compiled size of one regular expression.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// A pattern and what replaces it, everywhere it matches.
#[derive(Debug)]
pub(in crate::rewrite) struct Replacement {
    pattern: Pattern,
    pub(in crate::rewrite) with: Template,
}

#[derive(Debug)]
enum Pattern {
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

impl Replacement {
    /// Compiles it, or says which key of it is wrong and why.
    pub(in crate::rewrite) fn compile(
        pattern: &str,
        is_regex: bool,
        with: &str,
        quoting: Quoting,
    ) -> Result<Self, (&'static str, String)> {
        if pattern.is_empty() {
            return Err(("pattern", "is empty: say what to look for".to_owned()));
        }
        let regex = is_regex.then(|| build(pattern)).transpose().map_err(|problem| ("pattern", problem))?;
        super::check_line("with", with)?;
        let with = Template::compile(with, regex.as_ref(), quoting).map_err(|problem| ("with", problem))?;
        let text = || Pattern::Text(Box::new(Finder::new(pattern.as_bytes()).into_owned()));
        Ok(Self { pattern: regex.map_or_else(text, Pattern::Regex), with })
    }

    /// Hands what becomes of *value* to *put*, piece by piece. What it got counts only with [`Outcome::Replaced`].
    pub(in crate::rewrite) fn apply(
        &self,
        bound: &Bound,
        value: &[u8],
        put: &mut impl FnMut(&[u8]),
    ) -> Outcome {
        let mut length = 0;
        let mut put = |piece: &[u8]| {
            length += piece.len();
            if length <= VALUE_BYTES_MAX {
                put(piece);
            }
        };
        let mut copied = 0;
        match &self.pattern {
            Pattern::Text(finder) => {
                for at in finder.find_iter(value) {
                    put(value.get(copied..at).unwrap_or_default());
                    self.with.write(bound, None, &mut put);
                    copied = at + finder.needle().len();
                }
                if copied == 0 {
                    return Outcome::NoMatch;
                }
            }
            // Most headers do not match; `is_match` tells without room for captures.
            Pattern::Regex(regex) if !regex.is_match(value) => return Outcome::NoMatch,
            Pattern::Regex(regex) => {
                for captures in regex.captures_iter(value) {
                    let Some(whole) = captures.get(0) else { continue };
                    put(value.get(copied..whole.start()).unwrap_or_default());
                    self.with.write(bound, Some(&captures), &mut put);
                    copied = whole.end();
                }
            }
        }
        put(value.get(copied..).unwrap_or_default());
        if length > VALUE_BYTES_MAX { Outcome::Refused(TOO_LONG) } else { Outcome::Replaced }
    }
}

/// Bytes, not characters: otherwise a sender could hide text from `.` behind a byte that is not UTF-8.
pub(in crate::rewrite) fn build(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| error.to_string())
}
