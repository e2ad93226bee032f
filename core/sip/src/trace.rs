//! The trace of one message through the stages: what `explain` shows.
//!
//! The live path carries a switched-off trace, which costs one test of a discriminant a step.

use serde::Serialize;

/// The eight stages in the life of a message, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are the documentation: see the crate's doc for each stage
pub enum Stage {
    Transport,
    Parse,
    Admit,
    Transaction,
    Screen,
    Decide,
    Rewrite,
    Forward,
}

impl Stage {
    /// Returns the name used in metrics, logs and `explain`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Parse => "parse",
            Self::Admit => "admit",
            Self::Transaction => "transaction",
            Self::Screen => "screen",
            Self::Decide => "decide",
            Self::Rewrite => "rewrite",
            Self::Forward => "forward",
        }
    }
}

/// One thing that a stage did or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where it happened.
    pub stage: Stage,
    /// The operator's id of the rule, route, agreement or peer concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What came of it, in a word or two: `matched`, `skipped`, `removed`, `refused`.
    pub outcome: &'static str,
    /// The same in a sentence, with the values.
    pub detail: String,
    /// The clause or requirement it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<&'static str>,
}

/// Collects the steps when somebody asked for them, else does nothing.
#[derive(Debug, Default)]
pub struct Trace(Option<Vec<Step>>);

impl Trace {
    /// Returns a trace that ignores every step.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Returns a trace that keeps every step.
    pub const fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// Tells whether steps are kept, for callers whose detail costs something to put together.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps the step that *make* returns, if steps are kept at all.
    pub fn step(&mut self, make: impl FnOnce() -> Step) {
        if let Some(steps) = &mut self.0 {
            steps.push(make());
        }
    }

    /// Takes the steps kept so far.
    pub fn take(&mut self) -> Vec<Step> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
