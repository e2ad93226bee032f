//! Living with strict routers, the RFC 2543 kind (RFC 3261 §16.4, §16.6 (6), GEN-08).
//!
//! A strict router takes the topmost Route value for the Request-URI and puts the Request-URI behind all Route values. One
//! before us is undone on arrival ([`repair`]); one behind us gets what it expects ([`face`]). We ourselves route loosely.

use super::draft::Draft;
use crate::message::{HeaderId, NameAddr, Uri, UriKind, elements};
use crate::trace::{Stage, Step, Trace};

/// Takes the Request-URI out from behind the Route values, where a strict router put it, and puts what stands in its place
/// back on top of them: it is one of our Record-Route, with the token that says where the dialog goes.
///
/// That it is ours is the caller's to know. Returns `false`, and changes nothing, when there is no Route.
pub fn repair(draft: &mut Draft<'_>) -> bool {
    let last = draft.all(HeaderId::Route).last().map(|header| (header.at, header.value.to_vec()));
    let Some((at, line)) = last else { return false };
    let mut values: Vec<&[u8]> = elements(&line).filter(|value| !value.is_empty()).collect();
    let Some(uri) = values.pop().and_then(|value| NameAddr::parse(value).ok()).map(|address| address.uri)
    else {
        return false;
    };
    let mut own = vec![b'<'];
    own.extend_from_slice(draft.request_uri());
    own.push(b'>');
    if !draft.set_request_uri(uri) {
        return false;
    }
    if values.is_empty() {
        draft.retain(HeaderId::Route.bit(), |header| header.at != at);
    } else {
        draft.replace_value(at, &values.join(&b", "[..]));
    }
    if draft.first(HeaderId::Route).is_some() {
        draft.prepend(HeaderId::Route, &own);
    } else {
        draft.append_after(HeaderId::Via, HeaderId::Route, &own);
    }
    true
}

/// Turns the request around for a next hop that routes strictly: its URI becomes the Request-URI, which goes to the end.
pub fn face(draft: &mut Draft<'_>, trace: &mut Trace) {
    let next = draft.values(HeaderId::Route).find(|value| !value.is_empty());
    let Some(address) = next.and_then(|value| NameAddr::parse(value).ok()) else { return };
    let is_strict = Uri::parse(address.uri).is_ok_and(|uri| {
        matches!(uri.kind, UriKind::Sip | UriKind::Sips) && uri.headers.is_none() && !uri.params.has(b"lr")
    });
    if !is_strict {
        return;
    }
    let strict = address.uri.to_vec();
    let mut own = vec![b'<'];
    own.extend_from_slice(draft.request_uri());
    own.push(b'>');
    if !draft.set_request_uri(&strict) {
        return;
    }
    draft.pop_value(HeaderId::Route);
    if !draft.append(HeaderId::Route, &own) {
        return;
    }
    trace.step(|| Step {
        stage: Stage::Rewrite,
        rule: None,
        outcome: "strict router",
        detail: format!("{} wants to find itself in the Request-URI", String::from_utf8_lossy(&strict)),
        clause: Some("RFC 3261 §16.6 (6)"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::testing::edited;

    fn lines(request: &str, edit: impl FnOnce(&mut Draft<'_>)) -> Vec<String> {
        let out = edited(format!("{request}\r\n\r\n").as_bytes(), edit);
        String::from_utf8(out).expect("text").trim_end().split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn the_request_uri_comes_back_from_the_end_of_the_route() {
        let cases = [
            ("Route: <sip:bob@192.0.2.4>", &["BYE sip:bob@192.0.2.4 SIP/2.0", "Route: <sip:us;lr>"][..]),
            (
                "Route: <sip:p2;lr>, <sip:bob@192.0.2.4>\r\nX: y",
                &["BYE sip:bob@192.0.2.4 SIP/2.0", "Route: <sip:us;lr>", "Route: <sip:p2;lr>", "X: y"],
            ),
            (
                "Route: <sip:p2;lr>\r\nX: y\r\nRoute: <sip:bob@192.0.2.4>",
                &["BYE sip:bob@192.0.2.4 SIP/2.0", "Route: <sip:us;lr>", "Route: <sip:p2;lr>", "X: y"],
            ),
        ];
        for (headers, expected) in cases {
            let found = lines(&format!("BYE sip:us;lr SIP/2.0\r\n{headers}"), |draft| assert!(repair(draft)));
            assert_eq!(found, expected, "{headers}");
        }
        lines("BYE sip:us;lr SIP/2.0\r\nX: y", |draft| assert!(!repair(draft)));
    }

    #[test]
    fn a_strict_router_gets_its_own_uri_and_a_loose_one_does_not() {
        let found = lines("BYE sip:bob@h SIP/2.0\r\nRoute: <sip:strict>, <sip:p2;lr>", |draft| {
            face(draft, &mut Trace::off());
        });
        assert_eq!(found, ["BYE sip:strict SIP/2.0", "Route: <sip:p2;lr>", "Route: <sip:bob@h>"]);
        let loose = "BYE sip:bob@h SIP/2.0\r\nRoute: <sip:loose;lr>";
        assert_eq!(lines(loose, |draft| face(draft, &mut Trace::off())).join("\r\n"), loose);
        for other in ["X: y", "Route: <tel:+44>", "Route: <sip:h?X=y>", "Route: <sip:h"] {
            let none = format!("BYE sip:bob@h SIP/2.0\r\n{other}");
            assert_eq!(lines(&none, |draft| face(draft, &mut Trace::off())).join("\r\n"), none);
        }
    }

    #[test]
    fn what_a_strict_router_turned_around_we_turn_back() {
        let sent = "BYE sip:bob@h SIP/2.0\r\nRoute: <sip:us>";
        let turned = lines(sent, |draft| face(draft, &mut Trace::off())).join("\r\n");
        assert_eq!(turned, "BYE sip:us SIP/2.0\r\nRoute: <sip:bob@h>");
        let back = lines(&turned, |draft| assert!(repair(draft))).join("\r\n");
        assert_eq!(back, sent);
    }
}
