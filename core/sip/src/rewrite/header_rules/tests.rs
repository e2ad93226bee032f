use super::*;
use crate::rewrite::testing::{edited_headers, edited_response};

fn set(rules: serde_json::Value) -> HeaderRuleSet {
    HeaderRuleSet { id: "s".to_owned(), rules: serde_json::from_value(rules).unwrap() }
}

fn rule(header: &str, action: &serde_json::Value) -> HeaderRuleSet {
    set(serde_json::json!([{ "id": "r", "header": header, "action": action }]))
}

fn replace(header: &str, pattern: &str, with: &str) -> HeaderRuleSet {
    rule(header, &serde_json::json!({ "kind": "replace", "pattern": pattern, "regex": true, "with": with }))
}

fn run(set: &HeaderRuleSet, headers: &[&str]) -> (Vec<String>, Vec<Step>) {
    let rules = HeaderRules::compile(set).unwrap();
    let mut trace = Trace::on();
    let out = edited_headers(headers, |draft| rules.apply(draft, true, Method::Invite, &mut trace));
    (out, trace.take())
}

fn outcomes(steps: &[Step]) -> Vec<(&str, &str)> {
    steps.iter().map(|step| (step.outcome, step.detail.as_str())).collect()
}

#[test]
fn rules_run_in_order_and_each_sees_what_the_ones_before_it_did() {
    let rules = set(serde_json::json!([
        { "id": "add", "header": "X-A", "action": { "kind": "add", "value": "1" } },
        { "id": "again", "header": "x-a", "action": { "kind": "add", "value": "2" } },
        { "id": "text", "header": "X-A", "action": { "kind": "replace", "pattern": "2", "regex": false, "with": "$1." } },
        { "id": "set", "header": "Server", "action": { "kind": "set", "value": "ibcf" } },
        { "id": "none", "header": "User-Agent", "action": { "kind": "remove" } },
        { "id": "gone", "header": "s", "action": { "kind": "remove" } },
    ]));
    let (out, steps) = run(&rules, &["X-A: 0", "Server: a", "SERVER: b", "Subject: x", "To: t"]);
    assert_eq!(out, ["X-A: 0", "X-A: 1", "x-a: $1.", "Server: ibcf", "To: t"]);
    let ids: Vec<_> = steps.iter().map(|step| (step.rule.as_deref().unwrap(), step.outcome)).collect();
    assert_eq!(
        ids,
        [("add", "added"), ("again", "added"), ("text", "replaced"), ("set", "set"), ("gone", "removed")]
    );
}

#[test]
fn a_rule_is_for_its_messages_and_methods_only() {
    let rules = HeaderRules::compile(&set(serde_json::json!([
        { "id": "1", "messages": "requests", "header": "X-R", "action": { "kind": "add", "value": "q" } },
        { "id": "2", "messages": "responses", "header": "X-R", "action": { "kind": "add", "value": "p" } },
        { "id": "3", "methods": ["BYE", "INVITE"], "header": "X-R", "action": { "kind": "add", "value": "i" } },
    ])))
    .unwrap();
    let apply =
        |draft: &mut Draft<'_>, is_request, method| rules.apply(draft, is_request, method, &mut Trace::off());
    let requests = edited_headers(&["To: t"], |draft| apply(draft, true, Method::Invite));
    assert_eq!(requests, ["To: t", "X-R: q", "X-R: i"]);
    let requests = edited_headers(&["To: t"], |draft| apply(draft, true, Method::Other(b"invite")));
    assert_eq!(requests, ["To: t", "X-R: q"]);
    let responses = edited_response(200, &["To: t"], |draft| apply(draft, false, Method::Bye));
    assert_eq!(responses, ["To: t", "X-R: p", "X-R: i"]);
}

#[test]
fn captures_go_where_the_template_says() {
    let contact = "Contact: \"10.1\" <sip:bob@10.1.2.3>;q=1";
    for (pattern, with, expected) in [
        (r"sip:(.*)@10\.", "sip:$1@192.", "Contact: \"10.1\" <sip:bob@192.1.2.3>;q=1"),
        (r"(?<user>\w+)@", "${user}1$user@", "Contact: \"10.1\" <sip:bob1bob@10.1.2.3>;q=1"),
        (r"sip:(\w)", "sip:$1x$$0", "Contact: \"10.1\" <sip:bx$0ob@10.1.2.3>;q=1"),
        (r"(q)=1|(z)", "$2$1=0", "Contact: \"10.1\" <sip:bob@10.1.2.3>;q=0"),
        (r"\d", "", "Contact: \".\" <sip:bob@...>;q="),
        (r"$", ";end", "Contact: \"10.1\" <sip:bob@10.1.2.3>;q=1;end"),
    ] {
        assert_eq!(run(&replace("m", pattern, with), &[contact]).0, [expected], "{pattern}");
    }
}

#[test]
fn a_folded_value_is_read_as_one_line_and_stays_folded_without_a_match() {
    let headers = ["Subject: one\r\n  two", "Subject: three\r\n four"];
    let (out, _) = run(&replace("Subject", "one two", "ok"), &headers);
    assert_eq!(out, ["Subject: ok", "Subject: three", " four"]);
}

