//! Parameters: `;name`, `;name=value`, `;name="value"` (RFC 3261 §25.1 `generic-param`, `uri-parameter`).

use super::SyntaxError;
use crate::parse::scan;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// As written; compare without regard to case (§7.3.1).
    pub name: &'a [u8],
    /// What follows `=`, without the quotes of a quoted string; escapes in it stand as they are.
    pub value: Option<&'a [u8]>,
    /// The value stood in quotes.
    pub quoted: bool,
}

/// The parameters of a header value or a URI, not yet looked at: the bytes from the first `;` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(pub &'a [u8]);

impl<'a> Params<'a> {
    /// Walks over the parameters. One without a name (`;;`) shows up with an empty name.
    pub const fn iter(&self) -> ParamsIter<'a> {
        ParamsIter { rest: self.0 }
    }

    /// Finds the first parameter of that name.
    pub fn get(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// Finds the value of the first parameter of that name; a parameter without a value gives `None` too.
    pub fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.get(name).and_then(|param| param.value)
    }

    /// Tells whether there is a parameter of that name, with or without a value (`;lr`).
    pub fn has(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// Returns the bytes, leading `;` included.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Tells whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks at the form: each has a name that is a token, quotes close, and `once` stands at most once and not empty.
    ///
    /// Values of other parameters are not judged: what we do not know passes.
    pub(crate) fn check(&self, once: &[u8]) -> Result<(), SyntaxError> {
        let mut seen = false;
        for param in self {
            if !scan::is_token(param.name) {
                return Err(SyntaxError("a parameter has no valid name"));
            }
            if let Some([b'"', ..]) = param.value.filter(|_| !param.quoted) {
                return Err(SyntaxError(
                    "a quoted parameter value is not closed or goes on behind its quote",
                ));
            }
            if param.name.eq_ignore_ascii_case(once) {
                if seen {
                    return Err(SyntaxError("a parameter that may stand once is repeated"));
                }
                if param.value.is_none_or(<[u8]>::is_empty) {
                    return Err(SyntaxError("a tag or branch is empty"));
                }
                seen = true;
            }
        }
        Ok(())
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Param<'a>;
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Params<'a> {
    type Item = Param<'a>;
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator of [`Params::iter`].
#[derive(Clone, Debug)]
pub struct ParamsIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ParamsIter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        let [_semicolon, rest @ ..] = self.rest else { return None };
        let (equals, end) = bounds(rest);
        let (param, behind) = rest.split_at(end);
        self.rest = behind;
        let Some(equals) = equals else {
            return Some(Param { name: scan::trim(param), value: None, quoted: false });
        };
        let (name, value) = param.split_at(equals);
        let value = scan::trim(value.get(1..).unwrap_or_default());
        let inner = match value {
            [b'"', inner @ .., b'"'] if scan::quoted_length(value) == Some(value.len()) => Some(inner),
            _ => None,
        };
        Some(Param { name: scan::trim(name), value: Some(inner.unwrap_or(value)), quoted: inner.is_some() })
    }
}

/// Finds the first `=` of the parameter at the front, and where the parameter ends.
fn bounds(rest: &[u8]) -> (Option<usize>, usize) {
    let (mut quoted, mut escaped, mut equals) = (false, false, None);
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b';' if !quoted => return (equals, at),
            b'=' if !quoted && equals.is_none() => equals = Some(at),
            _ => {}
        }
    }
    (equals, rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_quotes_and_folds_are_read() {
        let params = Params(b" ; a=1 ;B\r\n = \"x;\\\"y\" ; lr;e=");
        let params = Params(scan::trim(params.0));
        let read: Vec<_> = params.iter().map(|param| (param.name, param.value, param.quoted)).collect();
        assert_eq!(
            read,
            [
                (&b"a"[..], Some(&b"1"[..]), false),
                (b"B", Some(b"x;\\\"y"), true),
                (b"lr", None, false),
                (b"e", Some(b""), false),
            ]
        );
        assert_eq!(params.value(b"b"), Some(&b"x;\\\"y"[..]));
        assert!(params.has(b"LR") && !params.has(b"l"));
        assert_eq!(params.check(b"tag"), Ok(()));
    }

    #[test]
    fn empty_names_open_quotes_and_repeated_tags_are_found() {
        for bytes in [
            &b";"[..],
            b";;",
            b";a;;b",
            b";=1",
            b";a b=1",
            b";a=\"x",
            b";a=\"x\"y",
            b";tag",
            b";tag=",
            b";tag=\"\"",
            b";tag=1;TAG=2",
        ] {
            assert!(Params(bytes).check(b"tag").is_err(), "{bytes:?}");
        }
        assert!(Params(b"").check(b"tag").is_ok());
    }
}
