//! RFC 4475 §3.1.2: invalid messages.

use crate::{
    Case,
    Outcome::{Accept, Drop, Reject},
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "badinv01",
        clause: "RFC 4475 §3.1.2.1",
        outcome: Reject(400),
        reason: "a Via with empty parameters and values is not one that a response can follow",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
To: sip:b@beta.example
From: sip:a@alpha.example;tag=1
Max-Forwards: 7
Call-ID: separators.1
CSeq: 1 INVITE
Via: SIP/2.0/UDP 192.0.2.4;;;,,;,
Contact: "A" <sip:a@192.0.2.4>;;;
Content-Length: 0

"#,
    },
    Case {
        name: "clerr",
        clause: "RFC 4475 §3.1.2.2",
        outcome: Reject(400),
        reason: "a datagram shorter than its Content-Length (RFC 3261 §18.3)",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: 9999

@session"#,
    },
    Case {
        name: "ncl",
        clause: "RFC 4475 §3.1.2.3",
        outcome: Reject(400),
        reason: "Content-Length is digits only (RFC 3261 §20.14): no sign",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: -1

@session"#,
    },
    Case {
        name: "scalar02",
        clause: "RFC 4475 §3.1.2.4",
        outcome: Reject(400),
        reason: "CSeq is less than 2^31 (RFC 3261 §8.1.1.5) and Max-Forwards at most 255 (§20.22)",
        text: r#"
REGISTER sip:beta.example SIP/2.0
Via: SIP/2.0/TCP hop1.example;branch=z9hG4bKs4
To: <sip:b@beta.example>
From: <sip:b@beta.example>;tag=4
CSeq: 18446744073709551617 REGISTER
Call-ID: scalars.4
Max-Forwards: 256
Expires: 99999999999999999999999999999999999999
Contact: <sip:b@192.0.2.4>
 ;expires=281474976710656
Content-Length: 0

"#,
    },
    Case {
        name: "scalarlg",
        clause: "RFC 4475 §3.1.2.5",
        outcome: Drop,
        reason: "a response whose CSeq does not fit belongs to no request of ours",
        text: r#"
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKs5
To: <sip:b@beta.example>
From: <sip:a@alpha.example>;tag=5
CSeq: 99999999999999999999999 OPTIONS
Call-ID: scalars.5
Retry-After: 99999999999999999999999
Warning: 9999 hop "?"
Content-Length: 0

"#,
    },
    Case {
        name: "quotbal",
        clause: "RFC 4475 §3.1.2.6",
        outcome: Reject(400),
        reason: "quotes that never close: where the address begins is a guess",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
To: "Dr. B <sip:b@beta.example>
From: sip:a@alpha.example;tag=6
Max-Forwards: 70
Call-ID: quote.6
CSeq: 6 INVITE
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKq6
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "ltgtruri",
        clause: "RFC 4475 §3.1.2.7",
        outcome: Reject(400),
        reason: "a Request-URI has no angle brackets (RFC 3261 §7.1)",
        text: r#"
INVITE <sip:b@beta.example> SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "lwsruri",
        clause: "RFC 4475 §3.1.2.8",
        outcome: Reject(400),
        reason: "a blank in the Request-URI: two readers would cut it in two places (RFC 3261 §7.1)",
        text: r#"
INVITE sip:b@beta.example; lr SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "lwsstart",
        clause: "RFC 4475 §3.1.2.9",
        outcome: Reject(400),
        reason: "exactly one SP stands between the parts of a request line (RFC 3261 §7.1)",
        text: r#"
INVITE  sip:b@beta.example  SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "trws",
        clause: "RFC 4475 §3.1.2.10",
        outcome: Reject(400),
        reason: "nothing stands between the version and the line end (RFC 3261 §7.1)",
        text: "
OPTIONS sip:b@beta.example SIP/2.0 \u{20}
@head OPTIONS
Content-Length: 0

",
    },
    Case {
        name: "escruri",
        clause: "RFC 4475 §3.1.2.11",
        outcome: Reject(400),
        reason: "headers in a Request-URI (RFC 3261 §19.1.1 table 1) would let a sender forge a Route",
        text: r#"
INVITE sip:b@beta.example?Route=%3Csip:evil.example%3E SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "baddate",
        clause: "RFC 4475 §3.1.2.12",
        outcome: Accept,
        reason: "Date is not used here; who uses it judges it (RFC 3261 §16.3 (1))",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
@head INVITE
Date: Mon, 01 Jan 2024 06:00:00 CET
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "regbadct",
        clause: "RFC 4475 §3.1.2.13",
        outcome: Accept,
        reason: "the Contact of a REGISTER is the registrar's to read (RFC 3261 §16.3 (1))",
        text: r#"
REGISTER sip:beta.example SIP/2.0
@head REGISTER
Contact: sip:b@beta.example?Route=%3Csip:evil.example%3E
l: 0

"#,
    },
    Case {
        name: "badaspec",
        clause: "RFC 4475 §3.1.2.14",
        outcome: Accept,
        reason: "blanks at the ends inside the brackets of To cannot be misread, and To is not changed",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKb14
Max-Forwards: 70
From: "A, B" <sip:a@alpha.example>;tag=14
To: "B, C" < sip:b@beta.example >
Call-ID: blanks.14
CSeq: 14 OPTIONS
l: 0

"#,
    },
    Case {
        name: "baddn",
        clause: "RFC 4475 §3.1.2.15",
        outcome: Drop,
        reason: "as it is printed the message has no blank line: it may be cut off",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKb15
Max-Forwards: 70
From: Alpha, A <sip:a@alpha.example>;tag=15
To: Beta, B <sip:b@beta.example>
Call-ID: comma.15
CSeq: 15 OPTIONS
l: 0
"#,
    },
    Case {
        name: "baddn-terminated",
        clause: "RFC 4475 §3.1.2.15",
        outcome: Reject(400),
        reason: "a comma in a bare display name makes two values of one From",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKb15
Max-Forwards: 70
From: Alpha, A <sip:a@alpha.example>;tag=15
To: Beta, B <sip:b@beta.example>
Call-ID: comma.15
CSeq: 15 OPTIONS
l: 0

"#,
    },
    Case {
        name: "badvers",
        clause: "RFC 4475 §3.1.2.16",
        outcome: Reject(505),
        reason: "version 7.0 (RFC 3261 §21.5.6), said before anything else is judged",
        text: r#"
OPTIONS sip:b@beta.example SIP/7.0
Via: SIP/7.0/UDP 192.0.2.4;branch=z9hG4bKv16
Max-Forwards: 70
From: A. <sip:a@alpha.example>;tag=16
To: B. <sip:b@beta.example>
Call-ID: version.16
CSeq: 16 OPTIONS
l: 0

"#,
    },
    Case {
        name: "mismatch01",
        clause: "RFC 4475 §3.1.2.17",
        outcome: Reject(400),
        reason: "the method of CSeq is that of the request (RFC 3261 §8.1.1.5)",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
@head INVITE
l: 0

"#,
    },
    Case {
        name: "mismatch02",
        clause: "RFC 4475 §3.1.2.18",
        outcome: Reject(400),
        reason: "the same with a method that we do not know; a border passes unknown methods, so 400 and not 501",
        text: r#"
FROBNICATE sip:b@beta.example SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "bigcode",
        clause: "RFC 4475 §3.1.2.19",
        outcome: Drop,
        reason: "a status code has three digits and is less than 700 (RFC 3261 §7.2)",
        text: r#"
SIP/2.0 4294967496 Wraps To 200
@head INVITE
Content-Length: 0

"#,
    },
    Case {
        name: "test",
        clause: "RFC 4475 archive",
        outcome: Drop,
        reason: "a line without a version is no request line: not SIP",
        text: r#"
INVITE sip:b@beta.example
TO : b@beta.example
From: a@alpha.example
MaX-fOrWaRdS: 0070
Call-ID: archive.1
No colon here
Content-Length: 0

"#,
    },
];
