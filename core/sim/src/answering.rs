//! The called side of an agent: it rings, answers, refuses, or does not, as its plan says.

use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;

use crate::peer::{Actions, Agent, Dialog, Step, Wake};
use crate::plan::Behaviour;
use crate::resend::{Purpose, T2};
use crate::text::{Text, uri_of};

/// When a 100 is due to a request other than INVITE (RFC 4320 §4.1).
const TRYING_DELAY: Duration = Duration::from_millis(3_500);

/// What the called side keeps.
#[derive(Debug, Default)]
pub struct Answering {
    /// What it does; `None` for an agent that is never called.
    pub behaviour: Option<Behaviour>,
    /// The INVITE, where its answers go, and whether its final answer was given.
    invite: Option<Invite>,
    /// A MESSAGE that will be answered later.
    standalone: Option<(Vec<u8>, SocketAddr)>,
}

#[derive(Debug)]
struct Invite {
    bytes: Vec<u8>,
    source: SocketAddr,
    branch: String,
    is_final: bool,
}

impl Agent {
    /// Takes an INVITE that begins a call.
    pub fn on_invite(
        &mut self,
        text: &Text<'_>,
        bytes: &[u8],
        source: SocketAddr,
        now: Time,
        actions: &mut Actions,
    ) {
        if self.answering.invite.as_ref().is_some_and(|invite| !invite.is_final) {
            // The same call came by another way (§8.2.2.2).
            self.refuse_now(text, source, 482, now, actions);
            return;
        }
        let Some(behaviour) = self.answering.behaviour else {
            self.refuse_now(text, source, 404, now, actions);
            return;
        };
        let branch = text.branch().to_owned();
        self.answering.invite = Some(Invite { bytes: bytes.to_vec(), source, branch, is_final: false });
        let mut later = |after_ms, step| actions.wake(Duration::from_millis(after_ms), Wake::Step(step));
        match behaviour {
            Behaviour::Answer { ring_ms, answer_ms } => {
                later(ring_ms, Step::Ring);
                later(answer_ms, Step::Answer);
            }
            Behaviour::AnswerDespiteCancel { answer_ms } => {
                later(0, Step::Ring);
                later(answer_ms, Step::Answer);
            }
            Behaviour::Refuse { status, after_ms } => later(after_ms, Step::Refuse(status)),
            Behaviour::Unavailable => later(0, Step::Refuse(503)),
            Behaviour::RingForever => later(0, Step::Ring),
            Behaviour::Silent | Behaviour::Unreachable => {}
        }
    }

    /// Takes a request that begins nothing (MESSAGE, OPTIONS).
    pub fn on_standalone(
        &mut self,
        text: &Text<'_>,
        bytes: &[u8],
        source: SocketAddr,
        actions: &mut Actions,
    ) {
        match self.answering.behaviour {
            Some(Behaviour::Silent | Behaviour::Unreachable | Behaviour::RingForever) => {}
            Some(Behaviour::Unavailable) => {
                self.respond(text, source, 503, "Service Unavailable", "", actions);
            }
            Some(Behaviour::Refuse { status, .. }) => {
                self.respond(text, source, status, "Refused", "", actions);
            }
            Some(Behaviour::Answer { ring_ms, .. }) => {
                self.answering.standalone = Some((bytes.to_vec(), source));
                actions.wake(TRYING_DELAY, Wake::Step(Step::Ring));
                actions.wake(Duration::from_millis(ring_ms * 4), Wake::Step(Step::Answer));
            }
            Some(Behaviour::AnswerDespiteCancel { .. }) | None => {
                self.respond(text, source, 200, "OK", "", actions);
            }
        }
    }

    /// Sends 180 to an INVITE, 100 to a MESSAGE.
    pub fn ring(&mut self, actions: &mut Actions) {
        if let Some((bytes, source)) = self.answering.standalone.take() {
            if let Some(text) = Text::read(&bytes) {
                self.respond(&text, source, 100, "Trying", "", actions);
            }
            self.answering.standalone = Some((bytes, source));
        }
        let Some(invite) = self.answering.invite.take() else { return };
        if let Some(text) = Text::read(&invite.bytes).filter(|_| !invite.is_final) {
            let contact = format!("Contact: <sip:{}@{}>\r\n", self.label, self.address);
            self.respond(&text, invite.source, 180, "Ringing", &contact, actions);
        }
        self.answering.invite = Some(invite);
    }

    /// Sends 200 and opens the dialog.
    pub fn answer(&mut self, now: Time, actions: &mut Actions) {
        if let Some((bytes, source)) = self.answering.standalone.take()
            && let Some(text) = Text::read(&bytes)
        {
            self.respond(&text, source, 200, "OK", "", actions);
        }
        let Some(mut invite) = self.answering.invite.take() else { return };
        if let Some(text) = Text::read(&invite.bytes).filter(|_| !invite.is_final) {
            invite.is_final = true;
            self.dialog = Some(Dialog {
                local: format!("{};tag={}", text.first("To"), self.tag()),
                remote: text.first("From").to_owned(),
                target: uri_of(text.first("Contact")).to_owned(),
                routes: text
                    .all("Record-Route")
                    .flat_map(|value| value.split(','))
                    .map(|route| route.trim().to_owned())
                    .collect(),
            });
            self.accept(&text, invite.source, now, actions);
            if self.plan.called_hangs_up {
                actions.wake(Duration::from_millis(self.plan.bye_ms), Wake::Step(Step::HangUp));
            }
        }
        self.answering.invite = Some(invite);
    }

    /// Refuses the INVITE that waits.
    pub fn refuse(&mut self, status: u16, now: Time, actions: &mut Actions) {
        let Some(mut invite) = self.answering.invite.take() else { return };
        if let Some(text) = Text::read(&invite.bytes).filter(|_| !invite.is_final) {
            invite.is_final = true;
            self.refuse_now(&text, invite.source, status, now, actions);
        }
        self.answering.invite = Some(invite);
    }

    fn refuse_now(
        &mut self,
        text: &Text<'_>,
        source: SocketAddr,
        status: u16,
        now: Time,
        actions: &mut Actions,
    ) {
        let answer = self.response(text, status, "Refused", "");
        self.keep(text, source, &answer);
        let purpose = Purpose::Final { cseq: text.cseq(), is_success: false };
        self.resends.start(purpose, answer, source, Some(T2), now, actions);
    }

    /// Takes a CANCEL (§9.2).
    pub fn on_cancel(&mut self, text: &Text<'_>, source: SocketAddr, now: Time, actions: &mut Actions) {
        let is_known = self.answering.invite.as_ref().is_some_and(|invite| invite.branch == text.branch());
        if !is_known {
            self.respond(text, source, 481, "Call/Transaction Does Not Exist", "", actions);
            return;
        }
        self.respond(text, source, 200, "OK", "", actions);
        match self.answering.behaviour {
            Some(Behaviour::AnswerDespiteCancel { .. }) => self.answer(now, actions),
            _ => self.refuse(487, now, actions),
        }
    }
}
