//! One user agent of a toy IMS core: what caller and called have in common. It is sans-IO like the border: messages and
//! wake-ups go in, [`Actions`] come out.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;
use ibcf_sip::snapshot::Transport;

use crate::answering::Answering;
use crate::calling::Calling;
use crate::dialog::Dialog;
use crate::plan::Plan;
use crate::resend::{Pace, Purpose, Resends};
use crate::text::{Text, address_of, uri_of};
use crate::topology::{Place, STRANGER};

/// What an agent wants done.
#[derive(Debug, Default)]
pub struct Actions {
    /// Messages to send, with their destinations.
    pub sends: Vec<(SocketAddr, Vec<u8>)>,
    /// When to wake the agent, and why.
    pub wakes: Vec<(Duration, Wake)>,
}

impl Actions {
    /// Asks to send *bytes*.
    pub fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.sends.push((to, bytes.to_vec()));
    }

    /// Asks to be woken.
    pub fn wake(&mut self, after: Duration, wake: Wake) {
        self.wakes.push((after, wake));
    }

    /// Asks to be woken for the next thing of the plan.
    pub fn step(&mut self, after_ms: u64, step: Step) {
        self.wake(Duration::from_millis(after_ms), Wake::Step(step));
    }
}

/// Why an agent wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// To send something again.
    Resend(u32),
    /// To do the next thing of its plan.
    Step(Step),
}

/// The next thing of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Step {
    Start,
    /// This device rings.
    Ring(u8),
    /// This device sends early media reliably.
    Progress(u8),
    /// This device answers.
    Answer(u8),
    Refuse(u16),
    Cancel,
    Ask,
    Refresh,
    HangUp,
    Vanish,
}

/// A request that came, and the last answer to it.
#[derive(Debug)]
struct Served {
    branch: String,
    method: String,
    answer: Option<(SocketAddr, Vec<u8>)>,
}

/// A user agent.
#[derive(Debug)]
pub struct Agent {
    /// Which call it is part of.
    pub call: u64,
    /// The address of its core.
    pub place: Place,
    /// What it says in front of its branches and tags: unique in its call.
    pub label: String,
    /// The plan of its call.
    pub plan: Plan,
    /// What it is sending again.
    pub resends: Resends,
    /// Its dialogs, early ones too.
    pub dialogs: Vec<Dialog>,
    /// What the caller's side keeps.
    pub calling: Calling,
    /// What the called side keeps.
    pub answering: Answering,
    /// What went wrong from its point of view.
    pub complaints: Vec<String>,
    /// It hears nothing and says nothing any more.
    pub is_gone: bool,
    served: Vec<Served>,
    branches: u32,
    cseq: u32,
}

impl Agent {
    /// Makes an agent that has done nothing yet.
    pub fn new(call: u64, place: Place, label: String, plan: Plan) -> Self {
        Self {
            call,
            place,
            label,
            plan,
            resends: Resends::default(),
            dialogs: Vec::new(),
            calling: Calling::default(),
            answering: Answering::default(),
            complaints: Vec::new(),
            is_gone: false,
            served: Vec::new(),
            branches: 0,
            cseq: 0,
        }
    }

    /// Loses all that it kept: its core starts anew. Branches and numbers go on, as those of a real one would be new.
    pub fn forget(&mut self) {
        self.resends.stop_all();
        self.dialogs.clear();
        self.served.clear();
        self.calling.forget();
        self.answering.forget();
    }

    /// Takes a message from the network.
    pub fn on_message(
        &mut self,
        text: &Text<'_>,
        bytes: &[u8],
        source: SocketAddr,
        now: Time,
        actions: &mut Actions,
    ) {
        if self.is_gone {
            return;
        }
        match text.status() {
            Some(status) => self.on_response(text, status, now, actions),
            None => self.on_request(text, bytes, source, now, actions),
        }
    }

    /// Goes on because time passed.
    pub fn on_wake(&mut self, wake: Wake, now: Time, actions: &mut Actions) {
        if self.is_gone {
            return;
        }
        match wake {
            Wake::Resend(number) => {
                if let Some(purpose) = self.resends.wake(number, now, actions) {
                    self.on_unanswered(purpose, now, actions);
                }
            }
            Wake::Step(step) => self.on_step(step, now, actions),
        }
    }

