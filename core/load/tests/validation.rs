//! What a bad network or a bad proxy does to a call is found out, and told by the right cause.

mod common;

use common::stand_in::{Mangle, StandIn, is_request, is_response, with_line, without};
use common::{options, play};
use ibcf_load::options::Options;
use ibcf_load::{Load, Report};

const CALLS: u64 = 3;

fn run(options: Options, mangle: Mangle) -> Report {
    let mut load = Load::bind(options).expect("bound");
    let stand_in = StandIn::between(&mut load, mangle);
    let (_, report) = play(&mut load);
    drop(stand_in);
    report
}

fn play_with(words: &str, mangle: Mangle) -> Report {
    run(options(&format!("--rate 100 --calls {CALLS} --timeout-ms 2000 {words}")), mangle)
}

/// Every call failed, and of this cause.
fn assert_cause(what: &str, report: &Report, cause: &str) {
    assert!(!report.is_clean(), "{what}");
    let causes: Vec<_> = report.causes().into_iter().collect();
    assert_eq!(causes, [(cause.to_owned(), CALLS)], "{what}: {}", report.to_json());
}

type Case = Box<dyn FnOnce() + Send>;

/// Most of their time is waiting for what never comes.
fn all_at_once(cases: Vec<Case>) {
    std::thread::scope(|scope| cases.into_iter().for_each(|case| drop(scope.spawn(case))));
}

/// Drops every message for which *is_it* holds.
fn drop_all(is_it: impl Fn(&str) -> bool + Send + 'static) -> Mangle {
    Box::new(move |message| if is_it(message) { Vec::new() } else { vec![message.to_owned()] })
}

/// Sends *change* in place of every message for which *is_it* holds.
fn change(
    is_it: impl Fn(&str) -> bool + Send + 'static,
    change: impl Fn(&str) -> Vec<String> + Send + 'static,
) -> Mangle {
    Box::new(move |message| if is_it(message) { change(message) } else { vec![message.to_owned()] })
}

fn is_answer(message: &str) -> bool {
    is_response(message, 200, "INVITE")
}

fn is_invite(message: &str) -> bool {
    is_request(message, "INVITE")
}

#[test]
fn every_message_that_is_lost_has_its_cause() {
    let request = |method: &'static str| drop_all(move |message| is_request(message, method));
    let response =
        |status: u16, method: &'static str| drop_all(move |message| is_response(message, status, method));
    let mut cases = Vec::<Case>::new();
    for (words, mangle, cause) in [
        ("--scenario call", request("INVITE"), "no_request"),
        ("--scenario call", response(180, "INVITE"), "no_ringing"),
        ("--scenario call", response(200, "INVITE"), "no_answer"),
        ("--scenario call", request("ACK"), "no_ack"),
        ("--scenario call", request("BYE"), "no_bye"),
        ("--scenario call", response(200, "BYE"), "no_bye_answer"),
        ("--scenario ringing", response(486, "INVITE"), "no_answer"),
        ("--scenario ringing", request("ACK"), "no_ack"),
        ("--scenario ringing --end cancel", request("CANCEL"), "no_cancel"),
        ("--scenario register", request("REGISTER"), "no_request"),
        ("--scenario register", response(200, "REGISTER"), "no_answer"),
        ("--scenario message", response(200, "MESSAGE"), "no_answer"),
    ] {
        cases.push(Box::new(move || assert_cause(words, &play_with(words, mangle), cause)));
    }
    all_at_once(cases);
}

#[test]
fn a_message_that_comes_twice_is_counted_and_harms_nobody() {
    let all_twice: fn() -> Mangle = || Box::new(|message| vec![message.to_owned(), message.to_owned()]);
    for scenario in ["call", "ringing", "ringing --end cancel", "answered", "register", "message"] {
        let report = play_with(&format!("--scenario {scenario}"), all_twice());
        let result = report.to_json();
        assert!(report.is_clean(), "{scenario}: {result}");
        let again = &result["retransmissions"];
        let seen = again["seen"].as_u64().zip(again["late"].as_u64()).map_or(0, |(seen, late)| seen + late);
        assert!(seen >= CALLS, "{scenario}: {result}");
        assert_eq!(again["sent"], 0);
    }
}

