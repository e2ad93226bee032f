//! One user agent of a toy IMS core: what caller and called have in common. It is sans-IO like the border: messages and
//! wake-ups go in, [`Actions`] come out.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;

use crate::answering::Answering;
use crate::calling::Calling;
use crate::plan::Plan;
use crate::resend::{Purpose, Resends, T2};
use crate::text::{Text, address_of, uri_of};

/// What an agent wants done.
#[derive(Debug, Default)]
pub struct Actions {
    /// Datagrams to send, with their destinations.
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
    Ring,
    Answer,
    Refuse(u16),
    Cancel,
    Hold,
    HangUp,
    Vanish,
}

/// The dialog as this agent sees it (RFC 3261 §12).
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Value of From in what this agent asks.
    pub local: String,
    /// Value of To.
    pub remote: String,
    /// Contact of the other one.
    pub target: String,
    /// Route values.
    pub routes: Vec<String>,
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
    pub address: SocketAddr,
    /// What it says in front of its branches and tags: unique in its call.
    pub label: String,
    /// The plan of its call.
    pub plan: Plan,
    /// What it is sending again.
    pub resends: Resends,
    /// The dialog, once there is one.
    pub dialog: Option<Dialog>,
    /// What the caller's side keeps.
    pub calling: Calling,
    /// What the called side keeps.
    pub answering: Answering,
    /// What went wrong from its point of view.
    pub complaints: Vec<String>,
    /// It hears nothing and says nothing any more.
    pub is_gone: bool,
    /// It hung up, or was hung up on.
    pub is_over: bool,
    served: Vec<Served>,
    branches: u32,
    cseq: u32,
}

impl Agent {
    /// Makes an agent that has done nothing yet.
    pub fn new(call: u64, address: SocketAddr, label: String, plan: Plan) -> Self {
        Self {
            call,
            address,
            label,
            plan,
            resends: Resends::default(),
            dialog: None,
            calling: Calling::default(),
            answering: Answering::default(),
            complaints: Vec::new(),
            is_gone: false,
            is_over: false,
            served: Vec::new(),
            branches: 0,
            cseq: 0,
        }
    }

    /// Takes a message from the network.
    pub fn on_message(&mut self, bytes: &[u8], source: SocketAddr, now: Time, actions: &mut Actions) {
        let Some(text) = Text::read(bytes).filter(|_| !self.is_gone) else { return };
        match text.status() {
            Some(status) => self.on_response(&text, status, now, actions),
            None => self.on_request(&text, bytes, source, now, actions),
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
            Wake::Step(step) => match step {
                Step::Start => self.start(now, actions),
                Step::Ring => self.ring(actions),
                Step::Answer => self.answer(now, actions),
                Step::Refuse(status) => self.refuse(status, now, actions),
                Step::Cancel => self.cancel(now, actions),
                Step::Hold => self.hold(now, actions),
                Step::HangUp => self.hang_up(now, actions),
                Step::Vanish => {
                    self.is_gone = true;
                    self.resends.stop_all();
                }
            },
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
            self.resends.stop(Purpose::Final { cseq: text.cseq(), is_success: true });
            self.resends.stop(Purpose::Final { cseq: text.cseq(), is_success: false });
            return;
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
            (_, Some(_)) if self.dialog.is_none() || self.is_over => {
                self.respond(text, source, 481, "Call/Transaction Does Not Exist", "", actions);
            }
            ("INVITE", Some(_)) => self.accept(text, source, now, actions),
            (_, Some(_)) => {
                self.respond(text, source, 200, "OK", "", actions);
                if method == "BYE" {
                    self.is_over = true;
                }
            }
        }
    }

