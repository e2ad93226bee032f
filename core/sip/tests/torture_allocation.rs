//! From bytes to index, verdict and typed values without one allocation, once the index is warm (design §5); and over the
//! whole path of a call with a number of them that does not depend on what the messages carry.

use ibcf_sip::message::{HeaderId, HeaderIndex, Uri};
use ibcf_sip::parse::{call_id_of, check, parse};
use ibcf_sip::snapshot::Limits;
use ibcf_sip::snapshot::ListenerIndex;
use ibcf_sip::{Flow, Input};

mod support;

use support::counting::{Counting, allocations};
use support::{A, B, HOME, PEER, Sent, World, ims, only, request, respond, routes};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_index_takes_a_message_without_allocating() {
    let limits = Limits::default();
    let invite = ims::invite();
    let broken = b"INVITE sip:b@h SIP/2.0\r\nnothing right\r\nVia x\n\r\n";
    let mut index = HeaderIndex::default();
    parse(&invite, &limits, &mut index).expect("a message");

    let before = allocations();
    for _ in 0..100 {
        let call_id = call_id_of(&invite);
        let message = parse(&invite, &limits, &mut index).expect("a message");
        assert_eq!(message.header_count(), 28);
        assert!(check(&message, &limits).is_ok());
        assert_eq!(message.call_id().ok(), call_id);
        assert!(message.top_via().is_ok_and(|via| via.branch().is_some()));
        assert!(message.from().is_ok_and(|from| from.tag().is_some()));
        assert!(message.to().is_ok_and(|to| to.tag().is_none()));
        assert!(message.cseq().is_ok_and(|cseq| cseq.number == 102));
        assert_eq!(message.values(HeaderId::Via).count(), 3);
        assert!(
            message
                .request()
                .is_some_and(|request| Uri::parse(request.uri).is_ok_and(|uri| uri.is_user_phone()))
        );
        let message = parse(broken, &limits, &mut index).expect("a message");
        assert!(check(&message, &limits).is_err());
    }
    assert_eq!(allocations() - before, 0);
}

/// The messages of a call in the order in which they come in, and how often the border may allocate for each.
///
/// For the INVITE: its context with the request as it came, the branch with the request as it left, what the record needs,
/// and the entries of the tables; for the 200 the packed record of the call, for the BYE the one that the event carries away.
const STEPS: [(&str, usize); 6] =
    [("INVITE", 32), ("180", 10), ("200", 12), ("ACK", 10), ("BYE", 18), ("200 to BYE", 4)];

/// Hands one message in and tells how often the border allocated for it.
fn cost(world: &mut World, (listener, source): (ListenerIndex, &str), text: &str) -> (usize, Vec<Sent>) {
    let flow = Flow::datagram(listener, source.parse().expect("an address"));
    let now = world.now();
    world.out.clear();
    let before = allocations();
    world.border.handle(Input::Message { flow, bytes: text.as_bytes() }, now, &mut world.out);
    (allocations() - before, world.sent())
}

/// Plays one call whose messages carry *extra* lines; returns what each message cost.
fn play_call(world: &mut World, call: &str, extra: &[&str]) -> [usize; 6] {
    let (home, peer) = ((HOME, A), (PEER, B));
    let (begin, sent) = cost(world, home, &request("INVITE", "sip:bob@b.example", call, 1, "", extra, ""));
    let invite = only(&sent, "INVITE").clone();
    let (ringing, _) = cost(world, peer, &respond(&invite, "180 Ringing", "tb", extra));
    let (answered, sent) = cost(world, peer, &respond(&invite, "200 OK", "tb", extra));
    let lines = routes(only(&sent, "SIP/2.0 200"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(extra.iter().copied()).collect();
    let target = format!("sip:bob@{B}");
    let (acknowledged, _) = cost(world, home, &request("ACK", &target, call, 1, "tb", &lines, ""));
    let (ended, sent) = cost(world, home, &request("BYE", &target, call, 2, "tb", &lines, ""));
    let (over, sent) = cost(world, peer, &respond(only(&sent, "BYE"), "200 OK", "", extra));
    only(&sent, "SIP/2.0 200");
    [begin, ringing, answered, acknowledged, ended, over]
}

#[test]
fn the_whole_path_allocates_a_bounded_number_of_times_whatever_the_messages_carry() {
    let mut world = World::new();
    for warm in 0..20 {
        play_call(&mut world, &format!("w{warm}"), &["X-Warm: up"; 100]);
        world.advance(100_000);
    }
    let few = play_call(&mut world, "few", &[]);
    let many = play_call(&mut world, "many", &["X-Header: a value of some length, and some more of it"; 100]);
    for ((step, most), (few, many)) in STEPS.iter().zip(few.into_iter().zip(many)) {
        assert!(few <= *most, "{step}: {few} allocations");
        assert!(many <= most + 2, "{step} with a hundred headers more: {many} allocations");
    }
}