    fn on_step(&mut self, step: Step, now: Time, actions: &mut Actions) {
        match step {
            Step::Start => self.start(now, actions),
            Step::Ring(device) => self.ring(device, actions),
            Step::Progress(device) => self.progress(device, now, actions),
            Step::Answer(device) => self.answer(device, now, actions),
            Step::Refuse(status) => self.refuse(status, now, actions),
            Step::Cancel => self.cancel(now, actions),
            Step::Ask => self.ask(now, actions),
            Step::Refresh => self.refresh(now, actions),
            Step::HangUp => self.hang_up(now, actions),
            Step::Vanish => {
                self.is_gone = true;
                self.resends.stop_all();
            }
        }
    }

    fn on_request(
        &mut self,
        text: &Text<'_>,
        bytes: &[u8],
        source: SocketAddr,
        now: Time,
        actions: &mut Actions,
    ) {
        let method = text.request_method().unwrap_or_default();
        if method == "ACK" {
            return self.on_ack(text);
        }
        let known =
            self.served.iter().find(|served| served.branch == text.branch() && served.method == method);
        if let Some(served) = known {
            if let Some((to, answer)) = &served.answer {
                actions.send(*to, answer);
            }
            return;
        }
        self.served.push(Served {
            branch: text.branch().to_owned(),
            method: method.to_owned(),
            answer: None,
        });
        match (method, text.tag("To")) {
            ("CANCEL", _) => self.on_cancel(text, source, now, actions),
            ("INVITE", None) => self.on_invite(text, bytes, source, now, actions),
            (_, None) => self.on_standalone(text, bytes, source, actions),
            (_, Some(tag)) => self.on_request_in_dialog(text, method, tag, source, now, actions),
        }
    }

    fn on_request_in_dialog(
        &mut self,
        text: &Text<'_>,
        method: &str,
        tag: &str,
        source: SocketAddr,
        now: Time,
        actions: &mut Actions,
    ) {
        let remote = text.tag("From").unwrap_or_default();
        let dialog = self.dialogs.iter_mut().find(|dialog| dialog.is(tag, remote) && !dialog.is_over);
        let Some(dialog) = dialog else {
            return self.respond(text, source, 481, "Call/Transaction Does Not Exist", "", actions);
        };
        match method {
            "INVITE" => self.accept(text, source, now, actions),
            "BYE" => {
                dialog.is_over = true;
                self.respond(text, source, 200, "OK", "", actions);
            }
            "PRACK" => {
                self.resends.stop(Purpose::Reliable { device: device_of(tag) });
                self.respond(text, source, 200, "OK", "", actions);
            }
            "UPDATE" => {
                let extra = self.answer_headers(text);
                self.respond(text, source, 200, "OK", &extra, actions);
            }
            _ => self.respond(text, source, 200, "OK", "", actions),
        }
    }

    fn on_ack(&mut self, text: &Text<'_>) {
        let device = text.tag("To").map_or(0, device_of);
        for is_success in [true, false] {
            self.resends.stop(Purpose::Final { cseq: text.cseq(), is_success, device });
        }
    }

    /// Answers an INVITE with 200, and repeats that until the ACK (§13.3.1.4).
    pub fn accept(&mut self, text: &Text<'_>, source: SocketAddr, now: Time, actions: &mut Actions) {
        let device = text.tag("To").map_or(0, device_of);
        let extra = self.answer_headers(text);
        let answer = self.response(text, device, 200, "OK", &extra);
        self.keep(text, source, &answer);
        let purpose = Purpose::Final { cseq: text.cseq(), is_success: true, device };
        // Over any transport: it is the core that repeats a 2xx, not the transaction.
        self.resends.start(purpose, answer, source, Pace::Capped, now, actions);
    }

