//! Sending again over UDP until somebody answers (RFC 3261 §17): T1 doubling, up to T2 where that applies, for 64 × T1.

use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;

use crate::peer::{Actions, Wake};

/// T1.
pub const T1: Duration = Duration::from_millis(500);
/// T2.
pub const T2: Duration = Duration::from_secs(4);
/// 64 × T1.
pub const LIFE: Duration = Duration::from_secs(32);

/// What is being sent again, and what therefore stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A request other than ACK, by its `CSeq` number: any final response stops it, and for an INVITE any response.
    Request {
        /// Its `CSeq` number.
        cseq: u32,
        /// Is it a CANCEL? It has the number of its INVITE.
        is_cancel: bool,
    },
    /// A final response to an INVITE, by its `CSeq` number: the ACK stops it.
    Final {
        /// Its `CSeq` number.
        cseq: u32,
        /// 2xx?
        is_success: bool,
    },
}

#[derive(Debug)]
struct Resend {
    number: u32,
    purpose: Purpose,
    bytes: Box<[u8]>,
    to: SocketAddr,
    interval: Duration,
    cap: Option<Duration>,
    until: Time,
}

/// Everything that an agent is sending again.
#[derive(Debug, Default)]
pub struct Resends {
    count: u32,
    running: Vec<Resend>,
}

impl Resends {
    /// Sends *bytes* now, and again until stopped. An INVITE has no longest interval.
    pub fn start(
        &mut self,
        purpose: Purpose,
        bytes: Vec<u8>,
        to: SocketAddr,
        cap: Option<Duration>,
        now: Time,
        actions: &mut Actions,
    ) {
        self.count += 1;
        actions.send(to, &bytes);
        actions.wake(T1, Wake::Resend(self.count));
        let bytes = bytes.into_boxed_slice();
        let resend = Resend { number: self.count, purpose, bytes, to, interval: T1, cap, until: now + LIFE };
        self.running.push(resend);
    }

    /// Stops what is sent for *purpose*; tells whether it was still running.
    pub fn stop(&mut self, purpose: Purpose) -> bool {
        let before = self.running.len();
        self.running.retain(|resend| resend.purpose != purpose);
        self.running.len() < before
    }

    /// Stops everything.
    pub fn stop_all(&mut self) {
        self.running.clear();
    }

    /// Tells whether an answer to an INVITE still waits for its ACK.
    pub fn waits_for_ack(&self) -> bool {
        self.running.iter().any(|resend| matches!(resend.purpose, Purpose::Final { .. }))
    }

    /// Sends again what was entered under *number*, and returns its purpose when nobody answered in time.
    pub fn wake(&mut self, number: u32, now: Time, actions: &mut Actions) -> Option<Purpose> {
        let at = self.running.iter().position(|resend| resend.number == number)?;
        let resend = self.running.get_mut(at)?;
        if now >= resend.until {
            return Some(self.running.remove(at).purpose);
        }
        actions.send(resend.to, &resend.bytes);
        resend.interval *= 2;
        if let Some(cap) = resend.cap {
            resend.interval = resend.interval.min(cap);
        }
        actions.wake(resend.interval.min(resend.until - now), Wake::Resend(number));
        None
    }
}
