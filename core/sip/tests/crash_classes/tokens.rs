//! Class 14: the token in our Record-Route, tampered with, cut, too long, or sealed by somebody else.
//!
//! Each ends in 403 with the reason `rewrite.token_invalid`, is counted, and reaches nobody.

use super::*;
use serde_json::json;

/// A call that is up, and its BYE with another token in the Route.
struct Dialog {
    world: World,
    bye: String,
    token: String,
    tried: u64,
}

impl Dialog {
    fn new() -> Self {
        let mut world = World::new();
        let (_, answer) = answered_call(&mut world, "c1");
        let lines = routes(&answer);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let bye = request("BYE", &format!("sip:bob@{B}"), "c1", 2, "tb", &lines, "");
        let token = token_in(&bye).to_owned();
        Self { world, bye, token, tried: 0 }
    }

    fn assert_refused(&mut self, token: &str) {
        self.tried += 1;
        let text = self.bye.replace(&self.token, token).replace("bKc1", &format!("bKc1x{}", self.tried));
        let sent = self.world.receive(A, &text);
        assert_eq!(sent.len(), 1, "{token}");
        only(&sent, "SIP/2.0 403");
        assert_eq!(
            self.world.metric("ibcf_rejections_total", &["rewrite.token_invalid"]),
            self.tried,
            "{token}"
        );
        assert_eq!(
            self.world.metric("ibcf_topology_tokens_total", &["open", "refused"]),
            self.tried,
            "{token}"
        );
    }

    /// What was tried changed nothing: the real BYE passes and ends the call.
    fn assert_unharmed(mut self) {
        let sent = self.world.receive(A, &self.bye.clone());
        let answer = respond(only(&sent, "BYE"), "200 OK", "", &[]);
        only(&self.world.receive(B, &answer), "SIP/2.0 200");
        assert_eq!(self.world.records().len(), 1);
        self.world.assert_quiet();
    }
}

fn token_in(text: &str) -> &str {
    let line = text
        .lines()
        .filter(|line| line.starts_with("Route"))
        .find(|line| line.contains('@'))
        .expect("a token");
    line.split_once("sip:").and_then(|(_, uri)| uri.split_once('@')).expect("a user").0
}

#[test]
fn a_token_changed_at_any_character() {
    let mut dialog = Dialog::new();
    let token = dialog.token.clone();
    for at in 0..token.len() {
        for with in ["a", "7", "A", "%61", ""] {
            let changed = format!("{}{with}{}", &token[..at], &token[at + 1..]);
            if changed != token {
                dialog.assert_refused(&changed);
            }
        }
    }
    dialog.assert_unharmed();
}

#[test]
fn a_token_of_any_other_length() {
    let mut dialog = Dialog::new();
    let token = dialog.token.clone();
    for length in 1..token.len() {
        dialog.assert_refused(&token[..length]);
        dialog.assert_refused(&token[length..]);
    }
    for times in [2, 3, 20] {
        dialog.assert_refused(&token.repeat(times));
    }
    for more in ["a", "aaaaaaaa", "=", ":password", ";x"] {
        let token = format!("{token}{more}");
        if more.starts_with([':', ';']) {
            continue; // the token is whole, only something stands beside it
        }
        dialog.assert_refused(&token);
    }
    dialog.assert_unharmed();
}

#[test]
fn a_token_that_another_key_sealed() {
    for key in [json!({"id": 1, "secret": "99".repeat(32)}), json!({"id": 9, "secret": "11".repeat(32)})] {
        let mut foreign = policy();
        foreign["keys"] = json!([key]);
        let mut other = World::with(&foreign);
        let (_, answer) = answered_call(&mut other, "c1");
        let line = routes(&answer).into_iter().find(|line| line.contains('@')).expect("a token");
        let mut dialog = Dialog::new();
        dialog.assert_refused(token_in(&line));
        dialog.assert_unharmed();
    }
}

/// A whole token, used by a peer that has no leg in its dialog.
#[test]
fn a_token_in_the_hands_of_a_third_peer() {
    let dialog = Dialog::new();
    let mut world = dialog.world;
    let sent = world.receive(C, &dialog.bye.replace(A, C));
    assert_eq!(sent.len(), 1);
    only(&sent, "SIP/2.0 403");
    assert_eq!(world.metric("ibcf_rejections_total", &["carrier_c", "rewrite.wrong_side"]), 1);
}

/// The same in an ACK, which nobody may answer: dropped and counted.
#[test]
fn an_ack_with_a_broken_token() {
    let mut dialog = Dialog::new();
    let ack = dialog.bye.replace("BYE", "ACK").replace(&dialog.token, "aaaa");
    assert!(dialog.world.receive(A, &ack).is_empty());
    assert_eq!(dialog.world.metric("ibcf_messages_dropped_total", &[]), 1);
    assert_eq!(dialog.world.metric("ibcf_topology_tokens_total", &["open", "refused"]), 1);
}
