//! Classes 7 and 13: URIs at the edge of the grammar, in each place where a border reads one or writes one anew.

use super::*;
use ibcf_sip::input::EnumOutcome;
use serde_json::json;

/// A border with a route for every URI.
fn open() -> World {
    let mut policy = policy();
    policy["routes"] = json!([
        {"id": "look_up", "condition": {"schemes": ["tel"]}, "action": {"kind": "enum", "service": "carrier_enum"}},
        {"id": "all", "action": {"kind": "route", "to": [{"peer": "carrier_b"}]}},
    ]);
    World::with(&policy)
}

/// Class 7: ports above 16 bits, empty hosts, schemes alone.
#[test]
fn ports_hosts_and_schemes() {
    let mut victim = Victim::with(open());
    let mut wrong = Vec::new();
    let text = invite();
    for (uri, wanted) in [
        ("sip:b@h:65535", Did::Forward),
        ("sip:b@h:1", Did::Forward),
        ("sip:b@h:0", Did::Forward),
        ("sip:b@h:00000005060", Did::Forward),
        ("sip:b@h:65536", Did::Answer(400)),
        ("sip:b@h:70596", Did::Answer(400)),
        ("sip:b@h:4294972356", Did::Answer(400)),
        ("sip:b@h:18446744073709556676", Did::Answer(400)),
        ("sip:b@h:-1", Did::Answer(400)),
        ("sip:b@h:+1", Did::Answer(400)),
        ("sip:b@h:5060x", Did::Answer(400)),
        ("sip:b@h:", Did::Answer(400)),
        ("sip:b@", Did::Answer(400)),
        ("sip:@h", Did::Answer(400)),
        ("sip:@", Did::Answer(400)),
        ("sip:", Did::Answer(400)),
        ("sip", Did::Answer(400)),
        (":", Did::Answer(400)),
        ("<sip>", Did::Answer(400)),
        ("<sip:b@h>", Did::Answer(400)),
        ("sip:;lr", Did::Answer(400)),
        ("sip:b@[::1", Did::Answer(400)),
        ("sip:b@::1", Did::Answer(400)),
        ("sip:b@[]", Did::Answer(400)),
        ("sip:b@[v1.x]", Did::Answer(400)),
        ("sip:b@[::1]:65536", Did::Answer(400)),
        ("sip:b@[::ffff:192.0.2.1]", Did::Forward),
        ("sip:b@h?X=y", Did::Answer(400)),
        ("tel:", Did::Answer(400)),
        ("tel:+", Did::Answer(400)),
        ("tel:;x", Did::Answer(400)),
        ("urn:", Did::Answer(400)),
        ("urn:x", Did::Forward),
        ("urn:service:sos", Did::Forward),
        ("urn:service:", Did::Forward),
        ("http://h/", Did::Answer(416)),
        ("x:", Did::Answer(400)),
    ] {
        let did = victim.send(&text.replacen("sip:bob@b.example", uri, 1));
        if did != wanted {
            wrong.push(format!("{uri}: {did:?}, want {wanted:?}"));
        }
        // The same in a Route: nothing but 400 or a way that is no harm.
        let route = text.replace("Max-Forwards", &format!("Route: <{uri}>\r\nMax-Forwards"));
        let did = victim.send(&route);
        assert!(matches!(did, Did::Forward | Did::Answer(400 | 404)), "Route: {uri}: {did:?}");
        for name in ["Contact", "P-Asserted-Identity", "History-Info", "Record-Route"] {
            let line = text.replace("Max-Forwards", &format!("{name}: <{uri}>\r\nMax-Forwards"));
            let did = victim.send(&line);
            assert!(matches!(did, Did::Forward | Did::Answer(400)), "{name}: {uri}: {did:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    victim.assert_well();
}

/// Class 13 (one packet, no authentication): a URI without a user is written anew with hosts of each length.
#[test]
fn uris_without_user_and_hosts_of_every_length() {
    let mut victim = Victim::with(open());
    for length in 1..=300 {
        let host = "h".repeat(length);
        for uri in [format!("sip:{host}"), format!("sips:{host}:5061"), format!("sip:{host};lr;x=\"")] {
            let text = request("INVITE", &uri, "c#", 1, "", &[], "");
            let did = victim.send(&text);
            if did == Did::Forward {
                let sent = victim.world.sent();
                assert!(only(&sent, "INVITE").start().starts_with(&format!("INVITE {uri} ")), "{uri}");
            } else {
                assert!(uri.contains('"') && did == Did::Answer(400), "{uri}: {did:?}");
            }
        }
    }
    victim.assert_well();
}

/// Class 13 where the border does write a Request-URI anew: from what ENUM found.
#[test]
fn enum_candidates_without_user_and_of_every_length() {
    let mut world = open();
    for length in 1..=255 {
        let host = "h".repeat(length);
        let number = format!("tel:+4416329{length:05}");
        world.receive(A, &request("INVITE", &number, &format!("e{length}"), 1, "", &[], ""));
        let sent = world.answer(EnumOutcome::Found, &[&format!("sip:{host}")], 0);
        let invite = only(&sent, "INVITE");
        assert_eq!(invite.start(), format!("INVITE sip:{host} SIP/2.0"));
        assert_eq!(did(&sent), Did::Forward);
    }
    world.advance(400_000);
    world.assert_quiet();
}
