//! A rule that mirrors a call: all its messages are copied, as they came and as they left, on both sides, and none of another call.

mod support;

use ibcf_sip::output::MirroredMessage;
use serde_json::json;
use support::*;

const BOB: &str = "sip:+441632960083@b.example;user=phone";

fn with_rule() -> World {
    let mut policy = policy();
    let routes = policy["routes"].as_array_mut().expect("routes");
    let condition = json!({"number": {"prefixes": ["+4416"]}});
    routes.insert(0, json!({"id": "watch", "condition": condition, "action": {"kind": "mirror"}}));
    World::with(&policy)
}

/// Plays a message, and keeps what was copied.
fn receive(world: &mut World, copies: &mut Vec<MirroredMessage>, source: &str, text: &str) -> Vec<Sent> {
    let sent = world.receive(source, text);
    copies.append(&mut world.out.mirrored);
    sent
}

#[test]
fn every_message_of_the_call_is_copied_on_both_sides_until_it_ends() {
    let mut world = with_rule();
    let mut copies = Vec::new();
    let sent = receive(&mut world, &mut copies, A, &request("INVITE", BOB, "m1", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    receive(&mut world, &mut copies, B, &respond(&invite, "180 Ringing", "tb", &[]));
    let sent = receive(&mut world, &mut copies, B, &respond(&invite, "200 OK", "tb", &[]));
    let answer = only(&sent, "SIP/2.0 200").clone();
    let lines = routes(&answer);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    receive(
        &mut world,
        &mut copies,
        A,
        &request("ACK", "sip:bob@198.51.100.20:5060", "m1", 1, "tb", &lines, ""),
    );
    let sent = receive(
        &mut world,
        &mut copies,
        A,
        &request("BYE", "sip:bob@198.51.100.20:5060", "m1", 2, "tb", &lines, ""),
    );
    let bye = only(&sent, "BYE").clone();
    receive(&mut world, &mut copies, B, &respond(&bye, "200 OK", "tb", &[]));
    let told: Vec<String> = copies
        .iter()
        .map(|copy| {
            let way = if copy.is_received { "from" } else { "to" };
            let line = copy.message.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let what = if line.starts_with("SIP") {
                line
            } else {
                copy.message.split(' ').next().unwrap_or_default().to_owned()
            };
            format!("{what} {way} {}", if copy.remote == A { "A" } else { "B" })
        })
        .collect();
    assert_eq!(
        told,
        [
            "INVITE from A",
            "INVITE to B",
            "SIP/2.0 100 to A",
            "SIP/2.0 180 from B",
            "SIP/2.0 180 to A",
            "SIP/2.0 200 from B",
            "SIP/2.0 200 to A",
            "ACK from A",
            "ACK to B",
            "BYE from A",
            "BYE to B",
            "SIP/2.0 200 from B",
            "SIP/2.0 200 to A",
        ]
    );
    let first = &copies[0];
    assert_eq!(
        (first.local.as_str(), first.message.clone()),
        (BORDER_HOME, request("INVITE", BOB, "m1", 1, "", &[], ""))
    );
    let sent_copy =
        copies.iter().find(|copy| !copy.is_received && copy.message.starts_with("INVITE")).expect("a copy");
    assert_eq!((sent_copy.local.as_str(), sent_copy.message.as_str()), (BORDER_PEER, invite.text.as_str()));
}

#[test]
fn what_is_repeated_by_a_timer_is_copied_and_another_call_is_not() {
    let mut world = with_rule();
    let mut copies = Vec::new();
    receive(&mut world, &mut copies, A, &request("INVITE", BOB, "m2", 1, "", &[], ""));
    receive(&mut world, &mut copies, A, &request("INVITE", "sip:bob@b.example", "other", 1, "", &[], ""));
    assert!(copies.iter().all(|copy| copy.message.contains("Call-ID: m2")), "{copies:?}");
    let before = copies.len();
    world.ms += 500;
    let sent = world.handle(ibcf_sip::Input::Tick);
    assert_eq!(sent.iter().filter(|sent| sent.start().starts_with("INVITE")).count(), 2, "both are repeated");
    copies.append(&mut world.out.mirrored);
    assert_eq!(copies.len(), before + 1);
}

#[test]
fn calls_that_are_followed_are_bounded_and_the_oldest_gives_way() {
    let mut world = with_rule();
    let mut copies = Vec::new();
    let sent = receive(&mut world, &mut copies, A, &request("INVITE", BOB, "first", 1, "", &[], ""));
    let first = only(&sent, "INVITE").clone();
    for nth in 0..1_024 {
        receive(&mut world, &mut copies, A, &request("INVITE", BOB, &format!("n{nth}"), 1, "", &[], ""));
    }
    copies.clear();
    receive(&mut world, &mut copies, B, &respond(&first, "180 Ringing", "tb", &[]));
    assert_eq!(copies, []);
    receive(&mut world, &mut copies, A, &request("INVITE", BOB, "n1023", 1, "", &[], ""));
    assert!(!copies.is_empty(), "the newest is followed");
}

#[test]
fn a_call_is_the_same_with_and_without_copies() {
    let play = |mut world: World| {
        let (invite, answer) = answered_call(&mut world, "same");
        (invite.text, answer.text, world.border.next_due(), format!("{:?}", world.records()))
    };
    let mut without = policy();
    let rule = json!({"id": "watch", "condition": {"methods": ["MESSAGE"]}, "action": {"kind": "mirror"}});
    without["routes"].as_array_mut().expect("routes").insert(0, rule);
    let mut with = policy();
    let rule = json!({"id": "watch", "action": {"kind": "mirror"}});
    with["routes"].as_array_mut().expect("routes").insert(0, rule);
    assert_eq!(play(World::with(&with)), play(World::with(&without)));
}
