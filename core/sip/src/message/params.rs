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
    /// Returns the value of `once`.
    pub(crate) fn check(&self, once: &[u8]) -> Result<Option<&'a [u8]>, SyntaxError> {
        self.check_each(once, |_, _| {})
    }

    /// The same, and hands every parameter to `see` on the way, as [`Param`] has it.
    ///
    /// Values of other parameters are not judged: what we do not know passes.
    #[inline]
    pub(crate) fn check_each(
        &self,
        once: &[u8],
        mut see: impl FnMut(&'a [u8], Option<&'a [u8]>),
    ) -> Result<Option<&'a [u8]>, SyntaxError> {
        let mut found = None;
        let mut rest = self.0;
        while let [_semicolon, behind @ ..] = rest {
            let (name, behind) =
                scan::split_where(scan::trim_start(behind), |byte| !scan::is_token_byte(byte));
            let behind = scan::trim_start(behind);
            let mut value = None;
            rest = match behind {
                [] | [b';', ..] if !name.is_empty() => behind,
                [b'=', behind @ ..] if !name.is_empty() => {
                    let (read, behind) = split_value(scan::trim_start(behind))?;
                    value = Some(read);
                    behind
                }
                _ => return Err(SyntaxError("a parameter has no valid name")),
            };
            see(name, value);
            if name.len() == once.len() && name.eq_ignore_ascii_case(once) {
                if found.is_some() {
                    return Err(SyntaxError("a parameter that may stand once is repeated"));
                }
                found = value.filter(|value| !value.is_empty());
                if found.is_none() {
                    return Err(SyntaxError("a tag or branch is empty"));
                }
            }
        }
        Ok(found)
    }
}

/// Splits behind the value at the front; that of a quoted string is what stands between the quotes.
fn split_value(bytes: &[u8]) -> Result<(&[u8], &[u8]), SyntaxError> {
    const NOT_CLOSED: SyntaxError =
        SyntaxError("a quoted parameter value is not closed or goes on behind its quote");
    let [b'"', inner @ ..] = bytes else {
        let (value, behind) = bytes.split_at(bounds(bytes).1);
        return Ok((scan::trim(value), behind));
    };
    let (quoted, behind) = bytes.split_at(scan::quoted_length(bytes).ok_or(NOT_CLOSED)?);
    let behind = scan::trim_start(behind);
    if !matches!(behind, [] | [b';', ..]) {
        return Err(NOT_CLOSED);
    }
    Ok((inner.get(..quoted.len().saturating_sub(2)).unwrap_or_default(), behind))
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

/// Finds the first `=` of the parameter at the front, and where the parameter ends; neither counts inside quotes, and an
/// open quote reaches to the end.
fn bounds(rest: &[u8]) -> (Option<usize>, usize) {
    let mut equals = None;
    let mut from = 0_usize;
    loop {
        let tail = rest.get(from..).unwrap_or_default();
        let Some(found) = memchr::memchr3(b';', b'=', b'"', tail) else {
            return (equals, rest.len());
        };
        let at = from.saturating_add(found);
        let step = match rest.get(at) {
            Some(b';') => return (equals, at),
            Some(b'"') => match scan::quoted_length(rest.get(at..).unwrap_or_default()) {
                Some(length) => length,
                None => return (equals, rest.len()),
            },
            _ => {
                equals = equals.or(Some(at));
                1
            }
        };
        from = at.saturating_add(step);
    }
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
        assert_eq!(params.check(b"tag"), Ok(None));
        assert_eq!(params.check(b"b"), Ok(Some(&b"x;\\\"y"[..])));
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
        assert_eq!(Params(b"").check(b"tag"), Ok(None));
        assert_eq!(
            Params(b";x=a\"b;c\"d;Tag = 1 ;e=x\"").check(b"tag"),
            Ok(Some(&b"1"[..])),
            "only a tag is judged"
        );
    }
}