    /// Answers an INVITE with 200, and repeats that until the ACK (§13.3.1.4).
    pub fn accept(&mut self, text: &Text<'_>, source: SocketAddr, now: Time, actions: &mut Actions) {
        let extra =
            format!("Contact: <sip:{}@{}>\r\nContent-Type: application/sdp\r\n", self.label, self.address);
        let answer = self.response(text, 200, "OK", &extra);
        self.keep(text, source, &answer);
        let purpose = Purpose::Final { cseq: text.cseq(), is_success: true };
        self.resends.start(purpose, answer, source, Some(T2), now, actions);
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
        let answer = self.response(text, status, phrase, extra);
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

    /// Writes a response (§8.2.6).
    pub fn response(&self, text: &Text<'_>, status: u16, phrase: &str, extra: &str) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {status} {phrase}\r\n");
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
            None => line("To", &format!("{};tag={}", text.first("To"), self.tag())),
        }
        line("Call-ID", text.call_id());
        line("CSeq", text.first("CSeq"));
        out.push_str(extra);
        out.push_str("Content-Length: 0\r\n\r\n");
        out.into_bytes()
    }

    /// The tag of this agent.
    pub fn tag(&self) -> String {
        format!("t{}{}", self.call, self.label)
    }

    /// A branch that was never used.
    pub fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK{}{}.{}", self.call, self.label, self.branches)
    }

    /// The next `CSeq` number.
    pub const fn next_cseq(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// Writes a request inside the dialog (§12.2.1.1), and tells where it goes.
    pub fn request(&mut self, method: &str, cseq: u32, body: &str) -> Option<(Vec<u8>, SocketAddr)> {
        let branch = self.branch();
        let dialog = self.dialog.as_ref()?;
        let mut out = format!("{method} {} SIP/2.0\r\n", dialog.target);
        let _ = write!(out, "Via: SIP/2.0/UDP {};branch={branch};rport\r\n", self.address);
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
        if method == "INVITE" {
            let _ = write!(out, "Contact: <sip:{}@{}>\r\n", self.label, self.address);
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n{body}", body.len());
        let next = dialog.routes.first().map_or(dialog.target.as_str(), |route| uri_of(route));
        Some((out.into_bytes(), address_of(next)?))
    }

    /// Hangs up, if there is a call; the called one only after the ACK (§15).
    pub fn hang_up(&mut self, now: Time, actions: &mut Actions) {
        if self.dialog.is_none() || self.is_over {
            return;
        }
        if self.resends.waits_for_ack() {
            actions.wake(Duration::from_millis(200), Wake::Step(Step::HangUp));
            return;
        }
        self.is_over = true;
        self.send_bye(now, actions);
    }

    /// Sends BYE.
    pub fn send_bye(&mut self, now: Time, actions: &mut Actions) {
        let cseq = self.next_cseq();
        if let Some((bytes, to)) = self.request("BYE", cseq, "") {
            self.resends.start(
                Purpose::Request { cseq, is_cancel: false },
                bytes,
                to,
                Some(T2),
                now,
                actions,
            );
        }
    }

    fn on_unanswered(&mut self, purpose: Purpose, now: Time, actions: &mut Actions) {
        match purpose {
            Purpose::Request { cseq, is_cancel: false } => {
                self.complaints.push(format!("request {cseq} of {} was never answered", self.label));
            }
            Purpose::Request { is_cancel: true, .. } => {
                self.complaints.push(format!("the CANCEL of {} was never answered", self.label));
            }
            Purpose::Final { cseq, is_success } => {
                self.complaints
                    .push(format!("the answer to INVITE {cseq} at {} was never acknowledged", self.label));
                if is_success {
                    self.hang_up(now, actions); // §13.3.1.4
                }
            }
        }
    }
}

/// The Call-ID of a call.
pub fn call_id(call: u64) -> String {
    format!("call-{call}@sim.example")
}

/// The call that a Call-ID belongs to.
pub fn call_of(call_id: &str) -> Option<u64> {
    call_id.strip_prefix("call-")?.strip_suffix("@sim.example")?.parse().ok()
}
