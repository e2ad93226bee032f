//! The ordered rules of routing: the first whose condition holds decides, except that an ENUM rule looks the number up,
//! a rewrite changes the request, a tag is noted and a limiter counts, and these go on with the next.
//!
//! A rule with number prefixes, domains or a list that many ask for is found through a table, so thousands of them cost no
//! more than a few; only rules with none of these are looked at one by one. When somebody asked for a trace, every rule is looked at in order and
//! says why it was skipped; both ways come to the same verdict (a test compares them).

use smallvec::SmallVec;

use super::action::{Action, Rewrite, RouteChoice};
use super::condition::{Compiled, Compiler, ListIndex, Lists, Looked, Tables};
use super::hook::{Hook, Refusal};
use crate::input::EnumOutcome;
use crate::message::{Message, Method};
use crate::snapshot::document::{self, Direction, Side, Transport};
use crate::snapshot::{EnumIndex, LimiterIndex, ListenerIndex, Names, PeerIndex, SnapshotError};
use crate::trace::{Stage, Step, Trace};

/// The routes of a snapshot, compiled.
#[derive(Debug, Default)]
pub struct RouteTable {
    rules: Vec<Rule>,
    tables: Tables,
    /// Rules that no table holds, ascending.
    others: Vec<u32>,
    reads_messages: bool,
    /// Names that rules give, each once.
    tags: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    id: String,
    condition: Compiled,
    action: Action,
}

/// What conditions look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who sent the request.
    pub peer: PeerIndex,
    /// The side that it belongs to.
    pub side: Side,
    /// Is it in our trust domain?
    pub trusted: bool,
    /// The listener that the request came to.
    pub listener: ListenerIndex,
    /// How it came.
    pub transport: Transport,
    /// Way across the border.
    pub direction: Direction,
    /// Its method.
    pub method: Method<'a>,
    /// The Request-URI as it is now: after ENUM, the URI that ENUM led to.
    pub request_uri: &'a [u8],
    /// The global number (`+` and digits), if the Request-URI held one.
    pub number: Option<&'a str>,
    /// The global number of the caller, if it has one.
    pub calling: Option<&'a str>,
    /// Is it for an emergency service?
    pub emergency: bool,
    /// What the last ENUM rule led to.
    pub enum_outcome: Option<EnumOutcome>,
    /// The request, where a rule asks for what stands in it (see [`RouteTable::reads_messages`]).
    pub message: Option<&'a Message<'a>>,
    /// When it is asked, in milliseconds since 1970.
    pub unix_ms: u64,
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
        /// Why, and with what answer.
        refusal: &'s Refusal,
    },
    /// Ask the operator's function, then evaluate again from behind the rule, unless it says otherwise.
    Hook {
        /// Id of the rule.
        rule: &'s str,
        /// Its position.
        position: usize,
        /// What the rule says about it.
        hook: &'s Hook,
    },
    /// Note the tag, then evaluate again from `next`.
    Tag {
        /// Id of the rule.
        rule: &'s str,
        /// Number of the tag in [`RouteTable::tags`].
        tag: u16,
        /// The position to go on from.
        next: usize,
    },
    /// Copy the messages of the call into a trace, then evaluate again from `next`.
    Mirror {
        /// Id of the rule.
        rule: &'s str,
        /// The position to go on from.
        next: usize,
    },
    /// Count it; where there is room, evaluate again from `next`.
    Limit {
        /// Id of the rule.
        rule: &'s str,
        /// Its position.
        position: usize,
        /// By what it is counted.
        limiter: LimiterIndex,
        /// The position to go on from.
        next: usize,
    },
    /// Change the request as [`RouteTable::rewrite`] says, then evaluate again from `next`.
    Rewrite {
        /// Id of the rule.
        rule: &'s str,
        /// Its position.
        position: usize,
        /// The position to go on from.
        next: usize,
    },
    /// No rule holds.
    NoRoute,
}

