//! The ordered rules of routing: the first whose condition holds decides, except that an ENUM rule looks the number up
//! and goes on with the next.
//!
//! A rule with number prefixes or domains is found through a table, so thousands of them cost no more than a few; only
//! rules with neither are looked at one by one. When somebody asked for a trace, every rule is looked at in order and
//! says why it was skipped; both ways come to the same verdict (a test compares them).

use std::time::Duration;

use smallvec::SmallVec;

use super::conditions::{Compiled, Looked, Tables};
use crate::input::EnumOutcome;
use crate::message::Method;
use crate::reason::Reason;
use crate::snapshot::document::{self, Direction, Fork, Redirects, RouteAction};
use crate::snapshot::{EnumIndex, Names, PeerIndex, SnapshotError};
use crate::trace::{Stage, Step, Trace};

/// The routes of a snapshot, compiled.
#[derive(Debug, Default)]
pub struct RouteTable {
    rules: Vec<Rule>,
    tables: Tables,
    /// Rules that neither table holds, ascending.
    others: Vec<u32>,
}

#[derive(Debug)]
struct Rule {
    id: String,
    condition: Compiled,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Lookup(EnumIndex),
    Route(RouteChoice),
    Reject { reason: Reason, status: u16, phrase: String },
}

/// The peers of a route, and when to go from one target to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteChoice {
    /// Peer, priority (lower first), weight among those of equal priority.
    pub peers: Vec<(PeerIndex, u16, u16)>,
    /// Statuses after which the next target is tried, besides silence and unreachability.
    pub failover_statuses: Vec<u16>,
    /// At most so many targets are tried.
    pub attempts_max: u8,
    /// One peer after the other, or all of one priority at once.
    pub fork: Fork,
    /// How old a request may be when a target is tried.
    pub time_budget: Option<Duration>,
    /// What becomes of a 3xx.
    pub redirects: Redirects,
}

/// What conditions look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who sent the request.
    pub peer: PeerIndex,
    /// Way across the border.
    pub direction: Direction,
    /// Its method.
    pub method: Method<'a>,
    /// The Request-URI as it is now: after ENUM, the URI that ENUM led to.
    pub request_uri: &'a [u8],
    /// The global number (`+` and digits), if the Request-URI held one.
    pub number: Option<&'a str>,
    /// What the last ENUM rule led to.
    pub enum_outcome: Option<EnumOutcome>,
}

/// What the rules decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'s> {
    /// Look the number up, then evaluate again from `next`.
    Lookup {
        /// Id of the rule.
        rule: &'s str,
        /// Where to look.
        service: EnumIndex,
        /// The position to go on from.
        next: usize,
    },
    /// Send it to one of these.
    Route {
        /// Id of the rule.
        rule: &'s str,
        /// Its position.
        position: usize,
        /// The peers.
        choice: &'s RouteChoice,
    },
    /// Refuse it.
    Reject {
        /// Id of the rule.
        rule: &'s str,
        /// Its position.
        position: usize,
        /// Why, from the catalogue.
        reason: Reason,
        /// Status to answer.
        status: u16,
        /// Its phrase.
        phrase: &'s str,
    },
    /// No rule holds.
    NoRoute,
}

