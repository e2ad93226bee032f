//! Headers that say who calls, by which way, and who is charged, in a form that two readers would read differently.

use crate::message::{HeaderId, Message, NameAddr, Params, Uri, UriKind};
use crate::parse::scan;

type IsSound = fn(&Message<'_>) -> bool;

/// The headers that are looked at, and what is asked of all values of each.
const LOOKED_AT: [(HeaderId, IsSound); 4] = [
    (HeaderId::PAssertedIdentity, asserted),
    (HeaderId::Identity, |message| message.values(HeaderId::Identity).all(|value| signed(value.value))),
    (HeaderId::HistoryInfo, |message| {
        message.values(HeaderId::HistoryInfo).all(|value| history(value.value))
    }),
    (HeaderId::PChargingVector, |message| {
        message.all(HeaderId::PChargingVector).all(|one| charging(one.value))
    }),
];

/// The headers of a message that are malformed.
pub(super) fn malformed(message: &Message<'_>) -> impl Iterator<Item = HeaderId> {
    let message = *message;
    LOOKED_AT
        .into_iter()
        .filter(move |(id, is_sound)| message.first(*id).is_some() && !is_sound(&message))
        .map(|(id, _)| id)
}

/// One identity, or two of which one is a SIP or SIPS URI and the other a tel URI (RFC 3325 §9.1).
fn asserted(message: &Message<'_>) -> bool {
    let (mut names, mut numbers) = (0, 0);
    for value in message.values(HeaderId::PAssertedIdentity) {
        let uri = NameAddr::parse(value.value).and_then(|address| Uri::parse(address.uri));
        match uri.map(|uri| uri.kind) {
            Ok(UriKind::Sip | UriKind::Sips) => names += 1,
            Ok(UriKind::Tel) => numbers += 1,
            _ => return false,
        }
    }
    names <= 1 && numbers <= 1 && names + numbers > 0
}

/// A signed token, whole or without its first two parts, and `info` with the URI of the certificate (RFC 8224 §4).
fn signed(value: &[u8]) -> bool {
    let (token, params) = scan::split_where(value, |byte| byte == b';');
    let is_base64 =
        |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let parts: smallvec::SmallVec<[&[u8]; 4]> = scan::trim(token).split(|byte| *byte == b'.').collect();
    let [header, payload, signature] = parts.as_slice() else { return false };
    let is_whole = header.is_empty() == payload.is_empty();
    let params = Params(params);
    let info = params.value(b"info").and_then(|info| info.strip_prefix(b"<")?.strip_suffix(b">"));
    is_whole
        && !signature.is_empty()
        && parts.iter().all(|part| is_base64(part))
        && info.is_some_and(|uri| scan::are_uri_bytes(uri) && uri.contains(&b':'))
}

/// An address in brackets with an index (RFC 7044 §5).
fn history(value: &[u8]) -> bool {
    let Ok(address) = NameAddr::parse(value) else { return false };
    let index = address.params.value(b"index").unwrap_or_default();
    let is_index = index.split(|byte| *byte == b'.').all(|part| scan::number(part).is_some());
    address.bracketed && is_index && Uri::parse(address.uri).is_ok()
}

/// `icid-value` first, once, and not empty; then parameters (RFC 7315 §5.6).
fn charging(value: &[u8]) -> bool {
    let end = scan::find_outside(value, b';').unwrap_or(value.len());
    let (first, params) = value.split_at(end);
    let (name, icid) = scan::split_where(first, |byte| byte == b'=');
    let icid = scan::trim(icid.get(1..).unwrap_or_default());
    let is_quoted =
        icid.starts_with(b"\"") && scan::quoted_length(icid) == Some(icid.len()) && icid.len() > 2;
    let is_plain =
        !icid.is_empty() && !icid.iter().any(|byte| scan::is_lws(*byte) || matches!(byte, b'"' | b','));
    let params = Params(params);
    scan::trim(name).eq_ignore_ascii_case(b"icid-value")
        && (is_quoted || is_plain)
        && !params.has(b"icid-value")
        && params.check(b"tag").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passport_is_whole_or_compact_and_names_its_certificate() {
        for (value, is_sound) in [
            (&b"eyJ.eyJ.c2ln;info=<https://a.example/c>;alg=ES256;ppt=shaken"[..], true),
            (b"..c2ln;info=<https://a.example/c>", true),
            (b"eyJ.eyJ.c2ln", false),
            (b"eyJ..c2ln;info=<https://a.example/c>", false),
            (b"eyJ.eyJ.;info=<https://a.example/c>", false),
            (b"c2ln;info=<https://a.example/c>", false),
            (b"\"c2ln\";info=<https://a.example/c>", false),
            (b"eyJ.ey+.c2ln;info=<https://a.example/c>", false),
            (b"eyJ.eyJ.c2ln;info=https", false),
        ] {
            assert_eq!(signed(value), is_sound, "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn history_and_charging_have_what_they_need() {
        for (value, is_sound) in [
            (&b"<sip:a@b?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1"[..], true),
            (b"<tel:+44>;index=1", true),
            (b"<sip:a@b>", false),
            (b"<sip:a@b>;index=1.x", false),
            (b"sip:a@b;index=1", false),
            (b"<nothing>;index=1", false),
        ] {
            assert_eq!(history(value), is_sound, "{}", String::from_utf8_lossy(value));
        }
        for (value, is_sound) in [
            (&b"icid-value=\"a;b\";orig-ioi=x"[..], true),
            (b"ICID-Value = a@b;icid-generated-at=[2001:db8::1]", true),
            (b"icid-value=", false),
            (b"icid-value=\"\"", false),
            (b"icid-value=\"a", false),
            (b"icid-value=a, icid-value=b", false),
            (b"orig-ioi=x;icid-value=a", false),
            (b"icid-value=a;icid-value=b", false),
            (b"icid-value=a;=", false),
        ] {
            assert_eq!(charging(value), is_sound, "{}", String::from_utf8_lossy(value));
        }
    }
}
