//! For the tests of the machines: reads the state table out of a module's documentation, and puts what a machine did into
//! the same form, so that the two can be compared row by row.

use std::fmt::Debug;
use std::time::Duration;

use super::{Timer, Timers};

/// The timers that a machine armed, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Armed(Vec<(Timer, u128)>);

impl Armed {
    pub(super) fn take(&mut self) -> Vec<(Timer, u128)> {
        std::mem::take(&mut self.0)
    }
}

impl Timers for Armed {
    fn arm(&mut self, timer: Timer, after: Duration) {
        self.0.push((timer, after.as_millis()));
    }
}

/// One row of a state table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    state: String,
    input: String,
    next: String,
    effect: String,
    arms: String,
}

impl Row {
    pub(super) fn new<S: Debug, E: Debug + PartialEq>(
        state: &S,
        input: &str,
        next: &S,
        effect: &E,
        nothing: &E,
        armed: &Armed,
    ) -> Self {
        let effect = if effect == nothing { "-".to_owned() } else { format!("`{effect:?}`") };
        Self::with(state, input, next, effect, armed)
    }

    pub(super) fn of_sending<S: Debug>(state: &S, input: &str, next: &S, sent: bool, armed: &Armed) -> Self {
        Self::with(state, input, next, if sent { "sent" } else { "-" }.to_owned(), armed)
    }

    fn with<S: Debug>(state: &S, input: &str, next: &S, effect: String, armed: &Armed) -> Self {
        let names: Vec<_> = armed.0.iter().map(|(timer, _)| format!("{timer:?}")).collect();
        let arms = if names.is_empty() { "-".to_owned() } else { names.join(" ") };
        Self { state: format!("{state:?}"), input: input.to_owned(), next: format!("{next:?}"), effect, arms }
    }

    /// Tells whether nothing at all happened.
    pub(super) fn is_idle(&self) -> bool {
        self.state == self.next && self.effect == "-" && self.arms == "-"
    }
}

/// The rows of the table in the documentation of the module with this *source*.
pub(super) fn rows(source: &str) -> Vec<Row> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    source
        .lines()
        .filter_map(|line| line.strip_prefix("//! |"))
        .skip(2) // the heading and the rule below it
        .map(|line| match <[String; 6]>::try_from(cells(line)) {
            Ok([state, input, next, effect, arms, _]) => Row { state, input, next, effect, arms },
            Err(other) => panic!("not a row of five cells: {other:?}"),
        })
        .collect()
}

/// Every timer there is.
pub(super) fn all_timers() -> [Timer; 14] {
    use Timer::{A, B, C, D, E, F, G, H, I, J, K, L, M, Trying};
    [A, B, C, D, E, F, G, H, I, J, K, L, M, Trying]
}