#[test]
fn bytes_that_are_no_text_hide_nothing_from_a_pattern() {
    let rules = HeaderRules::compile(&replace("Subject", "a.*z", "-")).unwrap();
    let out =
        crate::rewrite::testing::edited(b"OPTIONS sip:b SIP/2.0\r\nSubject: a\xff\xfez!\r\n\r\n", |draft| {
            rules.apply(draft, true, Method::Options, &mut Trace::off());
        });
    assert_eq!(out, b"OPTIONS sip:b SIP/2.0\r\nSubject: -!\r\n\r\n");
}

#[test]
fn a_result_that_would_break_the_message_is_refused() {
    // a bare line end in a received value would be carried by a capture; `check` refuses such messages before
    let rules = HeaderRules::compile(&replace("Subject", "(?s)x(.*)", "$1")).unwrap();
    for bad in [&b"x\rEvil: 1"[..], b"x\0", b"xa\rb"] {
        let mut trace = Trace::on();
        let message = [b"OPTIONS sip:b SIP/2.0\r\nSubject: ", bad, b"\r\n\r\n"].concat();
        let out = crate::rewrite::testing::edited(&message, |draft| {
            rules.apply(draft, true, Method::Options, &mut trace);
        });
        assert_eq!(out, message);
        assert_eq!(outcomes(&trace.take()), [("refused", "Subject: the result holds a line end or NUL")]);
    }
    let long = format!("Subject: {}", "x".repeat(3_000));
    let (out, steps) = run(&replace("Subject", "x", "xxxx"), &[&long]);
    assert_eq!(out, [long]);
    assert_eq!(outcomes(&steps), [("refused", "Subject: the result is too long")]);
    let text = serde_json::json!({ "kind": "replace", "pattern": "x", "regex": false, "with": "yyyy" });
    let long = format!("Subject: {}", "x".repeat(3_000));
    assert_eq!(
        outcomes(&run(&rule("Subject", &text), &[&long]).1),
        [("refused", "Subject: the result is too long")]
    );
}

#[test]
fn from_and_to_may_change_but_not_their_tag() {
    let from = "From: \"A\" <sip:0200@a>;tag=0200";
    let (out, _) = run(&replace("f", "sip:0", "sip:+44"), &[from]);
    assert_eq!(out, ["From: \"A\" <sip:+44200@a>;tag=0200"]);
    for (pattern, with) in [("0200", "1"), (";tag=.*", ""), ("^", "\"open "), (".+", "")] {
        let (out, steps) = run(&replace("From", pattern, with), &[from]);
        assert_eq!(out, [from], "{pattern}");
        assert_eq!(outcomes(&steps), [("refused", "From: the result has another tag, or is no address")]);
    }
}

#[test]
fn rules_that_would_break_calls_are_refused() {
    let problem = |set: &HeaderRuleSet| HeaderRules::compile(set).unwrap_err().to_string();
    let actions = [
        serde_json::json!({ "kind": "add", "value": "v" }),
        serde_json::json!({ "kind": "set", "value": "v" }),
        serde_json::json!({ "kind": "remove" }),
        serde_json::json!({ "kind": "replace", "pattern": "a", "regex": false, "with": "b" }),
    ];
    for action in &actions {
        for name in [
            "Via",
            "v",
            "route",
            "Record-Route",
            "Call-ID",
            "i",
            "CSEQ",
            "Max-Forwards",
            "l",
            "Authorization",
            "WWW-Authenticate",
        ] {
            let found = problem(&rule(name, action));
            assert!(found.starts_with("header_rules[s].rules[r].header: no rule may touch "), "{found}");
        }
        let found = problem(&rule("X: 1\r\nY", action));
        assert!(found.ends_with("is not a header name"), "{found}");
    }
    for action in &actions[..3] {
        for name in ["From", "t"] {
            assert!(problem(&rule(name, action)).contains("rules[r].action: "), "{name}");
        }
    }
}

#[test]
fn texts_that_cannot_stand_in_a_header_are_refused() {
    let problem = |set: &HeaderRuleSet| HeaderRules::compile(set).unwrap_err().to_string();
    for bad in ["a\r\nX: 1", "a\n", "a\0", &"x".repeat(VALUE_BYTES_MAX + 1)] {
        for kind in ["add", "set"] {
            let found = problem(&rule("X-A", &serde_json::json!({ "kind": kind, "value": bad })));
            assert_eq!(found, "header_rules[s].rules[r].value: must fit on one header line");
        }
        assert_eq!(
            problem(&replace("X-A", "a", bad)),
            "header_rules[s].rules[r].with: must fit on one header line"
        );
    }
    assert!(problem(&replace("X-A", "", "b")).ends_with(".pattern: is empty: say what to look for"));
    assert!(problem(&replace("X-A", "(", "b")).contains(".pattern: "));
    assert!(problem(&replace("X-A", "(?:a{1000}){1000}", "b")).contains(".pattern: "));
    for (with, named) in [("$1", "1"), ("$", ""), ("${x}", "x"), ("$name", "name")] {
        let expected = format!("the pattern has no group \"{named}\"; write $$ for a dollar sign");
        assert!(problem(&replace("X-A", "a", with)).ends_with(&expected), "{with}");
    }
    assert!(problem(&replace("X-A", "(a)", "${1")).ends_with("`${` without `}`"));
}
