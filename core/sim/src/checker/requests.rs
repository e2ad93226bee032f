//! What the border sends on of a request (RFC 3261 §16.6).

use std::net::SocketAddr;

use ibcf_sip::Time;

use super::watch::{Asked, CallWatch, Endpoint, Leg, Seen, origin, transaction_key};
use crate::text::{Text, address_of, uri_of};
use crate::topology;

/// The headers of requests that the toy agreements, trust or RFC 3261 §16.6 are about. All others must cross as they are.
const TOUCHED: [&str; 9] = [
    "Via",
    "Route",
    "Record-Route",
    "Max-Forwards",
    "Max-Breadth",
    "P-Charging-Vector",
    "P-Asserted-Identity",
    "X-Border",
    "X-Unwanted",
];
/// Hops of a request that says nothing about them.
const HOPS: u32 = 70;

impl CallWatch {
    pub(super) fn on_request_received(&mut self, text: &Text<'_>, from: Endpoint, now: Time) {
        let method = text.request_method().unwrap_or_default();
        let origin = origin(text, method);
        if self.asked_by_origin(origin).is_none() {
            self.asked.push(Asked {
                origin,
                from,
                is_in_dialog: text.tag("To").is_some(),
                uri: request_uri(text).to_owned(),
                hops: text.first("Max-Forwards").parse().unwrap_or(HOPS),
                vias: owned(text, "Via"),
                routes: foreign_routes(text),
                record_routes: owned(text, "Record-Route"),
                passing: self.passing(text, &TOUCHED),
            });
        }
        if method == "ACK" {
            return;
        }
        let key = transaction_key(text, method);
        if let Some(seen) = self.seen_by_key(key) {
            seen.times += 1;
            return;
        }
        self.seen.push(Seen {
            key,
            method: method.to_owned(),
            cseq: text.cseq(),
            at: now,
            from,
            origin,
            is_initial: text.tag("To").is_none(),
            times: 1,
            answer: None,
            tags: Vec::new(),
            sent: 0,
            disturbances: 0,
        });
    }

    pub(super) fn on_request_sent(&mut self, text: &Text<'_>, to: Endpoint) -> Result<(), String> {
        let method = text.request_method().unwrap_or_default();
        if !topology::places().any(|place| place.address == to.remote) {
            return Err(format!("a {method} went to a stranger, {}", to.remote));
        }
        let invite = transaction_key(text, "INVITE");
        match method {
            "CANCEL" => self.judge_cancel(invite)?,
            // The ACK of a failure is made here, and has the branch of its INVITE (§17.1.1.3).
            "ACK" if self.leg(invite).is_some() => return Ok(()),
            _ => self.judge_passed(text, method, to)?,
        }
        let key = transaction_key(text, method);
        let Some(leg) = self.leg(key) else {
            self.legs.push(Leg { key, to, has_response: false });
            return Ok(());
        };
        if to.is_stream && method != "ACK" {
            return Err(format!("a {method} was sent twice over one stream"));
        }
        if leg.to.remote != to.remote {
            return Err(format!("a repeated {method} went to {} instead of {}", to.remote, leg.to.remote));
        }
        Ok(())
    }

    fn judge_cancel(&mut self, invite: u64) -> Result<(), String> {
        match self.leg(invite) {
            None => Err("a CANCEL for an INVITE that never left".to_owned()),
            Some(leg) if !leg.has_response => {
                Err("a CANCEL went out before any provisional response (§9.1)".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    fn judge_passed(&self, text: &Text<'_>, method: &str, to: Endpoint) -> Result<(), String> {
        let Some(asked) = self.asked_by_origin(origin(text, method)) else {
            return Err(format!("a {method} that nobody asked for: {}", text.start));
        };
        if topology::is_home(to.remote) == topology::is_home(asked.from.remote) {
            return Err(format!("a {method} went back to the side that it came from"));
        }
        if asked.is_in_dialog && request_uri(text) != asked.uri {
            return Err(format!("the Request-URI of a {method} in a dialog changed"));
        }
        let hops: Option<u32> = text.first("Max-Forwards").parse().ok();
        if hops.is_none_or(|hops| hops >= asked.hops) {
            return Err(format!("Max-Forwards of a {method} did not fall: {hops:?} after {}", asked.hops));
        }
        judge_vias(&text.all("Via").collect::<Vec<_>>(), &asked.vias, to.own)
            .map_err(|what| format!("{method}: {what}"))?;
        let routes: Vec<_> = values(text, "Route").collect();
        if routes != asked.routes {
            return Err(format!("a {method} left with the routes {routes:?}"));
        }
        judge_record_routes(text, asked, to)?;
        if self.passing(text, &TOUCHED) != asked.passing {
            return Err(format!("a {method} did not cross byte for byte"));
        }
        Ok(())
    }
}

/// One Via more, ours, on top; the one below may have learnt where it came from; the rest as it was (§16.6 (8), RFC 3581 §4).
fn judge_vias(sent: &[&str], asked: &[String], own: SocketAddr) -> Result<(), String> {
    let Some((top, below)) = sent.split_first() else { return Err("no Via".to_owned()) };
    if !top.contains(&own.to_string()) {
        return Err(format!("the Via on top is not the one of {own}: {top}"));
    }
    if are_same_vias(below, asked) { Ok(()) } else { Err(format!("the Vias below ours changed: {below:?}")) }
}

/// Are these Vias those that a client sent, but for `received` and `rport` in the topmost?
pub(super) fn are_same_vias(found: &[&str], asked: &[String]) -> bool {
    let (Some((first, rest)), Some((asked_first, asked_rest))) = (found.split_first(), asked.split_first())
    else {
        return false;
    };
    let bare = asked_first.split(";rport").next().unwrap_or_default();
    first.starts_with(bare) && rest == asked_rest
}

/// Ours on top, at the address of each side, and those below as they came (§16.6 (4), RFC 5658).
fn judge_record_routes(text: &Text<'_>, asked: &Asked, to: Endpoint) -> Result<(), String> {
    let sent: Vec<_> = values(text, "Record-Route").collect();
    let of_address = |value: &&str| address_of(uri_of(value));
    let ours = sent.iter().take_while(|value| of_address(value).is_some_and(topology::is_border)).count();
    let (own, rest) = sent.split_at(ours);
    if rest != asked.record_routes {
        return Err(format!("the Record-Route values below ours changed: {rest:?}"));
    }
    let is_dialog_forming = text.request_method() == Some("INVITE") && !asked.is_in_dialog;
    if !is_dialog_forming {
        return if ours == 0 { Ok(()) } else { Err("a Record-Route where no dialog begins".to_owned()) };
    }
    let expected = [to.own, asked.from.own];
    if own.iter().filter_map(of_address).eq(expected) {
        return Ok(());
    }
    Err(format!("Record-Route {own:?} instead of those of {expected:?}"))
}

fn request_uri<'a>(text: &Text<'a>) -> &'a str {
    text.start.split(' ').nth(1).unwrap_or_default()
}

fn values<'a>(text: &Text<'a>, name: &str) -> impl Iterator<Item = &'a str> {
    text.all(name).flat_map(|value| value.split(',')).map(str::trim)
}

fn owned(text: &Text<'_>, name: &str) -> Vec<String> {
    text.all(name).map(str::to_owned).collect()
}

fn foreign_routes(text: &Text<'_>) -> Vec<String> {
    let is_ours = |value: &&str| address_of(uri_of(value)).is_some_and(topology::is_border);
    values(text, "Route").skip_while(is_ours).map(str::to_owned).collect()
}