#[test]
fn every_part_of_a_response_that_is_not_ours_has_its_cause() {
    type Change = fn(&str) -> Vec<String>;
    let changes: [(&str, Change); 14] = [
        ("call_id", |message| {
            vec![message.replace("@pcscf3.visited1.example\r\nCSeq", "@other.example\r\nCSeq")]
        }),
        ("from", |message| vec![message.replace("From: \"Alice", "From: \"Alina")]),
        ("to", |message| vec![message.replacen("To: <sip:+49", "To: <sip:+48", 1)]),
        ("cseq", |message| vec![message.replace("CSeq: 1 ", "CSeq: 2 ")]),
        ("branch", |message| vec![message.replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1)]),
        ("vias", |message| vec![message.replace("branch=z9hG4bKe02c", "branch=z9hG4bKe02d")]),
        ("vias", |message| vec![with_line(message, "From", "Via: SIP/2.0/UDP more.example;branch=z9hG4bK1")]),
        ("vias", |message| vec![message.replace("Via: SIP/2.0/UDP pcscf3", "X-Via: SIP/2.0/UDP pcscf3")]),
        ("record_route_changed", |message| vec![without(message, "Record-Route")]),
        ("record_route_changed", |message| vec![message.replace("odi=0be41d75c3a8", "odi=0")]),
        ("body", |message| vec![message.replace("c=IN IP4 198.51.100.7", "c=IN IP4 198.51.100.8")]),
        ("contact", |message| vec![without(message, "Contact")]),
        ("status_503", |message| vec![message.replace("SIP/2.0 200 OK", "SIP/2.0 503 No")]),
        ("status_202", |message| vec![message.replace("SIP/2.0 200 OK", "SIP/2.0 202 OK")]),
    ];
    let case = |(cause, alter): (&'static str, Change)| -> Case {
        Box::new(move || assert_cause(cause, &play_with("--scenario call", change(is_answer, alter)), cause))
    };
    all_at_once(changes.into_iter().map(case).collect());
    let tag: Change = |message| vec![message.replacen("t00000", "t0000f", 1)];
    assert_cause("the tag of another", &play_with("--scenario call", change(is_answer, tag)), "to");
}

#[test]
fn responses_out_of_place_have_their_causes() {
    let second_final = change(is_answer, |message| {
        vec![message.to_owned(), message.replace("Server: PeerBorder", "Server: OtherBorder")]
    });
    assert_cause("a second 200", &play_with("--scenario call", second_final), "second_final");
    let late = change(is_answer, |message| {
        vec![message.to_owned(), message.replace("SIP/2.0 200 OK", "SIP/2.0 180 Ringing")]
    });
    assert_cause("180 behind 200", &play_with("--scenario call", late), "provisional_after_final");
    let unsent = change(
        |message| is_response(message, 180, "INVITE"),
        |message| vec![message.to_owned(), message.replace("SIP/2.0 180 Ringing", "SIP/2.0 183 Progress")],
    );
    assert_cause("183", &play_with("--scenario call", unsent), "unexpected_provisional");
    let early = change(
        |message| is_response(message, 180, "INVITE"),
        |message| vec![message.to_owned(), message.replace("SIP/2.0 180 Ringing", "SIP/2.0 486 Busy")],
    );
    assert_cause("486 before its time", &play_with("--scenario ringing", early), "status_486");
}

#[test]
fn every_part_of_a_request_that_is_not_ours_has_its_cause() {
    type Change = fn(&str) -> Vec<String>;
    let changes: [(&str, &str, &str, Change); 10] = [
        ("call", "INVITE", "call_id", |message| vec![message.replace("Call-ID: ", "Call-ID: x")]),
        ("call", "INVITE", "request_uri", |message| {
            vec![message.replacen("+4930123456@", "+4930123457@", 1)]
        }),
        ("call", "INVITE", "max_forwards", |message| vec![message.replace("Forwards: 67", "Forwards: 66")]),
        ("call", "INVITE", "body", |message| vec![message.replace("a=ptime:20", "a=ptime:30")]),
        ("call", "INVITE", "second_request", |message| {
            vec![message.to_owned(), message.replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1)]
        }),
        ("call", "BYE", "request_uri", |message| vec![message.replacen("ibcf-b@", "ibcf-c@", 1)]),
        ("call", "ACK", "max_forwards", |message| vec![without(message, "Max-Forwards")]),
        ("call", "BYE", "unexpected_request", |message| {
            vec![message.replace("BYE sip", "INFO sip").replace("2 BYE", "2 INFO"), message.to_owned()]
        }),
        ("register", "REGISTER", "path", |message| vec![without(message, "Path")]),
        ("message", "MESSAGE", "body", |message| vec![message.replace("the coast", "the Coast")]),
    ];
    for (scenario, method, cause, alter) in changes {
        let mangle = change(move |message| is_request(message, method), alter);
        assert_cause(cause, &play_with(&format!("--scenario {scenario}"), mangle), cause);
    }
    let no_service_route = change(
        |message| is_response(message, 200, "REGISTER"),
        |message| vec![without(message, "Service-Route")],
    );
    assert_cause("200", &play_with("--scenario register", no_service_route), "service_route");
}

