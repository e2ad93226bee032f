//! What the border changes on a message, and that it changes nothing else (invariant 4).

mod support;

use ibcf_sip::input::EnumOutcome;
use serde_json::json;
use support::*;

#[test]
fn charging_headers_follow_the_agreement() {
    let mut world = World::new();
    let extra = [
        "P-Charging-Vector: icid-value=\"abc\";icid-generated-at=192.0.2.10;orig-ioi=old.example",
        "P-Charging-Function-Addresses: ccf=\"aaa://ccf.a.example\"",
    ];
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "h1", 1, "", &extra, ""));
    let invite = only(&sent, "INVITE").clone();
    assert!(invite.headers("P-Charging-Function-Addresses").is_empty(), "never crosses (EX-14)");
    let vector = invite.header("P-Charging-Vector");
    assert!(vector.contains("icid-value=\"abc\"") || vector.contains("icid-value=abc"), "{vector}");
    assert!(vector.contains("orig-ioi=a.example") || vector.contains("orig-ioi=\"a.example\""), "{vector}");
    let answer = respond(
        &invite,
        "200 OK",
        "tb",
        &["P-Charging-Vector: icid-value=\"abc\";orig-ioi=a.example;term-ioi=b.example"],
    );
    let sent = world.receive(B, &answer);
    assert!(only(&sent, "SIP/2.0 200").header("P-Charging-Vector").contains("term-ioi"));
    world.handle(ibcf_sip::Input::Close);
    let record = &world.records()[0];
    assert_eq!(
        (record.icid.as_deref(), record.orig_ioi.as_deref(), record.term_ioi.as_deref()),
        (Some("abc"), Some("a.example"), Some("b.example"))
    );
}

