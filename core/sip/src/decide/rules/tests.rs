use std::sync::Arc;

use super::super::number_table::NumberTable;
use super::*;
use crate::reason::Reason;
use crate::snapshot::EnumIndex;
use crate::snapshot::document::{Condition, NumberCondition};
use serde_json::{Value, json};

fn names() -> Names {
    let mut names = Names::default();
    for (at, id) in ["carrier_a", "carrier_b", "transit"].into_iter().enumerate() {
        names.peers.insert(id.to_owned(), PeerIndex(at as u16));
    }
    names.enums.insert("carrier_enum".to_owned(), EnumIndex(0));
    names
}

fn compile(routes: Value) -> Result<RouteTable, SnapshotError> {
    let routes: Vec<document::Route> = serde_json::from_value(routes).expect("routes as JSON");
    RouteTable::compile(&routes, &names(), &Lists::default())
}

fn table(routes: Value) -> RouteTable {
    compile(routes).expect("good routes")
}

fn facts() -> Facts<'static> {
    Facts {
        peer: PeerIndex(0),
        side: Side::Home,
        trusted: true,
        listener: ListenerIndex(0),
        transport: Transport::Udp,
        direction: Direction::Exit,
        method: Method::Invite,
        request_uri: b"tel:+441632960083",
        number: Some("+441632960083"),
        calling: None,
        emergency: false,
        emergency_numbers: None,
        enum_outcome: None,
        message: None,
        unix_ms: 0,
    }
}

fn to(peer: &str) -> Value {
    json!({"kind": "route", "to": [{"peer": peer}]})
}

fn rule(verdict: Verdict<'_>) -> Option<&str> {
    match verdict {
        Verdict::Lookup { rule, .. }
        | Verdict::Limit { rule, .. }
        | Verdict::Route { rule, .. }
        | Verdict::Reject { rule, .. }
        | Verdict::Hook { rule, .. }
        | Verdict::Rewrite { rule, .. }
        | Verdict::Mirror { rule, .. }
        | Verdict::Tag { rule, .. } => Some(rule),
        Verdict::NoRoute => None,
    }
}

#[test]
fn the_demo_policy_decides_as_it_reads() {
    let table = table(json!([
        {"id": "no_premium", "condition": {"number": {"prefixes": ["+4490"]}},
         "action": {"kind": "reject", "reason": "decide.forbidden", "phrase": "Premium rate barred"}},
        {"id": "look_up", "condition": {"direction": "exit", "schemes": ["tel", "sip"]},
         "action": {"kind": "enum", "service": "carrier_enum"}},
        {"id": "to_b", "condition": {"peers": ["carrier_a"], "domains": ["b.example", "*.b.example"], "methods": ["INVITE"]},
         "action": {"kind": "route", "to": [{"peer": "carrier_b"}], "failover_statuses": [503, 500], "attempts_max": 3}},
        {"id": "transit", "condition": {"enum_outcomes": ["not_found", "failed"]}, "action": to("transit")},
    ]));
    let mut trace = Trace::off();
    let premium = Facts { number: Some("+4490123"), ..facts() };
    let Verdict::Reject { rule: "no_premium", position: 0, refusal } =
        table.evaluate(0, &premium, &mut trace)
    else {
        panic!("not refused")
    };
    let Refusal { reason, status, phrase, retry_after_s: None } = refusal else { panic!("{refusal:?}") };
    assert_eq!((*reason, *status, phrase.as_str()), (Reason::Forbidden, 403, "Premium rate barred"));

    let Verdict::Lookup { rule: "look_up", service, next } = table.evaluate(0, &facts(), &mut trace) else {
        panic!("not looked up")
    };
    assert_eq!((service, next), (EnumIndex(0), 2));

    let found = Facts {
        request_uri: b"sip:+441632960083@Ims.B.example;user=phone",
        enum_outcome: Some(EnumOutcome::Found),
        ..facts()
    };
    let Verdict::Route { rule: "to_b", position: 2, choice } = table.evaluate(next, &found, &mut trace)
    else {
        panic!("not routed")
    };
    assert_eq!(choice.peers, [(PeerIndex(1), 0, 1)]);
    assert_eq!((choice.failover_statuses.as_slice(), choice.attempts_max), ([503, 500].as_slice(), 3));

    let unknown = Facts { enum_outcome: Some(EnumOutcome::NotFound), ..facts() };
    assert_eq!(rule(table.evaluate(next, &unknown, &mut trace)), Some("transit"));
    assert_eq!(table.evaluate(next, &facts(), &mut trace), Verdict::NoRoute, "ENUM was not asked");
    let elsewhere = Facts { request_uri: b"sip:x@c.example", ..found };
    assert_eq!(table.evaluate(next, &elsewhere, &mut trace), Verdict::NoRoute);
}