#[test]
fn a_call_id_may_be_masked_if_that_is_told() {
    let mask: fn() -> Mangle = || {
        Box::new(|message| {
            let is_from_uac = !message.starts_with("SIP/2.0");
            let (from, to) =
                if is_from_uac { ("Call-ID: ", "Call-ID: x") } else { ("Call-ID: x", "Call-ID: ") };
            vec![message.replace(from, to)]
        })
    };
    assert_cause("masked", &play_with("--scenario call", mask()), "call_id");
    let report = play_with("--scenario call --call-id-masked", mask());
    assert!(report.is_clean(), "{}", report.to_json());
}

#[test]
fn a_message_of_no_call_is_a_stray_and_the_run_is_not_clean() {
    let mangle = change(is_invite, |message| vec![message.to_owned(), message.replace(";tag=", ";tag=x")]);
    let report = play_with("--scenario call", mangle);
    assert_eq!(report.ok(), CALLS);
    assert!(!report.is_clean());
    assert_eq!(report.causes().into_iter().collect::<Vec<_>>(), [("stray".to_owned(), CALLS)]);
    let garbage = change(is_invite, |message| vec!["nothing".to_owned(), message.to_owned()]);
    assert_eq!(play_with("--scenario call", garbage).causes()["stray"], CALLS);
}

#[test]
fn what_is_lost_once_is_sent_again_if_that_is_told() {
    let mut dropped = Vec::new();
    let once: Mangle = Box::new(move |message| {
        let kinds = [
            is_invite(message),
            is_answer(message),
            is_request(message, "BYE"),
            is_response(message, 200, "BYE"),
        ];
        let Some(kind) = kinds.iter().position(|is_it| *is_it) else { return vec![message.to_owned()] };
        let call =
            message.split("Call-ID: ").nth(1).map_or("", |rest| rest.lines().next().unwrap_or_default());
        let key = (kind, call.to_owned());
        if dropped.contains(&key) {
            return vec![message.to_owned()];
        }
        dropped.push(key);
        Vec::new()
    });
    let words = format!("--scenario call --rate 100 --calls {CALLS} --timeout-ms 20000 --retransmit");
    let report = run(options(&words), once);
    let result = report.to_json();
    assert!(report.is_clean(), "{result}");
    // INVITE, its 200, BYE, and BYE once more for its 200.
    assert!(result["retransmissions"]["sent"].as_u64() >= Some(4 * CALLS), "{result}");
}

/// Does what a proxy has to do to requests, and undoes it on responses.
fn proxy(skip: &'static str) -> Mangle {
    Box::new(move |message| {
        if message.starts_with("SIP/2.0") {
            return vec![message.replacen("Via: SIP/2.0/UDP proxy.example;branch=z9hG4bKp\r\n", "", 1)];
        }
        let mut message = with_line(message, "Via", "Via: SIP/2.0/UDP proxy.example;branch=z9hG4bKp");
        if skip != "Route" {
            message = without(&message, "Route");
        }
        if skip != "Max-Forwards" {
            message = message.replace("Max-Forwards: 67", "Max-Forwards: 66");
        }
        if skip != "Record-Route" {
            let at = "<sip:second.proxy.example;lr>, <sip:first.proxy.example;lr>";
            message = with_line(&message, "Record-Route", &format!("Record-Route: {at}"));
        }
        vec![message]
    })
}

#[test]
fn a_proxy_that_does_its_part_is_clean_and_one_that_leaves_something_out_is_not() {
    let run_behind = |skip| {
        let words =
            format!("--scenario call --rate 100 --calls {CALLS} --timeout-ms 2000 --expect-record-route");
        let mut options = options(&words);
        options.expected.transparent = false;
        options.is_direct = false;
        run(options, proxy(skip))
    };
    let report = run_behind("");
    assert!(report.is_clean(), "{}", report.to_json());
    assert_cause("Max-Forwards", &run_behind("Max-Forwards"), "max_forwards");
    assert_cause("Record-Route", &run_behind("Record-Route"), "record_route");
    assert_cause("Route", &run_behind("Route"), "route_left");
}

#[test]
fn ack_and_bye_follow_the_route_set_of_the_answer() {
    let mut inner = proxy("");
    let spy: Mangle = Box::new(move |message| {
        if is_request(message, "ACK") || is_request(message, "BYE") {
            let routes: Vec<_> = message.lines().filter(|line| line.starts_with("Route: ")).collect();
            let expected = ["Route: <sip:first.proxy.example;lr>", "Route: <sip:second.proxy.example;lr>"];
            assert_eq!(routes, expected);
            assert!(message.split(' ').nth(1).is_some_and(|uri| uri.starts_with("sip:ibcf-b@127.0.0.1:")));
        }
        inner(message)
    });
    let mut options = options(&format!("--scenario call --rate 100 --calls {CALLS}"));
    options.expected.transparent = false;
    let report = run(options, spy);
    assert!(report.is_clean(), "{}", report.to_json());
}
