use super::*;
use crate::rewrite::testing::{edited_headers, edited_response};

/// What the variables of the tests are.
struct Known(&'static [(Variable, &'static str)]);

impl VariableValues for Known {
    fn write(&self, variable: Variable, _: &Draft<'_>, out: &mut ShortText) {
        let known = self.0.iter().find(|(known, _)| *known == variable);
        out.extend_from_slice(known.map_or("", |(_, value)| value).as_bytes());
    }
}

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
    let out = edited_headers(headers, |draft| rules.apply(draft, Method::Invite, &Known(&[]), &mut trace));
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
    let apply = |draft: &mut Draft<'_>, method| rules.apply(draft, method, &Known(&[]), &mut Trace::off());
    let requests = edited_headers(&["To: t"], |draft| apply(draft, Method::Invite));
    assert_eq!(requests, ["To: t", "X-R: q", "X-R: i"]);
    let requests = edited_headers(&["To: t"], |draft| apply(draft, Method::Other(b"invite")));
    assert_eq!(requests, ["To: t", "X-R: q"]);
    let responses = edited_response(200, &["To: t"], |draft| apply(draft, Method::Bye));
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
            rules.apply(draft, Method::Options, &Known(&[]), &mut Trace::off());
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
            rules.apply(draft, Method::Options, &Known(&[]), &mut trace);
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

fn edits(rules: &serde_json::Value, headers: &[&str]) -> Vec<String> {
    let mut rules = rules.as_array().unwrap().clone();
    for (at, rule) in rules.iter_mut().enumerate() {
        rule["id"] = serde_json::json!(at.to_string());
    }
    run(&set(serde_json::Value::Array(rules)), headers).0
}

fn parameter(header: &str, place: &str, name: &str, change: &serde_json::Value) -> serde_json::Value {
    serde_json::json!([{"header": header, "action": {"kind": "parameter", "in": place, "name": name, "change": change}}])
}

#[test]
fn a_rule_may_be_for_some_responses_only() {
    let rules = HeaderRules::compile(&set(serde_json::json!([
        { "id": "1", "statuses": [[400, 499], [180, 180]], "header": "Server", "action": { "kind": "remove" } },
    ])))
    .unwrap();
    let apply = |draft: &mut Draft<'_>| rules.apply(draft, Method::Invite, &Known(&[]), &mut Trace::off());
    for (status, left) in [(180, 0), (183, 1), (200, 1), (400, 0), (499, 0), (500, 1)] {
        assert_eq!(edited_response(status, &["Server: s"], apply).len(), left, "{status}");
    }
    assert_eq!(edited_headers(&["Server: s"], apply), ["Server: s"], "a request has no status");
}

#[test]
fn a_value_of_a_list_goes_without_the_others() {
    let remove = |values: serde_json::Value| serde_json::json!([{"header": "Supported", "values": values, "action": {"kind": "remove"}}]);
    let headers = ["k: 100rel , timer,path", "Supported: Timer", "Supported: gruu"];
    let out = edits(&remove(serde_json::json!({"equals": ["timer", "x"]})), &headers);
    assert_eq!(out, ["k: 100rel, path", "Supported: gruu"], "and a line that has nothing else goes with it");
    assert_eq!(edits(&remove(serde_json::json!({"regex": "^x"})), &headers), headers, "byte for byte");
    let history = "History-Info: <sip:a@x>;index=1, \"b, c\" <sip:b@y>;index=1.1";
    let rule = serde_json::json!([{"header": "history-info", "values": {"regex": "@x>"}, "action": {"kind": "remove"}}]);
    assert_eq!(edits(&rule, &[history]), ["History-Info: \"b, c\" <sip:b@y>;index=1.1"]);
    let subject =
        serde_json::json!([{"header": "Subject", "values": {"equals": ["a"]}, "action": {"kind": "remove"}}]);
    assert_eq!(edits(&subject, &["Subject: a, b"]), ["Subject: a, b"], "no list: one value");
}

#[test]
fn text_is_replaced_in_the_values_that_are_meant() {
    let rule = serde_json::json!([{"header": "P-Asserted-Identity", "values": {"regex": "^<tel:"},
        "action": {"kind": "replace", "pattern": "0+", "regex": true, "with": "+"}}]);
    let out = edits(&rule, &["P-Asserted-Identity: <sip:0044@a.example>,  <tel:0044>"]);
    assert_eq!(out, ["P-Asserted-Identity: <sip:0044@a.example>,  <tel:+44>"]);
}

