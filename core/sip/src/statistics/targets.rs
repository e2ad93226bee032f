//! The state of targets as metric families.

use std::sync::Arc;

use super::family::{Builder, Family, Kind};
use crate::decide::{TargetHealth, TargetState};
use crate::time::Time;

/// Of targets that were found for one Request-URI only those that something speaks against: they are any number.
pub(super) fn families(targets: &[Arc<TargetHealth>], now: Time) -> Vec<Family> {
    let mut up = Builder::new(
        "ibcf_peer_up",
        Kind::Gauge,
        "1 while nothing speaks against trying the target, a 503 with Retry-After aside.",
        &["peer", "target"],
    );
    let mut states = Builder::new(
        "ibcf_target_state",
        Kind::Gauge,
        "1 for the state that the target is in.",
        &["peer", "target", "state"],
    );
    let mut overload = Builder::new(
        "ibcf_target_overload_percent",
        Kind::Gauge,
        "How many percent fewer requests the target asks for (RFC 7339); only of those that ask.",
        &["peer", "target"],
    );
    let mut held_back = Builder::new(
        "ibcf_requests_held_back_total",
        Kind::Counter,
        "Requests that were not sent to the target because it asked for fewer; another target may have got them.",
        &["peer", "target"],
    );
    for target in targets {
        let restriction = target.restriction();
        if restriction.was_asked_for() {
            overload.push(&[target.peer(), target.target()], f64::from(restriction.percent(now)));
            held_back.add(&[target.peer(), target.target()], restriction.held_back());
        }
        let state = target.state(now);
        if !target.is_listed() && state == TargetState::Up {
            continue;
        }
        let is_up = matches!(state, TargetState::Up | TargetState::Blocked);
        up.push(&[target.peer(), target.target()], f64::from(u8::from(is_up)));
        for each in TargetState::ALL {
            states.push(&[target.peer(), target.target(), each.name()], f64::from(u8::from(each == state)));
        }
    }
    vec![up.0, states.0, overload.0, held_back.0]
}
