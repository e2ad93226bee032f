//! Sending again until somebody answers (RFC 3261 §17): T1 doubling, up to T2 where that applies, for 64 × T1; and waiting as
//! long for the answer to what is sent once.

use std::net::SocketAddr;
use std::time::Duration;

use ibcf_sip::Time;

use crate::peer::{Actions, Wake};

/// T1.
const T1: Duration = Duration::from_millis(500);
/// T2.
const T2: Duration = Duration::from_secs(4);
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
    /// A reliable provisional response, by the device that gave it: the PRACK stops it (RFC 3262 §3).
    Reliable {
        /// The device.
        device: u8,
    },
    /// A final response to an INVITE, by its `CSeq` number: the ACK stops it.
    Final {
        /// Its `CSeq` number.
        cseq: u32,
        /// 2xx?
        is_success: bool,
        /// The device that gave it.
        device: u8,
    },
}

/// How often something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Once, over a transport that does not lose it; the wait is as long.
    Once,
    /// Again after T1, then after twice as long.
    Doubling,
    /// The same, but at least every T2.
    Capped,
}

#[derive(Debug)]
struct Resend {
    number: u32,
    purpose: Purpose,
    bytes: Box<[u8]>,
    to: SocketAddr,
    interval: Duration,
    pace: Pace,
    until: Time,
}

/// Everything that an agent is sending again.
#[derive(Debug, Default)]
pub struct Resends {
    count: u32,
    running: Vec<Resend>,
}

impl Resends {
    /// Sends *bytes* now, and again until stopped.
    pub fn start(
        &mut self,
        purpose: Purpose,
        bytes: Vec<u8>,
        to: SocketAddr,
        pace: Pace,
        now: Time,
        actions: &mut Actions,
    ) {
        self.count += 1;
        actions.send(to, &bytes);
        let interval = if pace == Pace::Once { LIFE } else { T1 };
        actions.wake(interval, Wake::Resend(self.count));
        let bytes = bytes.into_boxed_slice();
        let resend = Resend { number: self.count, purpose, bytes, to, interval, pace, until: now + LIFE };
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

    /// Tells whether something is still sent for *purpose*.
    pub fn waits_for(&self, purpose: Purpose) -> bool {
        self.running.iter().any(|resend| resend.purpose == purpose)
    }

    /// Tells whether an answer of *device* to an INVITE still waits for its ACK.
    pub fn waits_for_ack(&self, device: u8) -> bool {
        let is_answer = |purpose| matches!(purpose, Purpose::Final { device: at, .. } if at == device);
        self.running.iter().any(|resend| is_answer(resend.purpose))
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
        if resend.pace == Pace::Capped {
            resend.interval = resend.interval.min(T2);
        }
        actions.wake(resend.interval.min(resend.until - now), Wake::Resend(number));
        None
    }
}
