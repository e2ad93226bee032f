//! The calling side of an agent: INVITE, PRACK, CANCEL, ACK and BYE; MESSAGE and OPTIONS; and what either side asks inside a call.

use std::fmt::Write as _;
use std::net::SocketAddr;

use ibcf_sip::Time;
use ibcf_sip::snapshot::Transport;

use crate::dialog::Dialog;
use crate::peer::{Actions, Agent, Step, UNTOUCHED, call_id};
use crate::plan::{Dialled, Kind, Middle, Way};
use crate::resend::Purpose;
use crate::text::Text;

const BODY: &str =
    "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// What the caller keeps.
#[derive(Debug, Default)]
pub struct Calling {
    /// Where its requests go, until a dialog says otherwise.
    pub border: Option<SocketAddr>,
    /// The INVITEs inside dialogs by their `CSeq` number, and where they went.
    pub reinvites: Vec<(u32, Vec<u8>, SocketAddr)>,
    state: State,
    branch: String,
    uri: String,
    /// Value of To in the INVITE.
    to: String,
    wants_cancel: bool,
    /// The interval that was agreed (RFC 4028 §7.2).
    session_s: Option<u32>,
    has_cancelled: bool,
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

impl Calling {
    /// Loses all but where the border is.
    pub fn forget(&mut self) {
        *self = Self { border: self.border, ..Self::default() };
    }
}

impl Agent {
    /// Sends the first request.
    pub fn start(&mut self, now: Time, actions: &mut Actions) {
        let Some(border) = self.calling.border else { return };
        let cseq = self.next_cseq();
        self.calling.branch = self.branch();
        self.calling.uri = self.dialled_uri(border);
        self.calling.to = format!("<{}>", self.calling.uri);
        let method = self.plan.kind.method();
        let bytes = self.first_request(method, cseq);
        let purpose = Purpose::Request { cseq, is_cancel: false };
        self.resends.start(purpose, bytes, border, self.pace(method), now, actions);
        if self.plan.kind == Kind::Call {
            self.calling.state = State::Calling;
            if let Some(cancel_ms) = self.plan.cancel_ms {
                actions.step(cancel_ms, Step::Cancel);
            }
        }
        if let Some(vanish_ms) = self.plan.vanish_ms {
            actions.step(vanish_ms, Step::Vanish);
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
            Dialled::Located => format!("sip:dan{}@d.example", self.call),
            Dialled::AllAtOnce => format!("sip:ann{}@all.example", self.call),
            Dialled::Emergency => "urn:service:sos.fire".to_owned(),
        }
    }

    fn first_request(&self, method: &str, cseq: u32) -> Vec<u8> {
        let name = |long: &'static str, short: &'static str| if self.plan.short_names { short } else { long };
        let mut out = String::with_capacity(1_536);
        let _ = write!(
            out,
            "{method} {} SIP/2.0\r\n{}: SIP/2.0/{} {};branch={};rport\r\n",
            self.calling.uri,
            name("Via", "v"),
            self.via_transport(),
            self.place.address,
            self.calling.branch,
        );
        if self.plan.has_proxy {
            out.push_str("Via: SIP/2.0/UDP ue.a.example:5070;branch=z9hG4bKdeep;received=10.9.9.9 ,\r\n SIP/2.0/UDP b;branch=z9hG4bKr\r\n");
            let transport = if self.place.transport == Transport::Tcp { ";transport=tcp" } else { "" };
            let _ = write!(out, "Record-Route: <sip:proxy@{}{transport};lr>\r\n", self.place.address);
        }
        let _ = write!(
            out,
            "Max-Forwards: 70\r\n{}: {}\r\n{}: {}\r\n{}: {}\r\nCSeq: {cseq} {method}\r\n",
            name("From", "f"),
            self.from(),
            name("To", "t"),
            self.calling.to,
            name("Call-ID", "i"),
            call_id(self.call),
        );
        if method == "INVITE" {
            let _ = write!(out, "{}: {}\r\n", name("Contact", "m"), self.contact());
            let _ = write!(out, "{}: 100rel, timer\r\n", name("Supported", "k"));
            out.push_str(&self.session_headers());
        }
        out.push_str("P-Asserted-Identity: <sip:+441632000001@a.example;user=phone>\r\n");
        out.push_str("X-Unwanted: folded\r\n  and taken out\r\n");
        out.push_str(UNTOUCHED);
        let _ = write!(out, "{}: application/sdp\r\n", name("Content-Type", "c"));
        let _ = write!(out, "{}: {}\r\n\r\n{BODY}", name("Content-Length", "l"), BODY.len());
        out.into_bytes()
    }