impl RouteTable {
    /// Resolves and indexes *routes*.
    pub fn compile(routes: &[document::Route], names: &Names) -> Result<Self, SnapshotError> {
        let mut table = Self::default();
        for (at, route) in routes.iter().enumerate() {
            let position = u32::try_from(at)
                .map_err(|_| SnapshotError::value("routes", "more than 4,294,967,296 entries"))?;
            let condition = Compiled::compile(position, &route.condition, names, &mut table.tables)?;
            if !condition.has_prefixes && !condition.has_domains {
                table.others.push(position);
            }
            let action = compile_action(at, &route.action, names)?;
            table.rules.push(Rule { id: route.id.clone(), condition, action });
        }
        Ok(table)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Returns the id of the rule at *position*.
    pub fn id(&self, position: usize) -> Option<&str> {
        self.rules.get(position).map(|rule| rule.id.as_str())
    }

    /// Returns what the rule at *position* chooses, if it is one that routes.
    pub fn choice(&self, position: usize) -> Option<&RouteChoice> {
        match &self.rules.get(position)?.action {
            Action::Route(choice) => Some(choice),
            Action::Lookup(_) | Action::Reject { .. } => None,
        }
    }

    /// Is there no rule at all?
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns what the rules from position *from* on decide.
    ///
    /// An ENUM rule is skipped when there is no global number: only E.164 numbers may be asked for (ENUM-04).
    pub fn evaluate(&self, from: usize, facts: &Facts<'_>, trace: &mut Trace) -> Verdict<'_> {
        let looked = Looked::at(facts.request_uri);
        let verdict = if trace.is_on() {
            self.evaluate_in_order(from, facts, &looked, trace)
        } else {
            self.evaluate_by_index(from, facts, &looked)
        };
        verdict.unwrap_or(Verdict::NoRoute)
    }

    fn evaluate_in_order(
        &self,
        from: usize,
        facts: &Facts<'_>,
        looked: &Looked<'_>,
        trace: &mut Trace,
    ) -> Option<Verdict<'_>> {
        for (position, rule) in self.rules.iter().enumerate().skip(from) {
            let Some(why) = self.skipped(position, facts, looked) else {
                trace.step(|| step(Some(&rule.id), "matched", rule.action.text()));
                return Some(rule.verdict(position));
            };
            trace.step(|| step(Some(&rule.id), "skipped", why));
        }
        trace.step(|| step(None, "no_route", "no rule of the policy holds".to_owned()));
        None
    }

    fn evaluate_by_index(&self, from: usize, facts: &Facts<'_>, looked: &Looked<'_>) -> Option<Verdict<'_>> {
        // Up to 16 prefix lists, the domain lists, and the rules that stand in neither: all ascending, so the next rule
        // to look at is the smallest head.
        let mut lists: SmallVec<[&[u32]; 24]> = SmallVec::new();
        lists.extend(facts.number.into_iter().flat_map(|number| self.tables.prefixes.lists(number)));
        lists.extend(looked.host.as_deref().into_iter().flat_map(|host| self.tables.domains.lists(host)));
        lists.push(&self.others);
        for list in &mut lists {
            let passed = list.partition_point(|position| (*position as usize) < from);
            *list = list.get(passed..).unwrap_or_default();
        }
        loop {
            let next = lists.iter().filter_map(|list| list.first().copied()).min()?;
            for list in &mut lists {
                if let Some((first, rest)) = list.split_first()
                    && *first == next
                {
                    *list = rest;
                }
            }
            let position = next as usize;
            let rule = self.rules.get(position)?;
            if rule.holds(next, facts, looked, &self.tables) {
                return Some(rule.verdict(position));
            }
        }
    }

    fn skipped(&self, position: usize, facts: &Facts<'_>, looked: &Looked<'_>) -> Option<String> {
        let rule = self.rules.get(position)?;
        let number = u32::try_from(position).ok()?;
        if let Some(mismatch) = rule.condition.mismatch(number, facts, looked, &self.tables) {
            return Some(mismatch.text(facts, looked));
        }
        rule.lacks_number(facts).then(|| "the Request-URI holds no global number to look up".to_owned())
    }
}

impl Rule {
    fn holds(&self, position: u32, facts: &Facts<'_>, looked: &Looked<'_>, tables: &Tables) -> bool {
        self.condition.mismatch(position, facts, looked, tables).is_none() && !self.lacks_number(facts)
    }

    fn lacks_number(&self, facts: &Facts<'_>) -> bool {
        matches!(self.action, Action::Lookup(_)) && facts.number.is_none()
    }

    fn verdict(&self, position: usize) -> Verdict<'_> {
        let rule = self.id.as_str();
        match &self.action {
            Action::Lookup(service) => {
                Verdict::Lookup { rule, service: *service, next: position.saturating_add(1) }
            }
            Action::Route(choice) => Verdict::Route { rule, position, choice },
            Action::Reject { reason, status, phrase } => {
                Verdict::Reject { rule, position, reason: *reason, status: *status, phrase }
            }
        }
    }
}

impl Action {
    fn text(&self) -> String {
        match self {
            Self::Lookup(_) => "look the number up, then go on".to_owned(),
            Self::Route(choice) => format!("send it to one of {} peer(s)", choice.peers.len()),
            Self::Reject { reason, status, phrase } => {
                format!("refuse it: {status} {phrase} ({})", reason.id())
            }
        }
    }
}

fn step(rule: Option<&str>, outcome: &'static str, detail: String) -> Step {
    Step { stage: Stage::Decide, rule: rule.map(str::to_owned), outcome, detail, clause: None }
}

