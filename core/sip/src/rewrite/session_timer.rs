//! The session timer as a proxy sees to it (RFC 4028 §8, PX-60, EX-23): that no session lasts for ever unseen.
//!
//! | Session-Expires   | caller knows `timer` | caller does not                                   |
//! |-------------------|----------------------|---------------------------------------------------|
//! | none              | our longest, no less than its Min-SE | the same                          |
//! | above our longest | lowered, no less than its Min-SE     | the same                          |
//! | below our least   | 422 (stage `screen`) | raised to the least, which is written into Min-SE |
//! | between           | as it is             | as it is                                          |
//!
//! `refresher` is never written into a request: whoever answers chooses. A 2xx without Session-Expires comes from somebody
//! who does not know the timer; if the caller does, it is told to refresh (`refresher=uac`). What cannot be read is left.

use std::num::NonZeroU32;
use std::time::Duration;

use super::draft::Draft;
use crate::message::{HeaderId, Message, Method, elements};
use crate::parse::scan;
use crate::snapshot::SessionTimer;
use crate::trace::{Stage, Step, Trace};

/// No Min-SE may be below it, and it counts where there is none (RFC 4028 §5).
const LEAST: u32 = 90;
const TIMER: &[u8] = b"timer";

/// What holds between two agreements: the longer of the least intervals, and the shorter of the longest.
pub fn bounds(one: Option<SessionTimer>, other: Option<SessionTimer>) -> Option<SessionTimer> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    let min_s = one.min_s.max(other.min_s);
    Some(SessionTimer { min_s, max_s: one.max_s.min(other.max_s).max(min_s) })
}

/// Does the method set up a session or refresh it (RFC 4028 §3)?
pub fn is_session_refresh(method: Method<'_>) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// Is Session-Expires of a caller that knows the timer below our least?
pub fn is_too_short(request: &Message<'_>, timer: SessionTimer) -> bool {
    let interval = request.first(HeaderId::SessionExpires).and_then(|header| seconds(header.value));
    let knows = request.values(HeaderId::Supported).any(|value| is_timer(value.value));
    knows && interval.is_some_and(|interval| interval < timer.min_s)
}

/// Sees to Session-Expires of a request. Returns the interval that it asks for now, if the caller knows the timer: a 2xx
/// without one needs it.
pub fn bound(
    draft: &mut Draft<'_>,
    method: Method<'_>,
    timer: SessionTimer,
    trace: &mut Trace,
) -> Option<NonZeroU32> {
    if !is_session_refresh(method) {
        return None;
    }
    let knows = draft.values(HeaderId::Supported).any(is_timer);
    let min_se = draft.first(HeaderId::MinSe).and_then(|header| seconds(header.value)).unwrap_or(LEAST);
    let asked = draft.first(HeaderId::SessionExpires).map(|header| seconds(header.value));
    let least = min_se.max(timer.min_s);
    let interval = match asked {
        Some(None) => return None,
        Some(Some(asked)) if asked < least && !knows => {
            write(draft, HeaderId::MinSe, least);
            least
        }
        Some(Some(asked)) => asked.min(timer.max_s.max(min_se)),
        None => timer.max_s.max(min_se),
    };
    if asked != Some(Some(interval)) {
        write(draft, HeaderId::SessionExpires, interval);
        trace.step(|| step(format!("Session-Expires {interval}, {}", was(asked.flatten())), "RFC 4028 §8.1"));
    }
    NonZeroU32::new(interval).filter(|_| knows)
}

/// Writes into a 2xx without Session-Expires the interval that its request asked for.
pub fn grant(draft: &mut Draft<'_>, interval: NonZeroU32, trace: &mut Trace) {
    if draft.first(HeaderId::SessionExpires).is_some() {
        return;
    }
    let value = format!("{interval};refresher=uac");
    draft.append(HeaderId::SessionExpires, value.as_bytes());
    if !draft.values(HeaderId::Require).any(is_timer) {
        draft.append(HeaderId::Require, TIMER);
    }
    trace.step(|| step(format!("Session-Expires {value}, for the callee does not know it"), "RFC 4028 §8.2"));
}

/// The interval that holds after a 2xx: its own, else the one that we write into it.
pub fn granted_interval(response: &Message<'_>, asked: Option<NonZeroU32>) -> Option<Duration> {
    let Some(header) = response.first(HeaderId::SessionExpires) else {
        return asked.map(|seconds| Duration::from_secs(seconds.get().into()));
    };
    let digits = scan::split_where(header.value, |byte| !byte.is_ascii_digit()).0;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_secs)
}

/// Writes the number in front of the parameters that the header has.
fn write(draft: &mut Draft<'_>, id: HeaderId, seconds: u32) {
    let digits = seconds.to_string();
    let Some(at) = draft.first(id).map(|header| header.at) else {
        draft.append(id, digits.as_bytes());
        return;
    };
    draft.edit_value(at, |value, out| {
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(scan::split_where(value, |byte| byte == b';').1);
        true
    });
}

