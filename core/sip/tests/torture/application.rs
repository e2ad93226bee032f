//! RFC 4475 §3.2 to §3.4: transaction, application and backward compatibility.

use crate::{
    Case,
    Outcome::{Accept, Reject},
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "badbranch",
        clause: "RFC 4475 §3.2.1",
        outcome: Accept,
        reason: "a branch of the bare cookie is matched as one of RFC 2543; the transaction key does so",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
To: sip:b@beta.example
From: sip:a@alpha.example;tag=21
Max-Forwards: 3
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK
Call-ID: cookie.21
CSeq: 21 OPTIONS
l: 0

"#,
    },
    Case {
        name: "insuf",
        clause: "RFC 4475 §3.3.1",
        outcome: Reject(400),
        reason: "Call-ID, From and To are mandatory (RFC 3261 §8.1.1)",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
CSeq: 31 INVITE
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKi31
Content-Type: application/sdp
l: @length

@session"#,
    },
    Case {
        name: "unkscm",
        clause: "RFC 4475 §3.3.2",
        outcome: Accept,
        reason: "well-formed; screen answers 416 (RFC 3261 §16.3 (2))",
        text: r#"
OPTIONS unheardof:of+opaque/things SIP/2.0
@head OPTIONS
Content-Length: 0

"#,
    },
    Case {
        name: "novelsc",
        clause: "RFC 4475 §3.3.3",
        outcome: Accept,
        reason: "well-formed; screen answers 416 (RFC 3261 §16.3 (2))",
        text: r#"
OPTIONS soap.beep://198.51.100.9:605 SIP/2.0
@head OPTIONS
Content-Length: 0

"#,
    },
    Case {
        name: "unksm2",
        clause: "RFC 4475 §3.3.4",
        outcome: Accept,
        reason: "the schemes of To, From and Contact are not the border's business",
        text: r#"
REGISTER sip:beta.example SIP/2.0
To: isbn:3161484100
From: <https://alpha.example>;tag=34
Call-ID: schemes.34
CSeq: 34 REGISTER
Max-Forwards: 70
Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bKu34
Contact: <who:b>
l: 0

"#,
    },
    Case {
        name: "bext01",
        clause: "RFC 4475 §3.3.5",
        outcome: Accept,
        reason: "well-formed; screen answers 420 for Proxy-Require (RFC 3261 §16.3 (5))",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
@head OPTIONS
Require: unheardOf, unheardOfToo
Proxy-Require: noProxyDoesThis, norThis
Content-Length: 0

"#,
    },
    Case {
        name: "invut",
        clause: "RFC 4475 §3.3.6",
        outcome: Accept,
        reason: "a body of an unknown type is for the endpoint; policy may refuse it",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
@head INVITE
Content-Type: application/x-unheard-of
Content-Length: @length

<offer medium="smell"/>
"#,
    },
    Case {
        name: "regaut01",
        clause: "RFC 4475 §3.3.7",
        outcome: Accept,
        reason: "credentials are for the registrar and pass unread",
        text: r#"
REGISTER sip:beta.example SIP/2.0
@head REGISTER
Authorization: UnheardOfScheme some=thing
Content-Length:0

"#,
    },
    Case {
        name: "multi01",
        clause: "RFC 4475 §3.3.8",
        outcome: Reject(400),
        reason: "headers that stand once stand twice: another reader may take the other one (SEC-12)",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
Contact: <sip:a@192.0.2.4>
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKm38
Max-Forwards: 70
CSeq: 38 INVITE
Call-ID: twice.38@192.0.2.4
CSeq: 83 INVITE
i: twice.83@192.0.2.4
From: sip:a@alpha.example;tag=38
To: sip:b@beta.example
t: sip:c@beta.example
From: sip:d@alpha.example;tag=83
Contact: <sip:a@192.0.2.5>
Max-Forwards: 5
Content-Type: application/sdp
l: @length

@session"#,
    },
    Case {
        name: "mcl01",
        clause: "RFC 4475 §3.3.9",
        outcome: Reject(400),
        reason: "two lengths: nobody knows where the message ends (SEC-12)",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
@head OPTIONS
Content-Length: 11
Content-Length: 4
Content-Type: text/plain

How long is this?
"#,
    },
    Case {
        name: "bcast",
        clause: "RFC 4475 §3.3.10",
        outcome: Accept,
        reason: "well-formed; it matches no transaction, so it is dropped and never sent to the broadcast address",
        text: r#"
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKc40
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKc41
Call-ID: broadcast.40
CSeq: 40 INVITE
From: sip:a@alpha.example;tag=40
To: sip:b@beta.example;tag=41
Contact: <sip:b@198.51.100.3>
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "zeromf",
        clause: "RFC 4475 §3.3.11",
        outcome: Accept,
        reason: "well-formed; screen answers 483 (RFC 3261 §16.3 (3))",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
To: sip:b@beta.example
From: sip:a@alpha.example;tag=42
Call-ID: last.hop.42
CSeq: 42 OPTIONS
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKz42
Max-Forwards: 0
Content-Length: 0

"#,
    },
    Case {
        name: "cparam01",
        clause: "RFC 4475 §3.3.12",
        outcome: Accept,
        reason: "a parameter of the Contact header passes unread",
        text: r#"
REGISTER sip:beta.example SIP/2.0
@head REGISTER
Contact: sip:+442079460199@gw.beta.example;unheardof
l: 0

"#,
    },
    Case {
        name: "cparam02",
        clause: "RFC 4475 §3.3.13",
        outcome: Accept,
        reason: "a parameter of the Contact URI passes unread",
        text: r#"
REGISTER sip:beta.example SIP/2.0
@head REGISTER
Contact: <sip:+442079460199@gw.beta.example;unheardof>
l: 0

"#,
    },
    Case {
        name: "regescrt",
        clause: "RFC 4475 §3.3.14",
        outcome: Accept,
        reason: "a header escaped into a Contact URI stays there: it is no header of this message",
        text: r#"
REGISTER sip:beta.example SIP/2.0
@head REGISTER
m: <sip:b@beta.example?Route=%3Csip:edge.beta.example%3E>
L:0

"#,
    },
    Case {
        name: "sdp01",
        clause: "RFC 4475 §3.3.15",
        outcome: Accept,
        reason: "what the caller accepts is for the endpoint",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
@head INVITE
Contact: <sip:a@192.0.2.4>
Accept: text/x-unheard-of
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "inv2543",
        clause: "RFC 4475 §3.4.1",
        outcome: Accept,
        reason: "no branch, no tag, no Max-Forwards, no Content-Length: RFC 2543 knew none of them (RFC 3261 §17.2.3)",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
Via: SIP/2.0/UDP gw.alpha.example
From: <sip:+441632960081@gw.alpha.example;user=phone>
Record-Route: <sip:b@beta.example;maddr=edge.alpha.example>
To: sip:+442079460123@gw.beta.example;user=phone
Call-ID: old.43@gw.alpha.example
CSeq: 43 INVITE
Content-Type: application/sdp

@session"#,
    },
];
