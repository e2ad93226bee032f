//! A share of the requests is copied for the control plane when they are decided. The calls themselves are the same, byte for
//! byte and timer for timer, whether somebody wants copies or not.

mod support;

use ibcf_sip::input::EnumOutcome;
use ibcf_sip::output::SampledRequest;
use support::*;

const BOB: &str = "sip:bob@b.example";
const NUMBER: &str = "tel:+441632960083";

/// What one world sent, recorded and was to do next, and the copies that it made.
#[derive(Debug, Default)]
struct Seen {
    told: Vec<String>,
    samples: Vec<SampledRequest>,
}

impl Seen {
    fn take(&mut self, world: &mut World, sent: Vec<Sent>) -> Vec<Sent> {
        self.told.extend(sent.iter().map(|one| format!("{one:?}")));
        self.told.push(format!("next {:?}", world.border.next_due()));
        self.samples.append(&mut world.out.samples);
        sent
    }
}

/// Plays a call that is answered after a failover, one that ENUM leads on, one that is refused, and one that is given up.
fn play(share: u16) -> Seen {
    let mut world = World::new();
    world.shared.sample(share);
    let mut seen = Seen::default();
    let receive = |world: &mut World, seen: &mut Seen, source: &str, text: &str| {
        let sent = world.receive(source, text);
        seen.take(world, sent)
    };
    let sent = receive(&mut world, &mut seen, A, &request("INVITE", BOB, "s1", 1, "", &[], ""));
    let invite = only(&sent, "INVITE").clone();
    let sent = receive(&mut world, &mut seen, B, &respond(&invite, "503 Service Unavailable", "t", &[]));
    let invite = only(&sent, "INVITE").clone();
    receive(&mut world, &mut seen, C, &respond(&invite, "200 OK", "tc", &[]));
    receive(&mut world, &mut seen, A, &request("INVITE", NUMBER, "s2", 1, "", &[], ""));
    let sent = world.answer(EnumOutcome::Found, &["sip:+441632960083@b.example"], 0);
    seen.take(&mut world, sent);
    receive(&mut world, &mut seen, A, &request("INVITE", "tel:+44901234", "s3", 1, "", &[], ""));
    receive(&mut world, &mut seen, A, &request("INVITE", BOB, "s4", 1, "", &[], ""));
    receive(&mut world, &mut seen, A, &request("CANCEL", BOB, "s4", 1, "", &[], ""));
    for _ in 0..40 {
        let sent = world.advance(10_000);
        seen.take(&mut world, sent);
    }
    seen.told.extend(world.records().iter().map(|record| format!("{record:?}")));
    seen
}

#[test]
fn a_call_is_the_same_with_and_without_copies() {
    let (with, without) = (play(10_000), play(0));
    assert_eq!(with.told, without.told);
    assert!(without.samples.is_empty());
    let rules: Vec<_> = with.samples.iter().map(|sample| sample.rule.as_deref()).collect();
    assert_eq!(rules, [Some("to_b"), Some("to_b"), Some("no_premium"), Some("to_b")], "each call once");
}

#[test]
fn a_copy_has_the_request_and_what_it_was_decided_with() {
    let seen = play(10_000);
    let [_, looked_up, ..] = seen.samples.as_slice() else { panic!("{:?}", seen.samples) };
    assert_eq!((looked_up.peer.as_str(), looked_up.listener.as_str()), ("carrier_a", "home_udp"));
    assert_eq!((looked_up.source.as_str(), looked_up.number.as_deref()), (A, Some("+441632960083")));
    assert_eq!(looked_up.message, request("INVITE", NUMBER, "s2", 1, "", &[], ""));
    let [answer] = looked_up.answers.as_slice() else { panic!("{looked_up:?}") };
    assert_eq!((answer.service.as_str(), answer.outcome), ("carrier_enum", EnumOutcome::Found));
    assert_eq!(answer.candidates, ["sip:+441632960083@b.example"]);
}

#[test]
fn a_share_is_told_by_the_call_id() {
    let count = |share: u16| {
        let mut world = World::new();
        world.shared.sample(share);
        let sampled = (0..400).filter(|nth| {
            world.receive(A, &request("OPTIONS", BOB, &format!("many{nth}"), 1, "", &[], ""));
            !world.out.samples.is_empty()
        });
        sampled.collect::<Vec<_>>()
    };
    let (tenth, half) = (count(1_000), count(5_000));
    assert!((20..=60).contains(&tenth.len()), "{}", tenth.len());
    assert!((160..=240).contains(&half.len()), "{}", half.len());
    assert!(tenth.iter().all(|nth| half.contains(nth)), "the same calls, and more");
}
