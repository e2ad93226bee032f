//! What must the other side see? Edits of one message on its way through the border.
//!
//! A [`Draft`] is the outgoing message as lines over the received bytes. What nobody edits leaves as it came, byte for
//! byte, in whole runs; every edit is visible to the next. Around it stand the rules that edit: trust (which headers may
//! cross), charging, the operator's header rules, Via and Record-Route. The requests and responses that the border makes
//! itself (ACK, CANCEL, its own answers) are written here too.
//!
//! The stage knows nothing of peers, transactions or sockets: whoever calls it says what is trusted and what is agreed.

mod asserted_identity;
mod base32;
mod charging;
mod draft;
mod header_edits;
mod header_name;
mod header_rules;
mod history;
mod hop;
mod key_ring;
mod overload;
mod probe;
mod record_route;
mod request_uri;
mod response;
mod session_timer;
mod strict_route;
#[cfg(test)]
mod testing;
mod text;
mod trust;
mod uri_edit;

pub use asserted_identity::edit as edit_asserted_identity;
pub use charging::{
    ChargingVector, RequestCharging, ResponseCharging, apply_request as apply_charging_to_request,
    apply_response as apply_charging_to_response,
};
pub use draft::{Draft, DraftHeader, DraftScratch};
pub use header_edits::HeaderEdit;
pub use header_name::HeaderName;
pub use header_rules::{HeaderRules, ShortText, Variable, VariableValues};
pub use hop::{
    ViaOffers, need_content_length, report_overload, via_received, via_value, write_ack, write_cancel,
    write_outline,
};
pub use key_ring::{KeyRing, TOKEN_LENGTH, Ticket, TokenError, host_tag, peer_tag, place_tag};
pub use overload::OverloadReport;
pub use probe::{Probe, write_probe};
pub use record_route::{token_of, write_uri as write_record_route};
pub use request_uri::set_host as set_request_uri_host;
pub use response::{UpstreamHop, write_response};
pub use session_timer::{
    bound as bound_session, bounds as session_bounds, grant as grant_session, granted_interval,
    is_session_refresh, is_too_short,
};
pub use strict_route::{face as face_strict_router, repair as repair_strict_route};
pub use trust::apply as apply_trust;
pub use uri_edit::{NumberEdit, UriEdit};