    /// Contact, session timer and type of what answers an INVITE or UPDATE.
    pub fn answer_headers(&self, text: &Text<'_>) -> String {
        let mut out = format!("Contact: {}\r\nContent-Type: application/sdp\r\n", self.contact());
        let session = text.first("Session-Expires");
        if !session.is_empty() {
            let refresher = if session.contains("refresher") { "" } else { ";refresher=uac" };
            let _ = write!(out, "Session-Expires: {session}{refresher}\r\nRequire: timer\r\n");
        }
        out
    }

    /// Answers once; the answer is kept for repeated requests.
    pub fn respond(
        &mut self,
        text: &Text<'_>,
        source: SocketAddr,
        status: u16,
        phrase: &str,
        extra: &str,
        actions: &mut Actions,
    ) {
        let answer = self.response(text, 0, status, phrase, extra);
        actions.send(source, &answer);
        self.keep(text, source, &answer);
    }

    /// Keeps *answer* for repeated requests.
    pub fn keep(&mut self, text: &Text<'_>, to: SocketAddr, answer: &[u8]) {
        let method = text.method();
        let branch = text.branch();
        if let Some(served) =
            self.served.iter_mut().find(|served| served.branch == branch && served.method == method)
        {
            served.answer = Some((to, answer.to_vec()));
        }
    }

    /// Writes a response of a device (§8.2.6).
    pub fn response(&self, text: &Text<'_>, device: u8, status: u16, phrase: &str, extra: &str) -> Vec<u8> {
        let mut out = String::with_capacity(1_024);
        let _ = write!(out, "SIP/2.0 {status} {phrase}\r\n");
        let mut line = |name: &str, value: &str| {
            let _ = write!(out, "{name}: {value}\r\n");
        };
        for via in text.all("Via") {
            line("Via", via);
        }
        for route in text.all("Record-Route") {
            line("Record-Route", route);
        }
        line("From", text.first("From"));
        match text.tag("To") {
            Some(_) => line("To", text.first("To")),
            None if status == 100 => line("To", text.first("To")),
            None => line("To", &format!("{};tag={}", text.first("To"), self.tag(device))),
        }
        line("Call-ID", text.call_id());
        line("CSeq", text.first("CSeq"));
        out.push_str(extra);
        out.push_str(UNTOUCHED);
        out.push_str("Content-Length: 0\r\n\r\n");
        out.into_bytes()
    }

    /// The tag of a device of this agent.
    pub fn tag(&self, device: u8) -> String {
        format!("t{}{}.{device}", self.call, self.label)
    }

    /// Where this agent says that it is reached.
    pub fn contact(&self) -> String {
        let address =
            if self.plan.lures && self.calling.border.is_none() { STRANGER } else { self.place.address };
        let transport = if self.place.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("<sip:{}@{address}{transport}>", self.label)
    }

