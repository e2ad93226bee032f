//! The ordered rules of routing: the first whose condition holds decides, except that an ENUM rule looks the number up,
//! a rewrite changes the request, a tag is noted and a limiter counts, and these go on with the next.
//!
//! A rule with number prefixes, domains or a list that many ask for is found through a table, so thousands of them cost no
//! more than a few; only rules with none of these are looked at one by one. When somebody asked for a trace, every rule is looked at in order and
//! says why it was skipped; both ways come to the same verdict (a test compares them).

use smallvec::SmallVec;

use super::action::{Action, Rewrite, RouteChoice};
use super::condition::{Compiled, Compiler, ListIndex, Lists, Looked, Tables};
use super::emergency::EmergencyNumbers;
use super::hook::Hook;
use super::refusal::Refusal;
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
    /// Was it for an emergency service as it came?
    pub emergency: bool,
    /// What else is, by the Request-URI as it is now; looked at where a rule asks.
    pub emergency_numbers: Option<&'a EmergencyNumbers>,
    /// What the last ENUM rule led to.
    pub enum_outcome: Option<EnumOutcome>,
    /// The request, where a rule asks for what stands in it (see [`RouteTable::reads_messages`]).
    pub message: Option<&'a Message<'a>>,
    /// When it is asked, in milliseconds since 1970.
    pub unix_ms: u64,
}

impl Facts<'_> {
    pub(super) fn is_emergency(&self) -> bool {
        self.emergency || self.emergency_numbers.is_some_and(|numbers| numbers.holds(self.request_uri))
    }
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
mod tests;
