//! A border that is broken on purpose: what leaves it is edited on the way, so that each checker can show that it notices.

use ibcf_sip::Flow;
use ibcf_sip::event::PackedRecord;

use crate::text::Text;
use crate::topology::{self, STRANGER};

/// One way to break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is told by the test that uses it
pub enum Sabotage {
    SecondFinal,
    SwallowFinals,
    SwallowRecords,
    DoubleRecords,
    WrongStatusInRecords,
    TimesGoBack,
    TouchHeader,
    TouchBody,
    ReorderHeaders,
    TouchResponse,
    PassUnavailable,
    InventAnswer,
    LateAnswer,
    KeepHops,
    HideOurVia,
    LeakViaUpstream,
    LeakRoute,
    LeakRecordRoute,
    ToStranger,
    ToWrongSide,
    TwiceOverStream,
    AnswerTwiceOverStream,
    EarlyCancel,
    EarlyTrying,
    AnswerStranger,
    SwallowAcks,
    SwallowByes,
    RefuseEmergency,
    RefuseFreely,
    Invent,
    Flood,
    Panic,
}

/// Messages that leave instead of one.
pub type Edited = Vec<(Flow, Vec<u8>)>;

impl Sabotage {
    /// What leaves instead of this message.
    pub fn edit(self, flow: Flow, bytes: &[u8]) -> Edited {
        let same = || vec![(flow, bytes.to_vec())];
        let Some(text) = Text::read(bytes) else { return same() };
        let (status, method) = (text.status(), text.method());
        let request = text.request_method();
        let is_initial = text.tag("To").is_none();
        let is_stream =
            topology::LISTENERS.get(flow.listener.at()).is_some_and(|(_, transport)| transport.is_reliable());
        let replaced = |from: &str, to: &str| {
            vec![(flow, String::from_utf8_lossy(bytes).replacen(from, to, 1).into_bytes())]
        };
        let answer = |line: &str| replaced(text.start, line);
        match self {
            Self::SecondFinal if status == Some(486) => {
                [same(), vec![(flow, bare(&text, "SIP/2.0 404 Not Found"))]].concat()
            }
            Self::SwallowFinals if status.is_some_and(|status| status >= 300) && method == "INVITE" => {
                Vec::new()
            }
            Self::TouchHeader if request == Some("INVITE") => replaced("X-Order: 1", "X-Order: 3"),
            Self::TouchBody if request == Some("INVITE") => vec![(flow, [bytes, b"a=x\r\n"].concat())],
            Self::ReorderHeaders if request == Some("BYE") => replaced(
                "X-Order: 1\r\nsUBJECT:  folded,\r\n\tand \t kept ;  p=\"q\\\"\" \r\n",
                "sUBJECT:  folded,\r\n\tand \t kept ;  p=\"q\\\"\" \r\nX-Order: 1\r\n",
            ),
            Self::TouchResponse if status == Some(200) => replaced("\r\n\tand", " and"),
            Self::PassUnavailable if status == Some(486) => answer("SIP/2.0 503 Service Unavailable"),
            Self::InventAnswer if status == Some(404) && !text.first("X-Order").is_empty() => {
                answer("SIP/2.0 486 Busy Here")
            }
            Self::LateAnswer if status == Some(200) && method == "BYE" => {
                vec![(flow, bare(&text, "SIP/2.0 408 Request Timeout"))]
            }
            Self::KeepHops if request == Some("BYE") => replaced("Max-Forwards: 69", "Max-Forwards: 70"),
            Self::HideOurVia if request == Some("BYE") => replaced("192.0.2.1:5060", "192.0.2.9:5060"),
            Self::LeakViaUpstream if status == Some(180) => {
                replaced("\r\nFrom: ", "\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKleak\r\nFrom: ")
            }
            Self::LeakRoute if request == Some("BYE") => {
                replaced("Max-Forwards", "Route: <sip:10.0.0.1:5060;lr>\r\nMax-Forwards")
            }
            Self::LeakRecordRoute if request == Some("MESSAGE") => {
                replaced("Max-Forwards", "Record-Route: <sip:10.0.0.1:5060;lr>\r\nMax-Forwards")
            }
            Self::ToStranger if request == Some("BYE") => {
                vec![(Flow { remote: STRANGER, connection: None, ..flow }, bytes.to_vec())]
            }
            Self::ToWrongSide if request == Some("BYE") => {
                let remote = if topology::is_home(flow.remote) {
                    topology::CARRIER_B[0].address
                } else {
                    topology::HOME_CORE[0].address
                };
                vec![(Flow { remote, connection: None, ..flow }, bytes.to_vec())]
            }
            Self::TwiceOverStream if request == Some("INVITE") && is_stream => [same(), same()].concat(),
            Self::AnswerTwiceOverStream
                if status.is_some_and(|status| status >= 300) && method == "INVITE" && is_stream =>
            {
                [same(), same()].concat()
            }
            Self::EarlyCancel if request == Some("INVITE") && is_initial => {
                let cancel = String::from_utf8_lossy(bytes).replace("INVITE", "CANCEL");
                [same(), vec![(flow, cancel.into_bytes())]].concat()
            }
            Self::EarlyTrying if status == Some(200) && method == "MESSAGE" => {
                [vec![(flow, bare(&text, "SIP/2.0 100 Trying"))], same()].concat()
            }
            Self::AnswerStranger if status == Some(180) => {
                let to = topology::CARRIER_D[0].address;
                vec![(Flow { remote: to, connection: None, ..flow }, bytes.to_vec())]
            }
            Self::SwallowAcks if request == Some("ACK") => Vec::new(),
            Self::SwallowByes if request == Some("BYE") => Vec::new(),
            Self::RefuseEmergency | Self::RefuseFreely
                if status == Some(200)
                    && method == "INVITE"
                    && (self == Self::RefuseFreely || is_urgent(&text)) =>
            {
                vec![(flow, bare(&text, "SIP/2.0 503 Service Unavailable"))]
            }
            Self::Invent if request == Some("BYE") => [same(), replaced("CSeq: ", "CSeq: 7")].concat(),
            Self::Flood if request == Some("BYE") => vec![(flow, bytes.to_vec()); 500],
            _ => same(),
        }
    }

    /// What is recorded instead of this record.
    pub fn edit_record(self, packed: &PackedRecord) -> Vec<PackedRecord> {
        let mut edited = packed.record();
        match self {
            Self::SwallowRecords => return Vec::new(),
            Self::DoubleRecords => return vec![packed.clone(), packed.clone()],
            Self::WrongStatusInRecords => edited.status += 1,
            Self::TimesGoBack => edited.end_ms = edited.start_ms.saturating_sub(1),
            _ => {}
        }
        vec![PackedRecord::pack(&edited, &mut String::new())]
    }
}

fn is_urgent(text: &Text<'_>) -> bool {
    text.first("To").contains("urn:service:sos")
}

/// An answer without any header of an agent, as if the border had written it.
fn bare(text: &Text<'_>, start: &str) -> Vec<u8> {
    let mut out = start.to_owned();
    for (name, line) in text.lines() {
        if ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            out.push_str("\r\n");
            out.push_str(line);
        }
    }
    out.push_str("\r\nContent-Length: 0\r\n\r\n");
    out.into_bytes()
}