#[test]
fn a_header_is_copied_whole_by_value_or_its_first_value_only() {
    let headers = [
        "To: t",
        "History-Info: <sip:a>;index=1,\r\n <sip:b>;index=2",
        "History-Info: <sip:c>;index=3",
        "X-H: 0",
    ];
    let copy = |values: serde_json::Value, only_first: bool| serde_json::json!([{"header": "X-H", "values": values, "action": {"kind": "copy", "from": "History-Info", "only_first": only_first}}]);
    let copies = |rules: serde_json::Value| edits(&rules, &headers).split_off(5);
    let all = edits(&copy(serde_json::Value::Null, false), &headers).split_off(4);
    assert_eq!(all, ["X-H: 0", "X-H: <sip:a>;index=1,", " <sip:b>;index=2", "X-H: <sip:c>;index=3"]);
    assert_eq!(copies(copy(serde_json::Value::Null, true)), ["X-H: <sip:a>;index=1"]);
    let some = serde_json::json!({"regex": "sip:[bc]"});
    assert_eq!(copies(copy(some.clone(), false)), ["X-H: <sip:b>;index=2", "X-H: <sip:c>;index=3"]);
    assert_eq!(copies(copy(some, true)), ["X-H: <sip:b>;index=2"]);
    let before = edits(
        &serde_json::json!([{"header": "X-First", "action": {"kind": "copy", "from": "X-Last"}}]),
        &["X-First: 1", "X-Last: 2", "X-Last: 3"],
    );
    assert_eq!(before, ["X-First: 1", "X-First: 2", "X-First: 3", "X-Last: 2", "X-Last: 3"]);
}

#[test]
fn copies_of_copies_end_before_they_fill_the_memory() {
    let rules: Vec<_> = (0..40)
        .map(|at| {
            let (from, to) = if at % 2 == 0 { ("X-A", "X-B") } else { ("X-B", "X-A") };
            serde_json::json!({"header": to, "action": {"kind": "copy", "from": from}})
        })
        .collect();
    assert_eq!(edits(&serde_json::Value::Array(rules), &["X-A: 1"]).len(), COPIED_HEADERS_MAX);
}

#[test]
fn a_header_is_renamed_in_its_place_and_single_values_move() {
    let rename = |values: serde_json::Value| serde_json::json!([{"header": "Diversion", "values": values, "action": {"kind": "rename", "to": "X-Diversion"}}]);
    let headers = ["Diversion: <sip:a>,\r\n\t<sip:b>", "To: t", "DIVERSION: <sip:c>"];
    let whole = edits(&rename(serde_json::Value::Null), &headers);
    assert_eq!(whole, ["X-Diversion: <sip:a>,", "\t<sip:b>", "To: t", "X-Diversion: <sip:c>"]);
    let one = edits(&rename(serde_json::json!({"equals": ["<SIP:b>"]})), &headers);
    assert_eq!(one, ["Diversion: <sip:a>", "To: t", "DIVERSION: <sip:c>", "X-Diversion: <sip:b>"]);
    let again = serde_json::json!([
        {"header": "X-A", "action": {"kind": "rename", "to": "X-B"}},
        {"header": "X-B", "action": {"kind": "replace", "pattern": "1", "regex": false, "with": "2"}},
    ]);
    assert_eq!(edits(&again, &["X-A: 1"]), ["X-B: 2"], "the next rule finds it under its new name");
}

#[test]
fn a_parameter_of_a_header_is_added_set_removed_and_replaced() {
    let contact = "Contact: \"a;b\" <sip:a@h;x=0>;q=0.5 ;Expires=60, <sip:b@h>";
    let to = |change: serde_json::Value, name: &str| {
        edits(&parameter("m", "header", name, &change), &[contact]).remove(0)
    };
    let add = serde_json::json!({"kind": "add", "value": "7"});
    assert_eq!(to(add, "q"), "Contact: \"a;b\" <sip:a@h;x=0>;q=0.5 ;Expires=60, <sip:b@h>;q=7");
    let set = |value: &str| serde_json::json!({"kind": "set", "value": value});
    assert_eq!(
        to(set("9"), "expires"),
        "Contact: \"a;b\" <sip:a@h;x=0>;q=0.5 ;Expires=9, <sip:b@h>;expires=9"
    );
    assert_eq!(
        to(set("a \"b\""), "n"),
        "Contact: \"a;b\" <sip:a@h;x=0>;q=0.5 ;Expires=60;n=\"a \\\"b\\\"\", <sip:b@h>;n=\"a \\\"b\\\"\""
    );
    assert_eq!(to(set(""), "q"), "Contact: \"a;b\" <sip:a@h;x=0>;q;Expires=60, <sip:b@h>;q");
    let remove = serde_json::json!({"kind": "remove"});
    assert_eq!(to(remove.clone(), "q"), "Contact: \"a;b\" <sip:a@h;x=0>;Expires=60, <sip:b@h>");
    assert_eq!(to(remove.clone(), "x"), contact, "that is one of the URI");
    let replace = serde_json::json!({"kind": "replace", "pattern": "^(\\d)0$", "regex": true, "with": "$1"});
    assert_eq!(to(replace, "expires"), "Contact: \"a;b\" <sip:a@h;x=0>;q=0.5 ;Expires=6, <sip:b@h>");
    let star = edits(&parameter("Contact", "header", "q", &remove), &["Contact: *"]);
    assert_eq!(star, ["Contact: *"]);
}