fn compile_action(at: usize, action: &RouteAction, names: &Names) -> Result<Action, SnapshotError> {
    let place = |key: &str| format!("routes[{at}].action.{key}");
    match action {
        RouteAction::Enum { service } => {
            Names::find(&names.enums, service, "enum service", &place("service")).map(Action::Lookup)
        }
        RouteAction::Route { to, failover_statuses, attempts_max, fork, time_budget_ms, redirects } => {
            if to.is_empty() {
                return Err(SnapshotError::value(place("to"), "names no peer"));
            }
            if *attempts_max == 0 {
                return Err(SnapshotError::value(place("attempts_max"), "at least 1"));
            }
            if *time_budget_ms == Some(0) {
                return Err(SnapshotError::value(place("time_budget_ms"), "more than 0"));
            }
            if let Some(status) = failover_statuses.iter().find(|status| !(300..700).contains(*status)) {
                return Err(SnapshotError::value(
                    place("failover_statuses"),
                    format!("{status} is not 300 to 699"),
                ));
            }
            let peer = |(position, one): (usize, &document::RoutePeer)| {
                Names::find(&names.peers, &one.peer, "peer", &place(&format!("to[{position}].peer")))
                    .map(|peer| (peer, one.priority, one.weight))
            };
            let peers = to.iter().enumerate().map(peer).collect::<Result<_, _>>()?;
            Ok(Action::Route(RouteChoice {
                peers,
                failover_statuses: failover_statuses.clone(),
                attempts_max: *attempts_max,
                fork: *fork,
                time_budget: time_budget_ms.map(Duration::from_millis),
                redirects: *redirects,
            }))
        }
        RouteAction::Reject { reason, status, phrase } => {
            let found = Reason::from_id(reason).ok_or_else(|| SnapshotError::Unknown {
                place: place("reason"),
                kind: "reason",
                name: reason.clone(),
            })?;
            let status = status.unwrap_or(found.entry().status);
            if !(400..700).contains(&status) {
                return Err(SnapshotError::value(place("status"), format!("{status} is not 400 to 699")));
            }
            let phrase = phrase.clone().unwrap_or_else(|| found.entry().phrase.to_owned());
            if phrase.chars().any(char::is_control) {
                return Err(SnapshotError::value(place("phrase"), "holds a control character"));
            }
            Ok(Action::Reject { reason: found, status, phrase })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::document::Condition;
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
        RouteTable::compile(&routes, &names())
    }

    fn table(routes: Value) -> RouteTable {
        compile(routes).expect("good routes")
    }

    fn facts() -> Facts<'static> {
        Facts {
            peer: PeerIndex(0),
            direction: Direction::Exit,
            method: Method::Invite,
            request_uri: b"tel:+441632960083",
            number: Some("+441632960083"),
            enum_outcome: None,
        }
    }

    fn to(peer: &str) -> Value {
        json!({"kind": "route", "to": [{"peer": peer}]})
    }

    fn rule(verdict: Verdict<'_>) -> Option<&str> {
        match verdict {
            Verdict::Lookup { rule, .. } | Verdict::Route { rule, .. } | Verdict::Reject { rule, .. } => {
                Some(rule)
            }
            Verdict::NoRoute => None,
        }
    }

    #[test]
    fn the_demo_policy_decides_as_it_reads() {
        let table = table(json!([
            {"id": "no_premium", "condition": {"number_prefixes": ["+4490"]},
             "action": {"kind": "reject", "reason": "decide.forbidden", "phrase": "Premium rate barred"}},
            {"id": "look_up", "condition": {"direction": "exit", "schemes": ["tel", "sip"]},
             "action": {"kind": "enum", "service": "carrier_enum"}},
            {"id": "to_b", "condition": {"peers": ["carrier_a"], "domains": ["b.example", "*.b.example"], "methods": ["INVITE"]},
             "action": {"kind": "route", "to": [{"peer": "carrier_b"}], "failover_statuses": [503, 500], "attempts_max": 3}},
            {"id": "transit", "condition": {"enum_outcomes": ["not_found", "failed"]}, "action": to("transit")},
        ]));
        let mut trace = Trace::off();
        let premium = Facts { number: Some("+4490123"), ..facts() };
        let Verdict::Reject { rule: "no_premium", position: 0, reason, status, phrase } =
            table.evaluate(0, &premium, &mut trace)
        else {
            panic!("not refused")
        };
        assert_eq!((reason, status, phrase), (Reason::Forbidden, 403, "Premium rate barred"));

        let Verdict::Lookup { rule: "look_up", service, next } = table.evaluate(0, &facts(), &mut trace)
        else {
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
            {"id": "number", "condition": {"number_prefixes": ["+45", "+46"]}, "action": to("transit")},
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
        assert_eq!(
            steps,
            expected.map(|(rule, outcome, detail)| (rule.to_owned(), outcome, detail.to_owned()))
        );
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
            fault(with(json!({"number_prefixes": ["44"]})))
                .starts_with("routes[0].condition.number_prefixes[0]: ")
        );
        assert!(fault(with(json!({"domains": ["a", "*x"]}))).starts_with("routes[0].condition.domains[1]: "));
        let action = |action: Value| fault(json!([{"id": "x", "action": action}]));
        assert_eq!(
            action(json!({"kind": "enum", "service": "no"})),
            "routes[0].action.service: unknown enum service \"no\""
        );
        assert_eq!(action(json!({"kind": "route", "to": []})), "routes[0].action.to: names no peer");
        assert!(
            action(json!({"kind": "route", "to": [{"peer": "no"}]})).contains("to[0].peer: unknown peer")
        );
        assert!(
            action(json!({"kind": "route", "to": [{"peer": "transit"}], "attempts_max": 0}))
                .contains("attempts_max")
        );
        assert!(
            action(json!({"kind": "route", "to": [{"peer": "transit"}], "failover_statuses": [200]}))
                .contains("200")
        );
        assert!(
            action(json!({"kind": "reject", "reason": "decide.what"}))
                .contains("unknown reason \"decide.what\"")
        );
        assert!(
            action(json!({"kind": "reject", "reason": "decide.forbidden", "status": 200})).contains("200")
        );
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

    #[test]
    fn the_index_and_the_walk_in_order_come_to_the_same_verdict() {
        let mut dice = Dice(1);
        let strings = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let prefixes = strings(&["+", "+4", "+44", "+441", "+4416", "+45", "+4590"]);
        let domains = strings(&["b.example", "*.b.example", "*.example", "x.b.example"]);
        let outcomes = [EnumOutcome::Found, EnumOutcome::NotFound, EnumOutcome::Failed];
        let uris: [&[u8]; 5] = [
            b"tel:+441",
            b"sip:b.example",
            b"sip:u@x.b.example",
            b"sip:u@y.example:5070",
            b"mailto:x@b.example",
        ];
        for _ in 0..200 {
            let routes: Vec<_> = (0..30)
                .map(|at| document::Route {
                    id: format!("r{at}"),
                    condition: Condition {
                        peers: if dice.roll(4) == 0 { strings(&["carrier_a"]) } else { Vec::new() },
                        direction: (dice.roll(4) == 0).then_some(Direction::Entry),
                        methods: if dice.roll(4) == 0 { strings(&["MESSAGE"]) } else { Vec::new() },
                        number_prefixes: dice.some(&prefixes),
                        domains: dice.some(&domains),
                        schemes: if dice.roll(4) == 0 { strings(&["SIP"]) } else { Vec::new() },
                        enum_outcomes: if dice.roll(4) == 0 { dice.some(&outcomes) } else { Vec::new() },
                    },
                    action: serde_json::from_value(if dice.roll(4) == 0 {
                        json!({"kind": "enum", "service": "carrier_enum"})
                    } else {
                        to("transit")
                    })
                    .expect("an action"),
                })
                .collect();
            let table = RouteTable::compile(&routes, &names()).expect("good routes");
            for _ in 0..20 {
                let facts = Facts {
                    peer: PeerIndex(dice.roll(2) as u16),
                    direction: if dice.roll(2) == 0 { Direction::Entry } else { Direction::Exit },
                    method: if dice.roll(2) == 0 { Method::Invite } else { Method::Message },
                    request_uri: uris[dice.roll(5)],
                    number: [None, Some("+441632"), Some("+4590"), Some("+1")][dice.roll(4)],
                    enum_outcome: [None, Some(EnumOutcome::Found), Some(EnumOutcome::Failed)][dice.roll(3)],
                };
                let from = dice.roll(30);
                let traced = table.evaluate(from, &facts, &mut Trace::on());
                assert_eq!(table.evaluate(from, &facts, &mut Trace::off()), traced, "{facts:?} from {from}");
            }
        }
    }
}