impl RouteTable {
    /// Resolves and indexes *routes*.
    pub fn compile(routes: &[document::Route], names: &Names, lists: &Lists) -> Result<Self, SnapshotError> {
        let compiler = Compiler { names, lists };
        let called = routes.iter().map(|route| &route.condition.number);
        let calling = routes.iter().map(|route| &route.condition.calling);
        let tables = Tables {
            called: ListIndex::of(called, lists),
            calling: ListIndex::of(calling, lists),
            ..Tables::default()
        };
        let mut table = Self { tables, ..Self::default() };
        for (at, route) in routes.iter().enumerate() {
            let position = u32::try_from(at)
                .map_err(|_| SnapshotError::value("routes", "more than 4,294,967,296 entries"))?;
            let condition = compiler.outermost(position, &route.condition, &mut table.tables)?;
            table.reads_messages |= condition.reads_messages();
            if !condition.is_indexed() {
                table.others.push(position);
            }
            let action = Action::compile(at, &route.action, names, &mut table.tags)?;
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

    /// Returns what the rule at *position* chooses, if it is one that routes, or whose hook may.
    pub fn choice(&self, position: usize) -> Option<&RouteChoice> {
        match &self.rules.get(position)?.action {
            Action::Route(choice) => Some(choice),
            Action::Hook(hook) => Some(&hook.choice),
            _ => None,
        }
    }

    /// Returns what the rule at *position* says about its hook, if it has one.
    pub fn hook(&self, position: usize) -> Option<&Hook> {
        match &self.rules.get(position)?.action {
            Action::Hook(hook) => Some(hook),
            _ => None,
        }
    }

    /// Returns what the rule at *position* changes, if it is one that does.
    pub fn rewrite(&self, position: usize) -> Option<&Rewrite> {
        match &self.rules.get(position)?.action {
            Action::Rewrite(rewrite) => Some(rewrite),
            _ => None,
        }
    }

    /// The names that rules give to requests; [`Verdict::Tag`] has the number of one.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Does a rule ask for what stands in the headers or in the body?
    pub const fn reads_messages(&self) -> bool {
        self.reads_messages
    }

    /// Is there no rule at all?
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns what the rules from position *from* on decide.
    ///
    /// An ENUM rule is skipped when there is no global number: only E.164 numbers may be asked for (ENUM-04).
    pub fn evaluate(&self, from: usize, facts: &Facts<'_>, trace: &mut Trace) -> Verdict<'_> {
        let looked = Looked::at(facts, &self.tables);
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
                trace.step(|| step(Some(&rule.id), "matched", rule.action.text(&self.tags)));
                return Some(rule.verdict(position));
            };
            trace.step(|| step(Some(&rule.id), "skipped", why));
        }
        trace.step(|| step(None, "no_route", "no rule of the policy holds".to_owned()));
        None
    }

    fn evaluate_by_index(&self, from: usize, facts: &Facts<'_>, looked: &Looked<'_>) -> Option<Verdict<'_>> {
        // Up to 16 prefix lists, the domain lists, those of tables, and the rules that stand in none of them: all ascending,
        // so the next rule to look at is the smallest head.
        let mut lists: SmallVec<[&[u32]; 24]> = SmallVec::new();
        lists.extend(facts.number.into_iter().flat_map(|number| self.tables.prefixes.lists(number)));
        lists.extend(looked.host.as_deref().into_iter().flat_map(|host| self.tables.domains.lists(host)));
        lists.extend(looked.called.iter().chain(&looked.calling).copied());
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
            Action::Limit(limiter) => {
                Verdict::Limit { rule, position, limiter: *limiter, next: position.saturating_add(1) }
            }
            Action::Rewrite(_) => Verdict::Rewrite { rule, position, next: position.saturating_add(1) },
            Action::Tag(tag) => Verdict::Tag { rule, tag: *tag, next: position.saturating_add(1) },
            Action::Reject(refusal) => Verdict::Reject { rule, position, refusal },
            Action::Hook(hook) => Verdict::Hook { rule, position, hook },
            Action::Mirror => Verdict::Mirror { rule, next: position.saturating_add(1) },
        }
    }
}

fn step(rule: Option<&str>, outcome: &'static str, detail: String) -> Step {
    Step { stage: Stage::Decide, rule: rule.map(str::to_owned), outcome, detail, clause: None }
}

#[cfg(test)]
mod tests {
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
}
