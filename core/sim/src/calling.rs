//! The calling side of an agent: INVITE, CANCEL, ACK, hold, BYE; MESSAGE and OPTIONS.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;

use crate::peer::{Actions, Agent, Dialog, Step, Wake, call_id};
use crate::plan::{Dialled, Kind, Way};
use crate::resend::{Purpose, T2};
use crate::text::{Text, uri_of};

const BODY: &str =
    "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// What the caller keeps.
#[derive(Debug, Default)]
pub struct Calling {
    /// Where its requests go, until a dialog says otherwise.
    pub border: Option<SocketAddr>,
    state: State,
    branch: String,
    uri: String,
    /// Value of To in the INVITE.
    to: String,
    wants_cancel: bool,
    has_cancelled: bool,
    /// The re-INVITE, and where it went.
    hold: Option<(Vec<u8>, SocketAddr)>,
    /// The tags that answered 2xx, the `CSeq` number, and the ACK that each got.
    acks: Vec<(String, u32, Vec<u8>, SocketAddr)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Calling,
    Proceeding,
    Final,
}

/// The `CSeq` number of the first request of a caller.
const FIRST: Purpose = Purpose::Request { cseq: 1, is_cancel: false };

impl Agent {
    /// Sends the first request.
    pub fn start(&mut self, now: Time, actions: &mut Actions) {
        let Some(border) = self.calling.border else { return };
        let cseq = self.next_cseq();
        self.calling.branch = self.branch();
        self.calling.uri = self.dialled_uri(border);
        self.calling.to = format!("<{}>", self.calling.uri);
        let (method, cap) = match self.plan.kind {
            Kind::Call => ("INVITE", None),
            Kind::Message => ("MESSAGE", Some(T2)),
            Kind::Ping => ("OPTIONS", Some(T2)),
        };
        let bytes = self.first_request(method, cseq);
        self.resends.start(FIRST, bytes, border, cap, now, actions);
        if self.plan.kind == Kind::Call {
            self.calling.state = State::Calling;
            if let Some(cancel_ms) = self.plan.cancel_ms {
                actions.wake(Duration::from_millis(cancel_ms), Wake::Step(Step::Cancel));
            }
        }
        if let Some(vanish_ms) = self.plan.vanish_ms {
            actions.wake(Duration::from_millis(vanish_ms), Wake::Step(Step::Vanish));
        }
    }

    fn dialled_uri(&self, border: SocketAddr) -> String {
        let domain = match self.plan.way {
            Way::Exit => "b.example",
            Way::Entry => "a.example",
        };
        match self.plan.dialled {
            _ if self.plan.kind == Kind::Ping => format!("sip:{border}"),
            Dialled::Telephone(number) => format!("tel:+44-1632-{number:06}"),
            Dialled::Unknown(number) => format!("tel:+441699{number:06}"),
            Dialled::Mute(number) => format!("tel:+441688{number:06}"),
            Dialled::Forbidden => format!("sip:+449098790000@{domain};user=phone"),
            Dialled::Sip => format!("sip:bob{}@{domain}", self.call),
        }
    }

    fn first_request(&self, method: &str, cseq: u32) -> Vec<u8> {
        let name = |long: &'static str, short: &'static str| if self.plan.short_names { short } else { long };
        let mut out = format!("{method} {} SIP/2.0\r\n", self.calling.uri);
        let _ = write!(
            out,
            "{}: SIP/2.0/UDP {};branch={};rport\r\nMax-Forwards: 70\r\n{}: {}\r\n{}: {}\r\n{}: {}\r\nCSeq: {cseq} {method}\r\n",
            name("Via", "v"),
            self.address,
            self.calling.branch,
            name("From", "f"),
            self.from(),
            name("To", "t"),
            self.calling.to,
            name("Call-ID", "i"),
            call_id(self.call),
        );
        if method == "INVITE" {
            let _ = write!(out, "{}: <sip:{}@{}>\r\n", name("Contact", "m"), self.label, self.address);
        }
        out.push_str("P-Asserted-Identity: <sip:+441632000001@a.example;user=phone>\r\n");
        out.push_str("X-Unknown: folded\r\n  and kept\r\n");
        let _ = write!(out, "{}: application/sdp\r\n", name("Content-Type", "c"));
        let _ = write!(out, "{}: {}\r\n\r\n{BODY}", name("Content-Length", "l"), BODY.len());
        out.into_bytes()
    }

    fn from(&self) -> String {
        format!("\"Al, \\\"A\\\"\" <sip:+441632000001@a.example;user=phone>;tag={}", self.tag())
    }

    /// Takes a response to something that this agent asked.
    pub fn on_response(&mut self, text: &Text<'_>, status: u16, now: Time, actions: &mut Actions) {
        let cseq = text.cseq();
        let purpose = Purpose::Request { cseq, is_cancel: text.method() == "CANCEL" };
        match (text.method(), status) {
            ("INVITE", 100..=199) => {
                self.resends.stop(purpose);
                if cseq == 1 && self.calling.state == State::Calling {
                    self.calling.state = State::Proceeding;
                    if self.calling.wants_cancel {
                        self.cancel(now, actions);
                    }
                }
            }
            ("INVITE", 200..=299) => {
                self.resends.stop(purpose);
                self.on_answer(text, now, actions);
            }
            ("INVITE", _) => {
                self.resends.stop(purpose);
                self.acknowledge_failure(text, actions);
            }
            (_, 100..=199) => {}
            _ => {
                self.resends.stop(purpose);
            }
        }
    }