    /// A branch that was never used.
    pub fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK{}{}.{}", self.call, self.label, self.branches)
    }

    /// Its transport, as a Via names it.
    pub const fn via_transport(&self) -> &'static str {
        match self.place.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// How often it sends a request.
    pub fn pace(&self, method: &str) -> Pace {
        match self.place.transport {
            Transport::Udp if method == "INVITE" => Pace::Doubling,
            Transport::Udp => Pace::Capped,
            _ => Pace::Once,
        }
    }

    /// The next `CSeq` number.
    pub const fn next_cseq(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// Writes a request inside a dialog (§12.2.1.1), and tells where it goes.
    pub fn request(
        &mut self,
        dialog: usize,
        method: &str,
        cseq: u32,
        extra: &str,
        body: &str,
    ) -> Option<(Vec<u8>, SocketAddr)> {
        let branch = self.branch();
        let contact = self.contact();
        let dialog = self.dialogs.get(dialog)?;
        let mut out = String::with_capacity(1_024);
        let _ = write!(
            out,
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch};rport\r\n",
            dialog.target,
            self.via_transport(),
            self.place.address
        );
        for route in &dialog.routes {
            let _ = write!(out, "Route: {route}\r\n");
        }
        let _ = write!(
            out,
            "Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            dialog.local,
            dialog.remote,
            call_id(self.call)
        );
        if matches!(method, "INVITE" | "UPDATE") {
            let _ = write!(out, "Contact: {contact}\r\n");
        }
        let _ = write!(out, "{extra}{UNTOUCHED}Content-Length: {}\r\n\r\n{body}", body.len());
        let next = dialog.routes.first().map_or(dialog.target.as_str(), |route| uri_of(route));
        Some((out.into_bytes(), address_of(next)?))
    }

    /// Sends a request inside a dialog, until it is answered.
    pub fn send_in_dialog(
        &mut self,
        dialog: usize,
        method: &str,
        (extra, body): (&str, &str),
        now: Time,
        actions: &mut Actions,
    ) {
        let cseq = self.next_cseq();
        let Some((bytes, to)) = self.request(dialog, method, cseq, extra, body) else { return };
        if method == "INVITE" {
            self.calling.reinvites.push((cseq, bytes.clone(), to));
        }
        let purpose = Purpose::Request { cseq, is_cancel: false };
        self.resends.start(purpose, bytes, to, self.pace(method), now, actions);
    }

    /// The dialog of the call that is up.
    pub fn current_dialog(&self) -> Option<usize> {
        (0..self.dialogs.len()).find(|at| self.is_up(*at))
    }

    /// Hangs up, if there is a call, and on every device; the called one only after the ACK (§15).
    pub fn hang_up(&mut self, now: Time, actions: &mut Actions) {
        let up: Vec<usize> = (0..self.dialogs.len()).filter(|at| self.is_up(*at)).collect();
        for at in up {
            let device = self.dialogs.get(at).map_or(0, |dialog| device_of(&dialog.local_tag));
            if self.resends.waits_for_ack(device) {
                actions.step(200, Step::HangUp);
                return;
            }
            self.send_bye(at, now, actions);
        }
    }

    fn is_up(&self, dialog: usize) -> bool {
        self.dialogs.get(dialog).is_some_and(|dialog| dialog.is_confirmed && !dialog.is_over)
    }

    /// Sends BYE.
    pub fn send_bye(&mut self, dialog: usize, now: Time, actions: &mut Actions) {
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            dialog.is_over = true;
        }
        self.send_in_dialog(dialog, "BYE", ("", ""), now, actions);
    }

    fn on_unanswered(&mut self, purpose: Purpose, now: Time, actions: &mut Actions) {
        let label = &self.label;
        let complaint = match purpose {
            Purpose::Request { cseq, is_cancel: false } => {
                format!("request {cseq} of {label} was never answered")
            }
            Purpose::Request { is_cancel: true, .. } => format!("the CANCEL of {label} was never answered"),
            Purpose::Reliable { .. } => {
                return self.refuse(504, now, actions); // RFC 3262 §3
            }
            Purpose::Final { cseq, .. } => {
                format!("the answer to INVITE {cseq} at {label} was never acknowledged")
            }
        };
        self.complaints.push(complaint);
        if matches!(purpose, Purpose::Request { .. }) {
            // Nobody is there (§12.2.1.2: as if it was a 408).
            self.dialogs.iter_mut().for_each(|dialog| dialog.is_over = true);
        }
        if let Purpose::Final { is_success: true, device, .. } = purpose {
            let tag = self.tag(device);
            let dialog = self.dialogs.iter().position(|dialog| dialog.local_tag == tag && !dialog.is_over);
            if let Some(dialog) = dialog {
                self.send_bye(dialog, now, actions); // §13.3.1.4
            }
        }
    }
}

/// Headers that no agreement mentions: order, case, folding and repetition must survive.
pub const UNTOUCHED: &str =
    "X-Order: 1\r\nsUBJECT:  folded,\r\n\tand \t kept ;  p=\"q\\\"\" \r\nX-Order: 2\r\nX-Empty:\r\n";

/// The device that a tag belongs to.
pub fn device_of(tag: &str) -> u8 {
    tag.rsplit('.').next().and_then(|device| device.parse().ok()).unwrap_or(0)
}

/// The Call-ID of a call.
pub fn call_id(call: u64) -> String {
    format!("call-{call}@sim.example")
}

/// The call that a Call-ID belongs to.
pub fn call_of(call_id: &str) -> Option<u64> {
    call_id.strip_prefix("call-")?.strip_suffix("@sim.example")?.parse().ok()
}