    fn session_headers(&self) -> String {
        let seconds = self.calling.session_s.or(self.plan.session_s);
        seconds.map(|seconds| format!("Session-Expires: {seconds};refresher=uac\r\n")).unwrap_or_default()
    }

    fn from(&self) -> String {
        format!("\"Al, \\\"A\\\"\" <sip:+441632000001@a.example;user=phone>;tag={}", self.tag(0))
    }

    /// Takes a response to something that this agent asked.
    pub fn on_response(&mut self, text: &Text<'_>, status: u16, now: Time, actions: &mut Actions) {
        let cseq = text.cseq();
        let purpose = Purpose::Request { cseq, is_cancel: text.method() == "CANCEL" };
        match (text.method(), status) {
            ("INVITE", 100..=199) => {
                self.resends.stop(purpose);
                if cseq == 1 && self.is_caller() {
                    self.on_provisional(text, status, now, actions);
                }
            }
            ("INVITE", 200..=299) => {
                self.resends.stop(purpose);
                self.on_answer(text, now, actions);
            }
            ("INVITE", _) => {
                self.resends.stop(purpose);
                if matches!(status, 408 | 481) {
                    self.end_dialog(text, actions);
                }
                self.acknowledge_failure(text, actions);
            }
            (_, 100..=199) => {}
            _ => {
                self.resends.stop(purpose);
                if matches!(status, 408 | 481) {
                    self.end_dialog(text, actions);
                }
            }
        }
    }

    /// The other end knows nothing of the dialog, or not yet: it ends by a BYE (§12.2.1.2), after which there is nothing left.
    fn end_dialog(&mut self, text: &Text<'_>, actions: &mut Actions) {
        if text.method() != "BYE" {
            return actions.step(200, Step::HangUp);
        }
        let (local, remote) = (text.tag("From").unwrap_or_default(), text.tag("To").unwrap_or_default());
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.is(local, remote)) {
            dialog.is_over = true;
        }
    }

    const fn is_caller(&self) -> bool {
        self.calling.border.is_some()
    }

    fn on_provisional(&mut self, text: &Text<'_>, status: u16, now: Time, actions: &mut Actions) {
        if self.calling.state == State::Calling {
            self.calling.state = State::Proceeding;
            if self.calling.wants_cancel {
                self.cancel(now, actions);
            }
        }
        if status == 100 || text.tag("To").is_none() || self.calling.state == State::Final {
            return;
        }
        let dialog = self.dialog_of(text);
        if let Ok(rseq) = text.first("RSeq").parse::<u32>()
            && let Some(known) = self.dialogs.get_mut(dialog).filter(|dialog| dialog.rseq < rseq)
        {
            known.rseq = rseq;
            let extra = format!("RAck: {rseq} {} INVITE\r\n", text.cseq());
            self.send_in_dialog(dialog, "PRACK", (&extra, ""), now, actions);
        }
    }

    /// The dialog that a response belongs to; a new one, if there is none.
    fn dialog_of(&mut self, text: &Text<'_>) -> usize {
        let (local, remote) = (text.tag("From").unwrap_or_default(), text.tag("To").unwrap_or_default());
        if let Some(at) = self.dialogs.iter().position(|dialog| dialog.is(local, remote)) {
            return at;
        }
        self.dialogs.push(Dialog::of_caller(self.from(), text, self.place.address));
        self.dialogs.len() - 1
    }

