//! Each checker rejects: a border that is broken on purpose plays some calls, and is found out.

use crate::network::Conditions;
use crate::sabotage::Sabotage;
use crate::world::{self, Setup};

/// What a calm run on a perfect network finds of a border that is broken in this way.
fn found(sabotage: Option<Sabotage>) -> Vec<String> {
    let setup =
        Setup { conditions: Some(Conditions::PERFECT), is_calm: true, sabotage, ..Setup::new(11, 250) };
    let report = world::run(setup).expect("a run");
    report.failures.into_iter().map(|failure| failure.what).collect()
}

#[test]
fn a_border_that_keeps_its_promises_is_not_accused() {
    assert_eq!(found(None), Vec::<String>::new());
}

#[test]
fn each_broken_promise_is_found() {
    use Sabotage as S;
    let mut missed = Vec::new();
    for (sabotage, expected) in [
        (S::SecondFinal, "a second final response to one INVITE: 486, then 404"),
        (S::SwallowFinals, "the INVITE 1 got no final response"),
        (S::SwallowRecords, "0 records instead of 1..=1"),
        (S::DoubleRecords, "2 records instead of 1..=1"),
        (S::WrongStatusInRecords, "200 was answered but Answered 201 recorded"),
        (S::TimesGoBack, "the times of the record go back"),
        (S::TouchHeader, "a INVITE did not cross byte for byte"),
        (S::TouchBody, "a INVITE did not cross byte for byte"),
        (S::ReorderHeaders, "a BYE did not cross byte for byte"),
        (S::TouchResponse, "a 200 to a INVITE did not cross byte for byte"),
        (S::PassUnavailable, "a 503 was passed on"),
        (S::InventAnswer, "a 486 to a MESSAGE that nobody gave"),
        (S::LateAnswer, "a 408 answered a BYE"),
        (S::KeepHops, "Max-Forwards of a BYE did not fall"),
        (S::HideOurVia, "the Via on top is not the one of"),
        (S::LeakViaUpstream, "does not have the Vias of the request"),
        (S::LeakRoute, "a BYE left with the routes"),
        (S::LeakRecordRoute, "a Record-Route where no dialog begins"),
        (S::ToStranger, "a BYE went to a stranger"),
        (S::ToWrongSide, "a BYE went back to the side that it came from"),
        (S::TwiceOverStream, "a INVITE was sent twice over one stream"),
        (S::AnswerTwiceOverStream, "the answer to a INVITE was sent twice over one stream"),
        (S::EarlyCancel, "a CANCEL went out before any provisional response"),
        (S::EarlyTrying, "a 100 answered a MESSAGE at once"),
        (S::AnswerStranger, "who did not ask"),
        (S::SwallowAcks, "was never acknowledged"),
        (S::SwallowByes, "was never answered"),
        (S::SwallowByes, "a BYE in the dialog with"),
        (S::RefuseEmergency, "an emergency call was refused"),
        (S::RefuseFreely, "a call was refused although no limit was met"),
        (S::Invent, "a BYE that nobody asked for"),
        (S::Flood, "one message made 500 others"),
        (S::Panic, "the border panicked"),
    ] {
        let found = found(Some(sabotage));
        if !found.iter().any(|what| what.contains(expected)) {
            missed.push(format!("{sabotage:?} gave {:?}", found.iter().take(5).collect::<Vec<_>>()));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn what_is_left_over_is_a_failure() {
    let shared = ibcf_sip::statistics::Shared::new(1);
    shared.worker(0).calls.set(1);
    shared.peer("carrier_b").take_call(None);
    let mut checker = super::Checker::default();
    checker.on_end(&shared);
    assert_eq!(checker.into_failures().len(), 2);
}
