//! The classes of input that made other SIP servers crash, leak or lie, and what this border does with each.
//!
//! The classes are those of published security advisories and fixes of Kamailio, OpenSIPS, Asterisk, PJSIP and others. A test is
//! named after its class; where a part that a class is about does not exist here, the row says so.
//!
//! | no. | class                                      | test                                                                |
//! |-----|--------------------------------------------|---------------------------------------------------------------------|
//! | 1   | To and From doubled, empty tags            | `headers::duplicate_and_empty_from_and_to`                            |
//! | 2   | invalid Via                                | `headers::invalid_via`                                              |
//! | 3   | Via read past the end                      | `cuts::messages_cut_at_every_byte`                                 |
//! | 4   | parameters read past the end               | `cuts::headers_that_end_in_every_state`                             |
//! | 5   | Content-Length                             | `lengths::content_length`; on a stream: `parse/framing/tests.rs`, cut at every place |
//! | 6   | blanks instead of a message                | `cuts::blanks_and_line_ends`                                        |
//! | 7   | URIs: ports, empty hosts, other schemes    | `uris::ports_hosts_and_schemes`                                     |
//! | 8   | digest parameters                          | `headers::digest_parameters`                                        |
//! | 9   | multipart bodies                           | `bodies::hostile_bodies_pass_untouched`: no body is taken apart     |
//! | 10  | SDP                                        | `bodies::hostile_bodies_pass_untouched`: SDP is not read            |
//! | 11  | Identity with folds and NUL                | `headers::identity_with_folds_and_nul`: STIR is not checked here     |
//! | 12  | fixed buffers for identifiers              | `lengths::identifiers_by_one_byte_steps`                            |
//! | 13  | a URI without user, rebuilt                | `uris::uris_without_user_and_hosts_of_every_length`                 |
//! | 14  | tokens of topology hiding                  | `tokens::*`                                                         |
//! | 15  | lists without end                          | `lengths::lists_of_thousands`                                       |
//! | 16  | header lookalikes                          | `lookalikes::*`                                                     |
//! | 17  | CANCEL against INVITE, in every order      | `races::cancel_and_invite_in_every_order`, `races::cancel_while_enum_is_asked_in_every_order` |
//! | 18  | transactions that leak                     | `races::every_ending_leaves_nothing_behind`                         |
//! | 19  | early BYE against 200                      | `races::bye_and_200_in_every_order`                                 |
//! | 20  | packets of a cluster                       | no part of this product: nodes share nothing but the keys           |
//! | 21  | DNS answers                                | `answers::hostile_answers_of_enum`; NAPTR and names: `tests/unit/{numbering,routing}` |
//! | 22  | TCP: half-open, slow, stuck                | `ibcf-net`                                                          |
//! | 23  | TLS: renewal under load                    | `ibcf-net`                                                          |
//! | 24  | CSeq from 2^31 on                          | `lengths::cseq_at_its_bounds`                                       |
//! | 25  | subscriptions freed too early              | `races::every_ending_leaves_nothing_behind`: subscriptions are not kept |
//! | 26  | messages turned into JSON                  | `answers::hostile_messages_become_good_json`                        |
//! | 27  | HTTP bodies                                | no part of this product: nothing is uploaded                        |

#[path = "crash_classes/answers.rs"]
mod answers;
#[path = "crash_classes/bodies.rs"]
mod bodies;
#[path = "crash_classes/cuts.rs"]
mod cuts;
#[path = "crash_classes/headers.rs"]
mod headers;
#[path = "crash_classes/lengths.rs"]
mod lengths;
#[path = "crash_classes/lookalikes.rs"]
mod lookalikes;
#[path = "crash_classes/races.rs"]
mod races;
mod support;
#[path = "crash_classes/tokens.rs"]
mod tokens;
#[path = "crash_classes/uris.rs"]
mod uris;

use ibcf_sip::message::HeaderIndex;
use ibcf_sip::parse::{check, parse};
use ibcf_sip::snapshot::Limits;
use support::*;

/// What the border did with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    /// Sent a request on.
    Forward,
    /// Gave this final response.
    Answer(u16),
    /// Said nothing.
    Drop,
}

/// A border that one hostile message after the other is sent to.
struct Victim {
    world: World,
    sent: usize,
}

impl Victim {
    fn new() -> Self {
        Self::with(World::new())
    }

    fn with(world: World) -> Self {
        Self { world, sent: 0 }
    }

    /// Sends a message as carrier A does. `#` in it stands for a number that is another one for each message.
    fn send(&mut self, text: &str) -> Did {
        self.sent += 1;
        let text = text.replace('#', &self.sent.to_string());
        self.send_bytes(A, text.as_bytes())
    }

    /// Sends bytes and judges what leaves: well-formed messages, a request only if what came was one.
    fn send_bytes(&mut self, source: &str, bytes: &[u8]) -> Did {
        let sent = self.world.receive_bytes(source, bytes);
        if self.world.border.transactions() > 1_000 {
            self.world.advance(400_000);
        }
        did(&sent)
    }

    /// The border still answers, and when traffic stopped it keeps nothing.
    fn assert_well(mut self) {
        let alive = self.world.receive(A, &request("OPTIONS", "sip:192.0.2.1", "alive", 1, "", &[], ""));
        only(&alive, "SIP/2.0 200");
        self.world.assert_quiet();
    }
}

fn did(sent: &[Sent]) -> Did {
    let mut did = Did::Drop;
    for sent in sent {
        let mut index = HeaderIndex::default();
        let message = parse(sent.text.as_bytes(), &Limits::default(), &mut index)
            .unwrap_or_else(|error| panic!("{error}: {}", sent.text));
        match message.status().map(|line| line.code) {
            None => {
                let wide = Limits { vias_max: 80, routes_max: 40, headers_max: 220, ..Limits::default() };
                assert_eq!(check(&message, &wide), Ok(()), "{}", sent.text);
                did = Did::Forward;
            }
            Some(status @ 200..) => {
                assert_eq!(did, Did::Drop, "one message, one outcome");
                did = Did::Answer(status);
            }
            Some(_) => {}
        }
    }
    did
}

/// An INVITE from A whose Call-ID and branch are new each time it is sent by [`Victim::send`].
fn invite() -> String {
    method("INVITE")
}

fn method(method: &str) -> String {
    request(method, "sip:bob@b.example", "c#", 1, "", &[], "")
}