#[test]
fn nothing_but_a_global_number_is_looked_up() {
    let table = table(json!([
        {"id": "look_up", "action": {"kind": "enum", "service": "carrier_enum"}},
        {"id": "rest", "action": to("transit")},
    ]));
    let local = Facts { request_uri: b"tel:7042;phone-context=a.example", number: None, ..facts() };
    assert_eq!(rule(table.evaluate(0, &local, &mut Trace::off())), Some("rest"));
    assert_eq!(rule(table.evaluate(0, &local, &mut Trace::on())), Some("rest"));
}

#[test]
fn the_trace_says_of_each_rule_why_it_was_skipped() {
    let table = table(json!([
        {"id": "peer", "condition": {"peers": ["transit"]}, "action": to("transit")},
        {"id": "way", "condition": {"direction": "entry"}, "action": to("transit")},
        {"id": "method", "condition": {"methods": ["MESSAGE"]}, "action": to("transit")},
        {"id": "scheme", "condition": {"schemes": ["sip"]}, "action": to("transit")},
        {"id": "enum", "condition": {"enum_outcomes": ["found"]}, "action": to("transit")},
        {"id": "number", "condition": {"number": {"prefixes": ["+45", "+46"]}}, "action": to("transit")},
        {"id": "domain", "condition": {"domains": ["b.example"]}, "action": to("transit")},
        {"id": "rest", "action": to("transit")},
        {"id": "never", "action": to("transit")},
    ]));
    let mut trace = Trace::on();
    assert_eq!(rule(table.evaluate(0, &facts(), &mut trace)), Some("rest"));
    let steps: Vec<_> = trace
        .take()
        .into_iter()
        .map(|step| (step.rule.unwrap_or_default(), step.outcome, step.detail))
        .collect();
    let expected = [
        ("peer", "skipped", "the request came from another peer"),
        ("way", "skipped", "the direction is exit"),
        ("method", "skipped", "the method is INVITE"),
        ("scheme", "skipped", "the scheme is tel"),
        ("enum", "skipped", "ENUM was not asked"),
        ("number", "skipped", "+441632960083 begins with none of the prefixes"),
        ("domain", "skipped", "the Request-URI has no host"),
        ("rest", "matched", "send it to one of 1 peer(s)"),
    ];
    assert_eq!(steps, expected.map(|(rule, outcome, detail)| (rule.to_owned(), outcome, detail.to_owned())));
}

#[test]
fn a_request_uri_that_is_none_matches_only_rules_that_do_not_look_at_it() {
    let table = table(json!([
        {"id": "scheme", "condition": {"schemes": ["sip"]}, "action": to("transit")},
        {"id": "domain", "condition": {"domains": ["*.example"]}, "action": to("transit")},
        {"id": "rest", "action": to("transit")},
    ]));
    let garbage = Facts { request_uri: b"\xff\x00 garbage", number: None, ..facts() };
    assert_eq!(rule(table.evaluate(0, &garbage, &mut Trace::off())), Some("rest"));
}

#[test]
fn faults_say_where_they_are() {
    let fault = |routes: Value| compile(routes).expect_err("a fault").to_string();
    let with = |condition: Value| json!([{"id": "x", "condition": condition, "action": to("transit")}]);
    assert_eq!(
        fault(with(json!({"peers": ["nobody"]}))),
        "routes[0].condition.peers[0]: unknown peer \"nobody\""
    );
    assert!(
        fault(with(json!({"number": {"prefixes": ["44"]}})))
            .starts_with("routes[0].condition.number.prefixes[0]: ")
    );
    assert!(fault(with(json!({"domains": ["a", "*x"]}))).starts_with("routes[0].condition.domains[1]: "));
    let action = |action: Value| fault(json!([{"id": "x", "action": action}]));
    assert_eq!(
        action(json!({"kind": "enum", "service": "no"})),
        "routes[0].action.service: unknown enum service \"no\""
    );
    assert_eq!(action(json!({"kind": "route", "to": []})), "routes[0].action.to: names no peer");
    assert!(action(json!({"kind": "route", "to": [{"peer": "no"}]})).contains("to[0].peer: unknown peer"));
    assert!(
        action(json!({"kind": "route", "to": [{"peer": "transit"}], "attempts_max": 0}))
            .contains("attempts_max")
    );
    assert!(
        action(json!({"kind": "route", "to": [{"peer": "transit"}], "failover_statuses": [200]}))
            .contains("200")
    );
    assert!(
        action(json!({"kind": "reject", "reason": "decide.what"})).contains("unknown reason \"decide.what\"")
    );
    assert!(action(json!({"kind": "reject", "reason": "decide.forbidden", "status": 200})).contains("200"));
    assert!(
        action(json!({"kind": "reject", "reason": "decide.forbidden", "phrase": "a\r\nb"}))
            .contains("control")
    );
}