    fn on_answer(&mut self, text: &Text<'_>, now: Time, actions: &mut Actions) {
        let tag = text.tag("To").unwrap_or_default().to_owned();
        let cseq = text.cseq();
        if let Some((_, _, ack, to)) =
            self.calling.acks.iter().find(|(known, at, ..)| *known == tag && *at == cseq)
        {
            actions.send(*to, ack);
            return;
        }
        if cseq > 1 {
            self.acknowledge(tag, cseq, actions);
            return;
        }
        let is_second = std::mem::replace(&mut self.calling.state, State::Final) == State::Final;
        let ours = self.dialog.take();
        let mut routes: Vec<_> =
            text.all("Record-Route").flat_map(|value| value.split(',')).map(str::trim).collect();
        routes.reverse();
        self.dialog = Some(Dialog {
            local: self.from(),
            remote: text.first("To").to_owned(),
            target: uri_of(text.first("Contact")).to_owned(),
            routes: routes.into_iter().map(str::to_owned).collect(),
        });
        self.acknowledge(tag, cseq, actions);
        if is_second {
            // Another target answered too, after the border had gone on: one of the two calls is enough.
            self.send_bye(now, actions);
            self.dialog = ours;
        } else if self.calling.wants_cancel {
            self.hang_up(now, actions);
        } else {
            self.plan_the_rest(actions);
        }
    }

    fn plan_the_rest(&self, actions: &mut Actions) {
        if let Some(hold_ms) = self.plan.hold_ms {
            actions.wake(Duration::from_millis(hold_ms), Wake::Step(Step::Hold));
        }
        if !self.plan.called_hangs_up {
            actions.wake(Duration::from_millis(self.plan.bye_ms), Wake::Step(Step::HangUp));
        }
    }

    fn acknowledge(&mut self, tag: String, cseq: u32, actions: &mut Actions) {
        let Some((ack, to)) = self.request("ACK", cseq, "") else { return };
        actions.send(to, &ack);
        self.calling.acks.push((tag, cseq, ack, to));
    }

    /// The ACK of a failure goes where the INVITE went, with its branch (§17.1.1.3).
    fn acknowledge_failure(&mut self, text: &Text<'_>, actions: &mut Actions) {
        if text.cseq() > 1 {
            let held = self.calling.hold.as_ref().and_then(|(invite, to)| Some((Text::read(invite)?, *to)));
            let Some((invite, to)) = held else { return };
            actions.send(to, &ack_of(&invite, text.first("To")));
            return;
        }
        self.calling.state = State::Final;
        let Some(border) = self.calling.border else { return };
        let ack = self.beside_the_invite("ACK", text.first("To"));
        actions.send(border, &ack);
    }

    fn beside_the_invite(&self, method: &str, to: &str) -> Vec<u8> {
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={};rport\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {to}\r\n\
             Call-ID: {}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
            self.calling.uri,
            self.address,
            self.calling.branch,
            self.from(),
            call_id(self.call),
        )
        .into_bytes()
    }

    /// Gives up; before the first provisional response the CANCEL is held back (§9.1).
    pub fn cancel(&mut self, now: Time, actions: &mut Actions) {
        self.calling.wants_cancel |= matches!(self.calling.state, State::Calling | State::Proceeding);
        if self.calling.state != State::Proceeding || self.calling.has_cancelled {
            return;
        }
        let Some(border) = self.calling.border else { return };
        self.calling.has_cancelled = true;
        let bytes = self.beside_the_invite("CANCEL", &self.calling.to);
        self.resends.start(
            Purpose::Request { cseq: 1, is_cancel: true },
            bytes,
            border,
            Some(T2),
            now,
            actions,
        );
    }

    /// Puts the call on hold with a re-INVITE.
    pub fn hold(&mut self, now: Time, actions: &mut Actions) {
        if self.dialog.is_none() || self.is_over {
            return;
        }
        let cseq = self.next_cseq();
        let body = format!("{BODY}a=sendonly\r\n");
        if let Some((bytes, to)) = self.request("INVITE", cseq, &body) {
            self.calling.hold = Some((bytes.clone(), to));
            self.resends.start(Purpose::Request { cseq, is_cancel: false }, bytes, to, None, now, actions);
        }
    }
}

fn ack_of(invite: &Text<'_>, to: &str) -> Vec<u8> {
    let mut out = invite.start.replacen("INVITE", "ACK", 1);
    for (name, value) in [("Via", invite.first("Via")), ("From", invite.first("From")), ("To", to)] {
        let _ = write!(out, "\r\n{name}: {value}");
    }
    for route in invite.all("Route") {
        let _ = write!(out, "\r\nRoute: {route}");
    }
    let (call_id, cseq) = (invite.call_id(), invite.cseq());
    let _ = write!(
        out,
        "\r\nMax-Forwards: 70\r\nCall-ID: {call_id}\r\nCSeq: {cseq} ACK\r\nContent-Length: 0\r\n\r\n"
    );
    out.into_bytes()
}
