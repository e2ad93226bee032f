//! The called side of an agent: it rings, answers, refuses, or does not, as its plan says.

use std::net::SocketAddr;

use ibcf_sip::Time;

use crate::dialog::Dialog;
use crate::peer::{Actions, Agent, Step};
use crate::plan::Behaviour;
use crate::resend::{Pace, Purpose};
use crate::text::Text;

/// When a 100 is due to a request other than INVITE (RFC 4320 §4.1).
const TRYING_DELAY_MS: u64 = 3_500;
/// How long after the first device the others answer.
const NEXT_DEVICE_MS: u64 = 1_000;

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
    was_refused: bool,
}

impl Answering {
    /// Loses all but what it does when it is called.
    pub fn forget(&mut self) {
        *self = Self { behaviour: self.behaviour, ..Self::default() };
    }
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
        let bytes = bytes.to_vec();
        self.answering.invite = Some(Invite { bytes, source, branch, is_final: false, was_refused: false });
        match behaviour {
            Behaviour::Answer { ring_ms, answer_ms } => {
                actions.step(ring_ms, Step::Ring(0));
                actions.step(answer_ms, Step::Answer(0));
            }
            Behaviour::AnswerReliably { ring_ms, answer_ms } => {
                actions.step(ring_ms, Step::Progress(0));
                actions.step(answer_ms, Step::Answer(0));
            }
            Behaviour::Fork { devices, answers, answer_ms } => {
                for device in 0..devices {
                    actions.step(u64::from(device) * 50, Step::Ring(device));
                }
                for device in 0..answers {
                    actions.step(answer_ms + u64::from(device) * NEXT_DEVICE_MS, Step::Answer(device));
                }
            }
            Behaviour::AnswerDespiteCancel { answer_ms } => {
                actions.step(0, Step::Ring(0));
                actions.step(answer_ms, Step::Answer(0));
            }
            Behaviour::Refuse { status, after_ms } => actions.step(after_ms, Step::Refuse(status)),
            Behaviour::Unavailable => actions.step(0, Step::Refuse(503)),
            Behaviour::RingForever => actions.step(0, Step::Ring(0)),
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
                let extra = elsewhere(status);
                self.respond(text, source, status, "Refused", extra, actions);
            }
            Some(Behaviour::Answer { ring_ms, .. }) => {
                self.answering.standalone = Some((bytes.to_vec(), source));
                actions.step(TRYING_DELAY_MS, Step::Ring(0));
                actions.step(ring_ms * 4, Step::Answer(0));
            }
            _ => self.respond(text, source, 200, "OK", "", actions),
        }
    }

    /// Sends 180 to an INVITE, 100 to a MESSAGE.
    pub fn ring(&mut self, device: u8, actions: &mut Actions) {
        if let Some((bytes, source)) = self.answering.standalone.take() {
            if let Some(text) = Text::read(&bytes) {
                self.respond(&text, source, 100, "Trying", "", actions);
            }
            self.answering.standalone = Some((bytes, source));
        }
        let Some(invite) = self.answering.invite.take() else { return };
        if let Some(text) = Text::read(&invite.bytes).filter(|_| !invite.is_final) {
            let contact = format!("Contact: {}\r\n", self.contact());
            let answer = self.response(&text, device, 180, "Ringing", &contact);
            actions.send(invite.source, &answer);
            self.keep(&text, invite.source, &answer);
        }
        self.answering.invite = Some(invite);
    }

    /// Sends 183 and repeats it until the PRACK (RFC 3262 §3).
    pub fn progress(&mut self, device: u8, now: Time, actions: &mut Actions) {
        let Some(invite) = self.answering.invite.take() else { return };
        if let Some(text) = Text::read(&invite.bytes).filter(|_| !invite.is_final) {
            self.dialogs.push(Dialog::of_called(&text, self.tag(device)));
            let extra = format!("Contact: {}\r\nRequire: 100rel\r\nRSeq: 7\r\n", self.contact());
            let answer = self.response(&text, device, 183, "Session Progress", &extra);
            self.keep(&text, invite.source, &answer);
            let purpose = Purpose::Reliable { device };
            self.resends.start(purpose, answer, invite.source, Pace::Doubling, now, actions);
        }
        self.answering.invite = Some(invite);
    }

    /// Sends 200 and opens the dialog.
    pub fn answer(&mut self, device: u8, now: Time, actions: &mut Actions) {
        if let Some((bytes, source)) = self.answering.standalone.take()
            && let Some(text) = Text::read(&bytes)
        {
            self.respond(&text, source, 200, "OK", "", actions);
        }
        if self.resends.waits_for(Purpose::Reliable { device }) {
            actions.step(200, Step::Answer(device)); // RFC 3262 §3: not before the PRACK
            return;
        }
        let Some(mut invite) = self.answering.invite.take() else { return };
        let may = !invite.was_refused && (!invite.is_final || device > 0);
        if let Some(text) = Text::read(&invite.bytes).filter(|_| may) {
            let is_first = !std::mem::replace(&mut invite.is_final, true);
            self.confirm(&text, device);
            let extra = self.answer_headers(&text);
            let answer = self.response(&text, device, 200, "OK", &extra);
            self.keep(&text, invite.source, &answer);
            let purpose = Purpose::Final { cseq: text.cseq(), is_success: true, device };
            self.resends.start(purpose, answer, invite.source, Pace::Capped, now, actions);
            if is_first {
                if self.plan.called_asks {
                    self.plan_middle(actions);
                }
                if self.plan.called_hangs_up {
                    actions.step(self.plan.bye_ms, Step::HangUp);
                }
            }
        }
        self.answering.invite = Some(invite);
    }

    fn confirm(&mut self, text: &Text<'_>, device: u8) {
        let tag = self.tag(device);
        if !self.dialogs.iter().any(|dialog| dialog.local_tag == tag) {
            self.dialogs.push(Dialog::of_called(text, tag.clone()));
        }
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.local_tag == tag) {
            dialog.is_confirmed = true;
        }
    }

    /// Refuses the INVITE that waits.
    pub fn refuse(&mut self, status: u16, now: Time, actions: &mut Actions) {
        let Some(mut invite) = self.answering.invite.take() else { return };
        if let Some(text) = Text::read(&invite.bytes).filter(|_| !invite.is_final) {
            invite.is_final = true;
            invite.was_refused = true;
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
        self.resends.stop(Purpose::Reliable { device: 0 });
        let answer = self.response(text, 0, status, "Refused", elsewhere(status));
        self.keep(text, source, &answer);
        let purpose = Purpose::Final { cseq: text.cseq(), is_success: false, device: 0 };
        self.resends.start(purpose, answer, source, self.pace(""), now, actions);
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
            Some(Behaviour::AnswerDespiteCancel { .. }) => self.answer(0, now, actions),
            _ => self.refuse(487, now, actions),
        }
    }
}

/// Where a 302 sends the caller: to somebody whom the policy of some generations calls, and of others leaves to the caller.
const fn elsewhere(status: u16) -> &'static str {
    if status == 302 {
        "Contact: <sip:moved@b.example>;q=0.9, \"M, O\" <sip:moved@all.example>;q=0.5, <sip:evil@192.0.2.200>\r\n"
    } else {
        ""
    }
}
