//! Section `agreements[].screening`: what may stand in a message that crosses (SC-01 to SC-19).

use serde::Deserialize;

/// What is looked at; what is not given passes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // documented at their types
pub struct Screening {
    pub headers: Option<HeaderScreening>,
    pub bodies: Option<BodyScreening>,
    pub addresses: Option<AddressScreening>,
    pub options: Option<OptionScreening>,
    pub numbers: Option<NumberScreening>,
    /// What becomes of malformed headers that say who calls, by which way, and who is charged.
    pub identity: Act,
}

/// What becomes of something that may not cross.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Nothing.
    #[default]
    Pass,
    /// The message goes on without it.
    Remove,
    /// The request is refused. What cannot be refused (ACK, BYE, a response) goes on without it.
    Refuse,
}

/// Headers (SC-05, SC-06, SC-17).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderScreening {
    /// Names that may stand, beside those that SIP needs; all when not given.
    pub allow: Option<Vec<String>>,
    /// What becomes of the others.
    pub otherwise: Act,
    /// Names that are removed.
    pub remove: Vec<String>,
    /// Names for which a request is refused.
    pub refuse: Vec<String>,
    /// What becomes of a name that looks like a known one (SEC-12).
    pub lookalikes: Act,
    /// What becomes of the second and later of a header that stands once (SEC-12).
    pub repeated: Act,
}

/// Bodies (SC-09 to SC-14).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyScreening {
    /// Types that may cross, `application/isup` or `application/*`, beside those that every network takes; all when not given.
    pub allow: Option<Vec<String>>,
    /// What becomes of the others.
    pub otherwise: Unagreed,
    /// What becomes of a body that is longer than the agreement says.
    pub oversized: Act,
}

/// What becomes of a body, or a part of one, that is not agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unagreed {
    /// What its sender says in Content-Disposition: refused with 415 when the handling is required, else removed (RFC 5621).
    #[default]
    ByHandling,
    /// The message goes on without it.
    Remove,
    /// 415.
    Refuse,
}

/// Addresses and URIs (SEC-27, SEC-29, SEC-31); each passes or is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressScreening {
    /// Addresses in session descriptions that are not reached from everywhere.
    pub sdp: Act,
    /// The same in Contact.
    pub contact: Act,
    /// Headers in the URIs of Contact and Refer-To.
    pub escaped_headers: Act,
    /// Networks, `address/length`, that pass all the same.
    pub allowed: Vec<String>,
}

/// Option tags in Require and Supported (SC-18).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptionScreening {
    /// Tags that may cross; all when not given.
    pub allow: Option<Vec<String>>,
    /// Tags that may not.
    pub refuse: Vec<String>,
}

/// Forms of numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NumberScreening {
    /// Of the Request-URI of an initial request.
    pub called: NumberForm,
    /// Of From and P-Asserted-Identity.
    pub calling: NumberForm,
}

/// A form that numbers must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberForm {
    /// Any.
    #[default]
    Pass,
    /// Global ones, and local ones with `phone-context` (RFC 3966 §5.1.4, §5.1.5).
    Valid,
    /// `+` and 1 to 15 digits.
    Global,
}
