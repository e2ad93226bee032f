//! Section `header_rules`: named lists of edits.

use serde::Deserialize;

/// A named list of header rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HeaderRuleSet {
    pub id: String,
    pub rules: Vec<HeaderRule>,
}

/// One edit; rules run in order and each sees what the ones before it did.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HeaderRule {
    pub id: String,
    #[serde(default)]
    pub messages: Messages,
    /// Only for these methods (of the CSeq); all when empty.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Only for responses whose status is in one of these ranges, both ends included; all messages when empty.
    #[serde(default)]
    pub statuses: Vec<(u16, u16)>,
    /// The header that is changed.
    pub header: String,
    /// Only those of its values; all when left out. A list has several in one line (RFC 3261 §7.3.1).
    #[serde(default)]
    pub values: Option<ValueTest>,
    pub action: HeaderAction,
}

/// Which messages a rule is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Messages {
    #[default]
    Any,
    Requests,
    Responses,
}

/// Which values of a header are meant.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueTest {
    /// Those that are one of these texts, without regard to case.
    Equals(Vec<String>),
    /// Those in which it matches (crate `regex`).
    Regex(String),
}

/// What a rule does to its header.
///
/// In `value` and `with`, `${peer.to}` and the like are variables and `$$` is a dollar sign.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeaderAction {
    /// Puts one more header of that name behind the others.
    Add {
        /// Its value.
        value: String,
    },
    /// Leaves exactly one header of that name.
    Set {
        /// Its value.
        value: String,
    },
    /// Takes out every header of that name.
    Remove,
    /// Replaces in each header of that name every match of a pattern.
    Replace {
        /// What to look for: the text itself, or a regular expression.
        pattern: String,
        /// Is `pattern` a regular expression (crate `regex`: linear time)?
        regex: bool,
        /// What to put there; with `regex`, `$1` and `${name}` are captures.
        with: String,
    },
    /// Adds what another header has; `values` are then those of the other one.
    Copy {
        /// The other header.
        from: String,
        /// Only its first value.
        #[serde(default)]
        only_first: bool,
    },
    /// Gives every header of that name another one.
    Rename {
        /// The new name.
        to: String,
    },
    /// Changes a parameter of each value.
    Parameter {
        /// Name of the parameter.
        name: String,
        /// Of the header, or of the URI in it.
        #[serde(default, rename = "in")]
        place: ParameterPlace,
        /// What becomes of it.
        change: ParameterChange,
    },
}

/// Where a parameter stands (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterPlace {
    /// Behind the address, or whatever the value is.
    #[default]
    Header,
    /// In the URI of the address.
    Uri,
}

/// What becomes of a parameter; an empty value is a parameter without one.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of `HeaderAction`
pub enum ParameterChange {
    /// Puts it behind the others, unless it is there.
    Add { value: String },
    /// Leaves exactly one, with this value.
    Set { value: String },
    /// Takes it away.
    Remove,
    /// Replaces in its value every match of a pattern.
    Replace { pattern: String, regex: bool, with: String },
}
