//! Edits of headers that a hook asks for: under the prohibitions of the operator's header rules (SC-02, SC-04, SEC-31).

use serde::Deserialize;

use super::draft::Draft;
use super::header_rules::check_edit;
use crate::trace::{Stage, Step, Trace};

/// One edit; edits run in order and each sees what the ones before it did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum HeaderEdit {
    /// Puts one more header of that name behind the others.
    Add { header: String, value: String },
    /// Leaves exactly one header of that name.
    Set { header: String, value: String },
    /// Takes out every header of that name.
    Remove { header: String },
}

impl HeaderEdit {
    /// Says why it may not be done.
    pub fn fault(&self) -> Option<String> {
        let (header, value) = match self {
            Self::Add { header, value } | Self::Set { header, value } => (header, value.as_str()),
            Self::Remove { header } => (header, ""),
        };
        check_edit(header, value).err()
    }

    /// Does it, in the name of *rule*.
    pub fn apply(&self, draft: &mut Draft<'_>, rule: Option<&str>, trace: &mut Trace) {
        let (outcome, header) = match self {
            Self::Add { header, value } => {
                draft.append(header.as_str(), value.as_bytes());
                ("added", header)
            }
            Self::Set { header, value } => {
                draft.set(header.as_str(), value.as_bytes());
                ("set", header)
            }
            Self::Remove { header } => {
                draft.remove_all(header.as_str());
                ("removed", header)
            }
        };
        trace.step(|| Step {
            stage: Stage::Rewrite,
            rule: rule.map(str::to_owned),
            outcome,
            detail: format!("{header}, as its hook said"),
            clause: None,
        });
    }
}