fn is_timer(tag: &[u8]) -> bool {
    elements(tag).any(|tag| tag.eq_ignore_ascii_case(TIMER))
}

/// A number of seconds in front of parameters; one beyond all numbers is the greatest.
fn seconds(value: &[u8]) -> Option<u32> {
    let digits = scan::trim(scan::split_where(value, |byte| byte == b';').0);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| scan::number(digits).unwrap_or(u32::MAX))
}

fn was(asked: Option<u32>) -> String {
    asked.map_or_else(|| "there was none".to_owned(), |asked| format!("it was {asked}"))
}

fn step(detail: String, clause: &'static str) -> Step {
    Step { stage: Stage::Rewrite, rule: None, outcome: "session timer", detail, clause: Some(clause) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::testing::{edited_headers, edited_response, with_message};

    const OURS: SessionTimer = SessionTimer { min_s: 120, max_s: 1_800 };

    /// What becomes of the headers of an INVITE, and the interval that is remembered.
    fn bounded(headers: &[&str]) -> (Vec<String>, Option<u32>) {
        let mut remembered = None;
        let out = edited_headers(headers, |draft| {
            remembered = bound(draft, Method::Invite, OURS, &mut Trace::off()).map(NonZeroU32::get);
        });
        (out, remembered)
    }

    #[test]
    fn each_field_of_the_table_is_as_it_says() {
        let cases: [(&[&str], &[&str], Option<u32>); 11] = [
            (&["Supported: timer"], &["Supported: timer", "Session-Expires: 1800"], Some(1_800)),
            (&["Subject: x"], &["Subject: x", "Session-Expires: 1800"], None),
            (
                &["k: 100rel, Timer", "Min-SE: 3600"],
                &["k: 100rel, Timer", "Min-SE: 3600", "Session-Expires: 3600"],
                Some(3_600),
            ),
            (&["k: timer", "x: 7200;refresher=uas"], &["k: timer", "x: 1800;refresher=uas"], Some(1_800)),
            (&["k: timer", "x: 7200", "Min-SE: 3600"], &["k: timer", "x: 3600", "Min-SE: 3600"], Some(3_600)),
            (&["k: timer", "x: 600"], &["k: timer", "x: 600"], Some(600)),
            (&["x: 600"], &["x: 600"], None),
            (&["x: 90"], &["x: 120", "Min-SE: 120"], None),
            (&["x: 90", "Min-SE: 90"], &["x: 120", "Min-SE: 120"], None),
            (&["k: timer", "x: soon"], &["k: timer", "x: soon"], None),
            (&["k: timer", "x: 99999999999"], &["k: timer", "x: 1800"], Some(1_800)),
        ];
        for (headers, expected, remembered) in cases {
            let (out, found) = bounded(headers);
            assert_eq!(
                (out, found),
                (expected.iter().map(|it| (*it).to_owned()).collect(), remembered),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn only_invite_and_update_have_a_session() {
        let out = edited_headers(&["Supported: timer"], |draft| {
            assert_eq!(bound(draft, Method::Bye, OURS, &mut Trace::off()), None);
        });
        assert_eq!(out, ["Supported: timer"]);
    }

    #[test]
    fn a_2xx_without_an_interval_gets_it_and_one_with_it_keeps_it() {
        let granted = |headers: &[&str]| {
            edited_response(200, headers, |draft| {
                grant(draft, NonZeroU32::new(600).expect("not zero"), &mut Trace::off());
            })
        };
        assert_eq!(
            granted(&["Require: 100rel"]),
            ["Require: 100rel", "Require: timer", "Session-Expires: 600;refresher=uac"]
        );
        assert_eq!(granted(&["x: 300;refresher=uas"]), ["x: 300;refresher=uas"]);
    }

    #[test]
    fn too_short_is_said_only_to_a_caller_that_knows_the_timer() {
        let is = |headers: &str| {
            let text = format!("INVITE sip:b SIP/2.0\r\n{headers}\r\n\r\n");
            with_message(text.as_bytes(), |message| is_too_short(&message, OURS))
        };
        assert!(is("Supported: timer\r\nSession-Expires: 119"));
        assert!(!is("Supported: timer\r\nSession-Expires: 120"));
        assert!(!is("Session-Expires: 30"));
        assert!(!is("Supported: timer"));
    }

    #[test]
    fn two_agreements_meet_where_both_can() {
        let other = SessionTimer { min_s: 90, max_s: 100 };
        assert_eq!(bounds(Some(OURS), Some(other)), Some(SessionTimer { min_s: 120, max_s: 120 }));
        assert_eq!(bounds(None, Some(other)), Some(other));
        assert_eq!(bounds(None, None), None);
    }
}