#[test]
fn a_header_of_parameters_only_has_no_value_before_them() {
    let vector = "P-Charging-Vector: icid-value=\"1;2\";orig-ioi=a.example";
    let to = |change: serde_json::Value, name: &str| {
        edits(&parameter("P-Charging-Vector", "header", name, &change), &[vector]).remove(0)
    };
    let remove = serde_json::json!({"kind": "remove"});
    assert_eq!(to(remove.clone(), "icid-value"), "P-Charging-Vector: orig-ioi=a.example");
    assert_eq!(to(remove, "orig-ioi"), "P-Charging-Vector: icid-value=\"1;2\"");
    let set = serde_json::json!({"kind": "set", "value": "b.example"});
    assert_eq!(to(set.clone(), "orig-ioi"), "P-Charging-Vector: icid-value=\"1;2\";orig-ioi=b.example");
    assert_eq!(to(set, "term-ioi"), format!("{vector};term-ioi=b.example"));
    let replace =
        |with: &str| serde_json::json!({"kind": "replace", "pattern": ";", "regex": false, "with": with});
    assert_eq!(to(replace("-"), "icid-value"), "P-Charging-Vector: icid-value=\"1-2\";orig-ioi=a.example");
    assert_eq!(to(replace("\""), "icid-value"), vector, "the quotes would end early");
}

#[test]
fn a_parameter_of_a_uri_stands_before_its_headers_and_in_brackets() {
    let add = serde_json::json!({"kind": "add", "value": "tcp"});
    let to = |header: &str| {
        edits(&parameter("Contact", "uri", "transport", &add), &[&format!("Contact: {header}")]).remove(0)
    };
    for (before, after) in [
        ("<sip:a@h>;q=1", "<sip:a@h;transport=tcp>;q=1"),
        ("<sip:a@h:5060;x?y=z>", "<sip:a@h:5060;x;transport=tcp?y=z>"),
        ("sip:a@h;q=1", "<sip:a@h;transport=tcp>;q=1"),
        ("<tel:+44;ext=1>", "<tel:+44;ext=1;transport=tcp>"),
        ("<sip:a@h;Transport=udp>", "<sip:a@h;Transport=udp>"),
        ("<urn:a:b>", "<urn:a:b>"),
        ("*", "*"),
        ("<>", "<>"),
    ] {
        assert_eq!(to(before), format!("Contact: {after}"));
    }
    let set = serde_json::json!({"kind": "set", "value": "a;b"});
    let rules = set_of(&parameter("Contact", "uri", "x", &set));
    let (out, steps) = run(&rules, &["Contact: <sip:a@h>"]);
    assert_eq!(out, ["Contact: <sip:a@h>"]);
    assert_eq!(outcomes(&steps), [("refused", "Contact: the value cannot stand in a URI")]);
}

fn set_of(rules: &serde_json::Value) -> HeaderRuleSet {
    let mut rules = rules.clone();
    rules[0]["id"] = serde_json::json!("r");
    set(rules)
}

const KNOWN: &[(Variable, &str)] = &[
    (Variable::PeerTo, "carrier_b"),
    (Variable::RequestUser, "bob;x=\"1\""),
    (Variable::EnumUri, "sip:+44@b.example;user=phone"),
    (Variable::NodeName, "a b"),
    (Variable::CallId, "x\r\nEvil: 1"),
];

fn told(action: &serde_json::Value) -> (Vec<String>, Vec<Step>) {
    let rules = HeaderRules::compile(&rule("X-A", action)).unwrap();
    let mut trace = Trace::on();
    let out = edited_headers(&["X-A: (1)"], |draft| {
        rules.apply(draft, Method::Invite, &Known(KNOWN), &mut trace);
    });
    (out, trace.take())
}

