use super::*;
use crate::rewrite::testing::{edited_headers, edited_response};

const FULL: &str = "P-Charging-Vector: icid-value=\"a;b\" ; icid-generated-at=1.2.3.4;ORIG-IOI=\"far.example\";\
access-network-charging-info=(gprs);fe-identifier=\"x\";term-ioi=odd;x-own=\"1;2\"";

fn agreed(orig_ioi: Option<&str>, term_ioi: Option<&str>, removed: &[&str]) -> Charging {
    Charging {
        orig_ioi: orig_ioi.map(str::to_owned),
        term_ioi: term_ioi.map(str::to_owned),
        removed_parameters: removed.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn request(headers: &[&str], charging: &Charging, trusted: bool) -> (Vec<String>, RequestCharging) {
    let mut facts = RequestCharging::default();
    let out = edited_headers(headers, |draft| {
        facts =
            apply_request(draft, charging, trusted, || "new-1".to_owned(), "node.example", &mut Trace::off());
    });
    (out, facts)
}

fn response(
    status: u16,
    headers: &[&str],
    charging: &Charging,
    trusted: bool,
    (icid, orig_ioi): (Option<&str>, Option<&str>),
) -> (Vec<String>, Option<String>) {
    let mut facts = ResponseCharging::default();
    let out = edited_response(status, headers, |draft| {
        facts = apply_response(draft, charging, trusted, icid, orig_ioi, &mut Trace::off());
    });
    (out, facts.term_ioi)
}

#[test]
fn a_trusted_request_keeps_its_icid_and_gets_our_orig_ioi() {
    let (out, facts) = request(&["To: t", FULL, "From: f"], &agreed(Some("near.example"), None, &[]), true);
    let expected = "P-Charging-Vector: icid-value=\"a;b\" ; icid-generated-at=1.2.3.4;orig-ioi=near.example;x-own=\"1;2\"";
    assert_eq!(out, ["To: t", expected, "From: f"]);
    assert_eq!((facts.icid.as_deref(), facts.orig_ioi.as_deref()), (Some("a;b"), Some("far.example")));
}

#[test]
fn a_vector_with_nothing_to_change_stays_as_written() {
    let line = "p-charging-vector :icid-value=1 ;\r\n\torig-ioi=\"far.example\"; y";
    let expected: Vec<_> = line.split("\r\n").collect();
    let (out, facts) = request(&[line], &Charging::default(), true);
    assert_eq!(out, expected);
    assert_eq!(facts.orig_ioi.as_deref(), Some("far.example"));
    assert_eq!(request(&[line], &agreed(Some("far.example"), None, &[]), true).0, expected);
}

#[test]
fn a_request_without_a_vector_to_believe_gets_a_new_one() {
    let new = "P-Charging-Vector: icid-value=new-1;icid-generated-at=node.example";
    for (headers, trusted) in [
        (&["To: t"][..], true),
        (&["To: t"], false),
        (&["P-Charging-Vector: icid-value=1", "To: t", "P-Charging-Vector: icid-value=2"], false),
        (&["P-Charging-Vector: orig-ioi=x", "To: t"], true),
        (&["P-Charging-Vector: icid-value=\"\"", "To: t"], true),
    ] {
        let (out, facts) = request(headers, &Charging::default(), trusted);
        assert_eq!(out, ["To: t", new], "{headers:?}");
        assert_eq!((facts.icid.as_deref(), facts.orig_ioi), (Some("new-1"), None));
        let (out, _) = request(headers, &agreed(Some("Type 1near"), None, &[]), trusted);
        assert_eq!(out, ["To: t".to_owned(), format!("{new};orig-ioi=\"Type 1near\"")], "{headers:?}");
    }
}

#[test]
fn only_the_first_of_several_vectors_counts() {
    let headers = ["P-Charging-Vector: icid-value=1", "P-Charging-Vector: icid-value=2"];
    assert_eq!(request(&headers, &Charging::default(), true).0, ["P-Charging-Vector: icid-value=1"]);
}

#[test]
fn identifiers_of_type_3_never_cross_and_the_others_do() {
    let of = |ioi: &str| {
        request(&[&format!("P-Charging-Vector: icid-value=1;orig-ioi={ioi}")], &Charging::default(), true).0
    };
    assert_eq!(of("\"Type 3as.example\""), ["P-Charging-Vector: icid-value=1"]);
    assert_eq!(of("\"Type 1home1.net\""), ["P-Charging-Vector: icid-value=1;orig-ioi=\"Type 1home1.net\""]);
    assert_eq!(of("home1.net"), ["P-Charging-Vector: icid-value=1;orig-ioi=home1.net"]);
}

#[test]
fn what_the_agreement_takes_out_is_gone() {
    let (out, _) = request(&[FULL], &agreed(None, None, &["X-Own", "icid-generated-at", "orig-ioi"]), true);
    assert_eq!(out, ["P-Charging-Vector: icid-value=\"a;b\""]);
    let withheld = agreed(Some("near"), Some("near"), &["icid-value"]);
    let (out, facts) = request(&[FULL, "To: t"], &withheld, true);
    assert_eq!((out, facts.icid.as_deref()), (vec!["To: t".to_owned()], Some("a;b")));
    let (out, facts) = request(&["To: t"], &withheld, true);
    assert_eq!((out, facts.icid.as_deref()), (vec!["To: t".to_owned()], Some("new-1")));
    assert_eq!(response(200, &["To: t"], &withheld, true, (Some("1"), None)).0, ["To: t"]);
}

#[test]
fn a_response_has_the_vector_of_its_request_and_our_term_ioi() {
    let line = "P-Charging-Vector: icid-value=new-1;orig-ioi=near;term-ioi=\"far.example\"";
    let own = agreed(None, Some("near.example"), &[]);
    let (out, term_ioi) =
        response(200, &[line, "To: t"], &own, true, (Some("old 1"), Some("caller.example")));
    let expected = "P-Charging-Vector: icid-value=\"old 1\";orig-ioi=caller.example;term-ioi=near.example";
    assert_eq!(out, [expected, "To: t"]);
    assert_eq!(term_ioi.as_deref(), Some("far.example"));
    let (out, _) = response(200, &[line], &Charging::default(), true, (Some("new-1"), None));
    assert_eq!(out, ["P-Charging-Vector: icid-value=new-1;term-ioi=\"far.example\""]);
    assert_eq!(response(200, &[line], &Charging::default(), true, (None, None)).0, [line]);
}

#[test]
fn a_response_without_a_vector_gets_one_where_it_is_due() {
    let own = agreed(None, Some("near.example"), &[]);
    let new = "P-Charging-Vector: icid-value=1;orig-ioi=caller;term-ioi=near.example";
    for (status, charging, trusted, icid, is_added) in [
        (183, &own, true, Some("1"), true),
        (200, &own, false, Some("1"), true),
        (404, &own, true, Some("1"), false),
        (200, &own, true, None, false),
        (404, &Charging::default(), true, Some("1"), false),
    ] {
        let headers = if trusted { &["To: t"][..] } else { &["To: t", "P-Charging-Vector: icid-value=9"] };
        let (out, _) = response(status, headers, charging, trusted, (icid, Some("caller")));
        let expected: &[&str] = if is_added { &["To: t", new] } else { &["To: t"] };
        assert_eq!(out, expected, "{status} {icid:?}");
    }
    let (out, _) = response(200, &["To: t"], &Charging::default(), true, (Some("1"), Some("caller")));
    assert_eq!(
        out,
        ["To: t", "P-Charging-Vector: icid-value=1;orig-ioi=caller"],
        "the caller's own names come back"
    );
    assert_eq!(response(200, &["To: t"], &Charging::default(), true, (Some("1"), None)).0, ["To: t"]);
}

#[test]
fn a_trying_never_has_a_vector() {
    let (out, _) = response(
        100,
        &["P-Charging-Vector: icid-value=1", "To: t"],
        &Charging::default(),
        true,
        (Some("1"), None),
    );
    assert_eq!(out, ["To: t"]);
}

#[test]
fn a_name_cannot_leave_its_quotes() {
    let (out, _) = request(&["P-Charging-Vector: icid-value=1"], &agreed(Some("a\";x=\\"), None, &[]), true);
    assert_eq!(out, ["P-Charging-Vector: icid-value=1;orig-ioi=\"a\\\";x=\\\\\""]);
    let vector = ChargingVector::parse(b"icid-value=1;orig-ioi=\"a\\\";x=\\\\\"").unwrap();
    assert_eq!(vector.orig_ioi, Some(&b"a\\\";x=\\\\"[..]));
}

#[test]
fn the_trace_says_what_was_done() {
    let mut trace = Trace::on();
    edited_headers(&["P-Charging-Vector: icid-value=1"], |draft| {
        apply_request(draft, &agreed(Some("near"), None, &[]), false, || "2".to_owned(), "n", &mut trace);
    });
    let details: Vec<_> = trace.take().into_iter().map(|step| (step.outcome, step.detail)).collect();
    let expected = [
        ("removed", "P-Charging-Vector: 1 header(s) from an untrusted peer"),
        ("added", "P-Charging-Vector: a new vector with icid-value 2"),
        ("rewritten", "P-Charging-Vector: icid-value=2;icid-generated-at=n;orig-ioi=near"),
    ];
    assert_eq!(details, expected.map(|(outcome, detail)| (outcome, detail.to_owned())));
}