#[test]
fn a_peer_that_answers_for_its_own_domain_gets_it_in_the_request_uri() {
    let mut ruled = policy();
    ruled["peers"][1]["request_uri_host"] = json!("ims.b.example");
    let mut world = World::with(&ruled);
    let sent =
        world.receive(A, &request("INVITE", "sip:bob@b.example:5062;user=phone", "h7", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    assert_eq!(invite.start(), "INVITE sip:bob@ims.b.example;user=phone SIP/2.0");
    world.receive(B, &respond(&invite, "200 OK", "tb", &["Contact: <sip:bob@192.0.2.77:5070>"]));
    world.handle(ibcf_sip::Input::Close);
    assert_eq!(world.records()[0].request_uri_out.as_deref(), Some("sip:bob@ims.b.example;user=phone"));

    let mut world = World::with(&ruled);
    let (_, answer) = answered_call(&mut world, "h8");
    let target = format!("sip:bob@{B}");
    let routes = routes(&answer);
    let extra: Vec<&str> = routes.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("BYE", &target, "h8", 2, "tb", &extra, ""));
    assert_eq!(
        only(&sent, "BYE").start(),
        format!("BYE {target} SIP/2.0"),
        "the remote target is the dialog's"
    );
}

#[test]
fn rules_run_on_both_sides_in_order() {
    let mut ruled = policy();
    ruled["header_rules"] = json!([
        {"id": "from_a", "rules": [
            {"id": "1", "header": "User-Agent", "action": {"kind": "remove"}},
            {"id": "2", "header": "X-Step", "action": {"kind": "set", "value": "one"}},
        ]},
        {"id": "to_b", "rules": [
            {"id": "3", "header": "X-Step", "messages": "requests", "action": {"kind": "replace", "pattern": "^(o)ne$", "regex": true, "with": "${1}ther"}},
            {"id": "4", "header": "Subject", "action": {"kind": "replace", "pattern": "secret", "regex": false, "with": "***"}},
        ]},
    ]);
    ruled["agreements"][0]["received_rules"] = json!(["from_a"]);
    ruled["agreements"][1]["sent_rules"] = json!(["to_b"]);
    let mut world = World::with(&ruled);
    let extra = ["User-Agent: x", "Subject: a secret", "X-Step: zero", "x-step: null"];
    let sent = world.receive(A, &request("INVITE", "sip:bob@b.example", "h2", 1, "", &extra, ""));
    let invite = only(&sent, "INVITE");
    assert!(invite.headers("User-Agent").is_empty());
    assert_eq!(invite.headers("X-Step"), ["other"], "the second set sees what the first did");
    assert_eq!(invite.header("Subject"), "a ***");
}

#[test]
fn variables_tell_of_the_call_in_requests_responses_and_dialogs() {
    let value = "${peer.from} > ${peer.to}";
    let mut ruled = policy();
    ruled["header_rules"] = json!([
        {"id": "told", "rules": [
            {"id": "1", "header": "X-Way", "action": {"kind": "set", "value": value}},
            {"id": "2", "header": "X-Called", "action": {"kind": "set", "value": "<${request.uri}>"}},
            {"id": "3", "header": "X-Enum", "action": {"kind": "set", "value": "${enum.outcome} ${call.called}"}},
        ]},
    ]);
    for agreement in 0..2 {
        ruled["agreements"][agreement]["sent_rules"] = json!(["told"]);
    }
    let mut world = World::with(&ruled);
    world.receive(A, &request("INVITE", "tel:+441632960083", "h9", 1, "", &[], ""));
    let sent = world.answer(EnumOutcome::Found, &["sip:bob@b.example;user=phone"], 0);
    let invite = only(&sent, "INVITE").clone();
    let told = |message: &Sent| ["X-Way", "X-Called", "X-Enum"].map(|name| message.header(name).to_owned());
    let of_the_call = ["carrier_a > carrier_b", "<sip:bob@b.example;user=phone>", "found +441632960083"];
    assert_eq!(told(&invite), of_the_call);
    let sent = world.receive(B, &respond(&invite, "200 OK", "tb", &["Contact: <sip:bob@192.0.2.77:5070>"]));
    let answer = only(&sent, "SIP/2.0 200").clone();
    assert_eq!(told(&answer), of_the_call, "a response tells of its request");
    let target = format!("sip:bob@{B}");
    let routes = routes(&answer);
    let extra: Vec<&str> = routes.iter().map(String::as_str).collect();
    let sent = world.receive(A, &request("BYE", &target, "h9", 2, "tb", &extra, ""));
    assert_eq!(
        told(only(&sent, "BYE")),
        ["carrier_a > carrier_b", format!("<{target}>").as_str(), ""],
        "nothing was looked up inside the dialog"
    );
}

#[test]
fn what_no_rule_names_passes_byte_for_byte() {
    let mut world = World::new();
    let extra = ["x-weird  :   spaced\t", "Subject: folded\r\n \tvalue", "Accept: a/b,c/d", "accept: e/f"];
    let body = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n\x01binary\r\n";
    let text = request("INVITE", "sip:bob@b.example", "h3", 1, "", &extra, body);
    let sent = world.receive(A, &text);
    let invite = only(&sent, "INVITE");
    for line in extra {
        assert!(invite.text.contains(&format!("{line}\r\n")), "{line:?} in {}", invite.text);
    }
    assert!(invite.text.ends_with(body));
}

#[test]
fn the_response_goes_where_rport_says() {
    let mut world = World::new();
    let text = request("OPTIONS", "sip:ibcf.a.example", "h4", 1, "", &[], "");
    let behind_nat = text.replace(&format!("Via: SIP/2.0/UDP {A};"), "Via: SIP/2.0/UDP 10.0.0.1:5062;rport;");
    let sent = world.receive("192.0.2.10:49152", &behind_nat);
    assert_eq!(sent[0].to, "192.0.2.10:49152".parse().unwrap());
    assert!(sent[0].header("Via").contains("received=192.0.2.10"), "{}", sent[0].header("Via"));
    assert!(sent[0].header("Via").contains("rport=49152"));
    let without = text.replace(&format!("Via: SIP/2.0/UDP {A};"), "Via: SIP/2.0/UDP 10.0.0.1:5062;");
    let sent = world.receive("192.0.2.10:49152", &without.replace("z9hG4bKh4", "z9hG4bKi4"));
    assert_eq!(sent[0].to, "192.0.2.10:5062".parse().unwrap());
}