#[test]
fn variables_stand_in_texts_beside_captures_and_dollars() {
    let value = |value: &str| told(&serde_json::json!({"kind": "set", "value": value})).0.remove(0);
    assert_eq!(value("to ${peer.to}, $5 or $$5${peer.to}"), "X-A: to carrier_b, $5 or $5carrier_b");
    assert_eq!(
        value("<${enum.uri}>;n=\"${request.user}\""),
        "X-A: <sip:+44@b.example;user=phone>;n=\"bob;x=\\\"1\\\"\""
    );
    let replace = serde_json::json!({"kind": "replace", "pattern": "\\((?<n>.)\\)", "regex": true, "with": "$n${peer.to}${1}$$"});
    assert_eq!(told(&replace).0, ["X-A: 1carrier_b1$"]);
}

#[test]
fn a_variable_without_a_fit_value_keeps_the_edit_from_happening() {
    for (text, why) in [
        ("${peer.from}", "peer.from has no value"),
        ("a;${enum.uri}", "enum.uri has a value that cannot stand there"),
        ("<sip:${request.user}>", "request.user has a value that cannot stand there"),
        ("${node.name}", "node.name has a value that cannot stand there"),
        ("\"${call.id}\"", "call.id has a value that cannot stand there"),
        ("\"\" ${call.id}", "call.id has a value that cannot stand there"),
        ("<${call.id}>", "call.id has a value that cannot stand there"),
    ] {
        for action in [
            serde_json::json!({"kind": "set", "value": text}),
            serde_json::json!({"kind": "replace", "pattern": "1", "regex": false, "with": text}),
        ] {
            let (out, steps) = told(&action);
            assert_eq!(out, ["X-A: (1)"], "{text}");
            assert_eq!(outcomes(&steps), [("skipped", format!("X-A: {why}").as_str())]);
        }
    }
    let rules = set_of(&parameter(
        "X-A",
        "header",
        "n",
        &serde_json::json!({"kind": "set", "value": "${request.user}"}),
    ));
    let rules = HeaderRules::compile(&rules).unwrap();
    let out = edited_headers(&["X-A: (1)"], |draft| {
        rules.apply(draft, Method::Invite, &Known(KNOWN), &mut Trace::off());
    });
    assert_eq!(out, ["X-A: (1);n=\"bob;x=\\\"1\\\"\""], "a parameter is quoted as it has to be");
}

#[test]
fn edits_that_mean_nothing_are_refused() {
    let problem = |rule: serde_json::Value| {
        HeaderRules::compile(&set_of(&serde_json::json!([rule]))).unwrap_err().to_string()
    };
    for (rule, expected) in [
        (
            serde_json::json!({"header": "X", "action": {"kind": "copy", "from": "x"}}),
            "from: is the same header",
        ),
        (
            serde_json::json!({"header": "k", "action": {"kind": "rename", "to": "Supported"}}),
            "to: is the same header",
        ),
        (
            serde_json::json!({"header": "X", "action": {"kind": "rename", "to": "Via"}}),
            "to: no rule may touch Via: the border or the end points need it",
        ),
        (
            serde_json::json!({"header": "X", "action": {"kind": "rename", "to": "f"}}),
            "to: f stands in every message exactly once",
        ),
        (
            serde_json::json!({"header": "X", "action": {"kind": "copy", "from": "a b"}}),
            "from: \"a b\" is not a header name",
        ),
        (
            serde_json::json!({"header": "X", "values": {"equals": ["a"]}, "action": {"kind": "set", "value": "b"}}),
            "values: mean nothing to `add` and `set`",
        ),
        (
            serde_json::json!({"header": "X", "values": {"regex": "("}, "action": {"kind": "remove"}}),
            ".values: ",
        ),
        (
            serde_json::json!({"header": "X", "action": {"kind": "set", "value": "${peer.too}"}}),
            "value: there is no variable \"peer.too\"",
        ),
        (
            serde_json::json!({"header": "X", "action": {"kind": "set", "value": "${x"}}),
            "value: `${` without `}`",
        ),
        (
            serde_json::json!({"header": "From", "action": {"kind": "copy", "from": "X"}}),
            "only `replace` is for it",
        ),
        (
            parameter("X", "uri", "a b", &serde_json::json!({"kind": "remove"}))[0].clone(),
            "name: \"a b\" is not the name of a parameter",
        ),
        (
            parameter("P-Charging-Vector", "uri", "a", &serde_json::json!({"kind": "remove"}))[0].clone(),
            "in: there is no URI in P-Charging-Vector",
        ),
        (
            parameter("To", "uri", "a", &serde_json::json!({"kind": "remove"}))[0].clone(),
            "only `replace` is for it",
        ),
    ] {
        let found = problem(rule);
        assert!(found.contains(expected), "{found}");
    }
}