/// A stream of small numbers for tests.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides) as usize
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> Vec<T> {
        if self.roll(2) == 0 {
            Vec::new()
        } else {
            (0..=self.roll(2)).map(|_| of[self.roll(of.len() as u64)].clone()).collect()
        }
    }
}

fn some_list(dice: &mut Dice) -> Vec<document::ListCondition> {
    let classes = [&[][..], &["a"], &["b"], &["a", "b"]][dice.roll(4)];
    let classes = classes.iter().map(|class| (*class).to_owned()).collect();
    vec![document::ListCondition { list: "table".to_owned(), classes }]
}

#[test]
fn the_index_and_the_walk_in_order_come_to_the_same_verdict() {
    let mut dice = Dice(1);
    let numbers = NumberTable::read(b"+44,a\n+4416\n+4590,b\n").expect("a good list");
    let lists = Lists::from_iter([("table".to_owned(), Arc::new(numbers))]);
    let strings = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let prefixes = strings(&["+", "+4", "+44", "+441", "+4416", "+45", "+4590"]);
    let domains = strings(&["b.example", "*.b.example", "*.example", "x.b.example"]);
    let outcomes = [EnumOutcome::Found, EnumOutcome::NotFound, EnumOutcome::Failed];
    let uris: [&[u8]; 5] =
        [b"tel:+441", b"sip:b.example", b"sip:u@x.b.example", b"sip:u@y.example:5070", b"mailto:x@b.example"];
    for _ in 0..200 {
        let routes: Vec<_> = (0..30)
            .map(|at| document::Route {
                id: format!("r{at}"),
                condition: Condition {
                    peers: if dice.roll(4) == 0 { strings(&["carrier_a"]) } else { Vec::new() },
                    direction: (dice.roll(4) == 0).then_some(Direction::Entry),
                    methods: if dice.roll(4) == 0 { strings(&["MESSAGE"]) } else { Vec::new() },
                    number: NumberCondition {
                        prefixes: dice.some(&prefixes),
                        lists: if dice.roll(2) == 0 { some_list(&mut dice) } else { Vec::new() },
                        ..NumberCondition::default()
                    },
                    domains: dice.some(&domains),
                    schemes: if dice.roll(4) == 0 { strings(&["SIP"]) } else { Vec::new() },
                    enum_outcomes: if dice.roll(4) == 0 { dice.some(&outcomes) } else { Vec::new() },
                    ..Condition::default()
                },
                action: serde_json::from_value(if dice.roll(4) == 0 {
                    json!({"kind": "enum", "service": "carrier_enum"})
                } else {
                    to("transit")
                })
                .expect("an action"),
            })
            .collect();
        let table = RouteTable::compile(&routes, &names(), &lists).expect("good routes");
        for _ in 0..20 {
            let facts = Facts {
                peer: PeerIndex(dice.roll(2) as u16),
                direction: if dice.roll(2) == 0 { Direction::Entry } else { Direction::Exit },
                method: if dice.roll(2) == 0 { Method::Invite } else { Method::Message },
                request_uri: uris[dice.roll(5)],
                number: [None, Some("+441632"), Some("+4590"), Some("+1")][dice.roll(4)],
                enum_outcome: [None, Some(EnumOutcome::Found), Some(EnumOutcome::Failed)][dice.roll(3)],
                ..facts()
            };
            let from = dice.roll(30);
            let traced = table.evaluate(from, &facts, &mut Trace::on());
            assert_eq!(table.evaluate(from, &facts, &mut Trace::off()), traced, "{facts:?} from {from}");
        }
    }
}