    fn on_answer(&mut self, text: &Text<'_>, now: Time, actions: &mut Actions) {
        let tag = text.tag("To").unwrap_or_default();
        let cseq = text.cseq();
        if let Some((_, _, ack, to)) =
            self.calling.acks.iter().find(|(known, at, ..)| *known == tag && *at == cseq)
        {
            actions.send(*to, ack);
            return;
        }
        let is_first_invite = cseq == 1 && self.is_caller();
        if is_first_invite && self.calling.state == State::Idle {
            return; // it lost what it knew
        }
        let dialog = if is_first_invite {
            self.dialog_of(text)
        } else {
            let local = text.tag("From").unwrap_or_default();
            let Some(at) = self.dialogs.iter().position(|dialog| dialog.is(local, tag)) else { return };
            at
        };
        if let Some((ack, to)) = self.request(dialog, "ACK", cseq, "", "") {
            actions.send(to, &ack);
            self.calling.acks.push((tag.to_owned(), cseq, ack, to));
        }
        if is_first_invite {
            let granted =
                text.first("Session-Expires").split(';').next().and_then(|seconds| seconds.parse().ok());
            self.calling.session_s = granted.or(self.plan.session_s);
            self.on_first_answer(dialog, now, actions);
        }
    }

    fn on_first_answer(&mut self, dialog: usize, now: Time, actions: &mut Actions) {
        let is_second = std::mem::replace(&mut self.calling.state, State::Final) == State::Final;
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            dialog.is_confirmed = true;
        }
        if is_second || self.calling.wants_cancel {
            // Another device answered too, or the CANCEL lost the race: nobody is in that call.
            self.send_bye(dialog, now, actions);
            return;
        }
        if !self.plan.called_asks {
            self.plan_middle(actions);
        }
        if let Some(seconds) = self.calling.session_s {
            actions.step(u64::from(seconds) * 500, Step::Refresh);
        }
        if !self.plan.called_hangs_up {
            actions.step(self.plan.bye_ms, Step::HangUp);
        }
    }

    /// Plans what this side asks inside the call.
    pub fn plan_middle(&self, actions: &mut Actions) {
        if let Some((after_ms, _)) = self.plan.middle {
            actions.step(after_ms, Step::Ask);
        }
    }

    /// The ACK of a failure goes where the INVITE went, with its branch (§17.1.1.3).
    fn acknowledge_failure(&mut self, text: &Text<'_>, actions: &mut Actions) {
        if text.cseq() > 1 || !self.is_caller() {
            let cseq = text.cseq();
            let sent = self.calling.reinvites.iter().find(|(number, ..)| *number == cseq);
            let Some((invite, to)) = sent.and_then(|(_, invite, to)| Some((Text::read(invite)?, *to))) else {
                return;
            };
            actions.send(to, &ack_of(&invite, text.first("To")));
            return;
        }
        if self.calling.state == State::Idle {
            return;
        }
        self.calling.state = State::Final;
        let Some(border) = self.calling.border else { return };
        let ack = self.beside_the_invite("ACK", text.first("To"));
        actions.send(border, &ack);
    }

    fn beside_the_invite(&self, method: &str, to: &str) -> Vec<u8> {
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={};rport\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {to}\r\n\
             Call-ID: {}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
            self.calling.uri,
            self.via_transport(),
            self.place.address,
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
        let pace = self.pace("CANCEL");
        self.resends.start(Purpose::Request { cseq: 1, is_cancel: true }, bytes, border, pace, now, actions);
    }

    /// Asks what the plan says inside the call.
    pub fn ask(&mut self, now: Time, actions: &mut Actions) {
        let Some((dialog, (_, middle))) = self.current_dialog().zip(self.plan.middle) else { return };
        let (extra, body) = match middle {
            Middle::Reinvite => (self.session_headers(), format!("{BODY}a=sendonly\r\n")),
            Middle::Update => (self.session_headers(), String::new()),
            Middle::Info => ("Info-Package: dtmf\r\n".to_owned(), "Signal=5\r\n".to_owned()),
        };
        self.send_in_dialog(dialog, middle.method(), (&extra, &body), now, actions);
    }

    /// Keeps the session alive (RFC 4028 §7.4).
    pub fn refresh(&mut self, now: Time, actions: &mut Actions) {
        let Some((dialog, seconds)) = self.current_dialog().zip(self.calling.session_s) else { return };
        let headers = self.session_headers();
        self.send_in_dialog(dialog, "UPDATE", (&headers, ""), now, actions);
        actions.step(u64::from(seconds) * 500, Step::Refresh);
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
