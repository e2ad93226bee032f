//! One request that comes here twice over different paths, and what only looks like it (RFC 3261 §8.2.2.2, RFC 3578).
//!
//! ```text
//!     A            proxies           border                B
//!     | INVITE ---> | INVITE 1 ----> | INVITE -----------> |
//!     |             | INVITE 2 ----> |                     |
//!     |             | <------- 482   |                     |
//!     |             | <------- 200   | <----------- 200    |
//! ```

mod support;

use serde_json::json;
use support::*;

fn invite(uri: &str, branch: &str) -> String {
    request("INVITE", uri, "m", 1, "", &[], "").replace("z9hG4bKm1INVITE", branch)
}

#[test]
fn the_second_path_of_one_request_gets_482() {
    let mut world = World::new();
    let sent = world.receive(A, &invite("sip:bob@b.example", "z9hG4bKone"));
    let first = only(&sent, "INVITE").clone();
    let sent = world.receive(A, &invite("sip:bob@b.example", "z9hG4bKtwo"));
    assert_eq!((sent.len(), only(&sent, "SIP/2.0 482").headers("Via").len()), (1, 1));
    assert_eq!(world.metric("ibcf_rejections_total", &["screen.merged"]), 1);
    only(&world.receive(B, &respond(&first, "200 OK", "tb", &[])), "SIP/2.0 200");
    let ack =
        request("ACK", "sip:bob@b.example", "m", 1, "x", &[], "").replace("z9hG4bKm1INVITE", "z9hG4bKtwo");
    world.receive(A, &ack);
    world.advance(43_300_000);
    world.assert_quiet();
}

#[test]
fn after_a_final_response_the_same_request_may_come_another_way() {
    let mut world = World::new();
    let sent = world.receive(A, &invite("sip:bob@b.example", "z9hG4bKone"));
    world.receive(B, &respond(only(&sent, "INVITE"), "486 Busy Here", "tb", &[]));
    let sent = world.receive(A, &invite("sip:bob@b.example", "z9hG4bKtwo"));
    only(&sent, "INVITE");
}

#[test]
fn a_fork_to_two_numbers_crosses_twice() {
    let mut world = World::new();
    only(&world.receive(A, &invite("sip:bob@b.example", "z9hG4bKone")), "INVITE");
    only(&world.receive(A, &invite("sip:bobs-mobile@b.example", "z9hG4bKtwo")), "INVITE");
}

#[test]
fn another_peer_with_the_same_request_is_told_so_too() {
    let mut policy = policy();
    policy["routes"][2]["action"] = json!({"kind": "route", "to": [{"peer": "carrier_a"}]});
    let mut world = World::with(&policy);
    only(&world.receive(B, &invite("sip:bob@b.example", "z9hG4bKone")), "INVITE");
    only(&world.receive(C, &invite("sip:bob@b.example", "z9hG4bKtwo")), "SIP/2.0 482");
}

#[test]
fn a_message_is_merged_as_well() {
    let mut world = World::new();
    let message = |branch: &str| {
        request("MESSAGE", "sip:bob@b.example", "m", 1, "", &[], "hello").replace("z9hG4bKm1MESSAGE", branch)
    };
    let sent = world.receive(A, &message("z9hG4bKone"));
    let first = only(&sent, "MESSAGE").clone();
    only(&world.receive(A, &message("z9hG4bKtwo")), "SIP/2.0 482");
    only(&world.receive(B, &respond(&first, "200 OK", "tb", &[])), "SIP/2.0 200");
    world.assert_quiet();
}

#[test]
fn the_invites_of_an_overlap_dialling_pass_and_meet_at_one_next_hop() {
    let mut policy = policy();
    let targets: Vec<_> = (0..8)
        .map(|nth| json!({"id": format!("b{nth}"), "address": format!("198.51.100.20:{}", 6_000 + nth)}))
        .collect();
    policy["peers"][1]["targets"] = json!(targets);
    let mut hops = std::collections::HashSet::new();
    for call in ["o1", "o2", "o3", "o4", "o5", "o6"] {
        let mut world = World::with(&policy);
        let mut of_call = std::collections::HashSet::new();
        for (cseq, digits) in ["0163", "016329", "01632960083"].iter().enumerate() {
            let uri = format!("sip:{digits}@b.example");
            let sent = world.receive(A, &request("INVITE", &uri, call, cseq as u32 + 1, "", &[], ""));
            let invite = only(&sent, "INVITE").clone();
            of_call.insert(invite.to);
            let listed = invite.to.to_string();
            if cseq < 2 {
                let sent = world.receive(&listed, &respond(&invite, "484 Address Incomplete", "tb", &[]));
                only(&sent, "SIP/2.0 484");
                world.receive(A, &request("ACK", &uri, call, cseq as u32 + 1, "tb", &[], ""));
            } else {
                only(&world.receive(&listed, &respond(&invite, "180 Ringing", "tb", &[])), "SIP/2.0 180");
                world.receive(&listed, &respond(&invite, "486 Busy Here", "tb", &[]));
                world.receive(A, &request("ACK", &uri, call, 3, "tb", &[], ""));
            }
        }
        assert_eq!(of_call.len(), 1, "{call}");
        hops.extend(of_call);
        world.assert_quiet();
    }
    assert!(hops.len() > 1, "calls are spread all the same");
}
