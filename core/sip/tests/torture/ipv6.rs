//! RFC 5118: IPv6.

use crate::{
    Case,
    Outcome::{Accept, Reject},
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "ipv6-good",
        clause: "RFC 5118 §4.1",
        outcome: Accept,
        reason: "IPv6 addresses in brackets in the Request-URI, Via and Contact",
        text: r#"
REGISTER sip:[2001:db8::21] SIP/2.0
To: sip:b@beta.example
From: sip:b@beta.example;tag=51
Via: SIP/2.0/UDP [2001:db8::5:1];branch=z9hG4bK-51
Call-ID: v6.51
Max-Forwards: 70
Contact: "B" <sip:b@[2001:db8::7]>
CSeq: 51 REGISTER
Content-Length: 0

"#,
    },
    Case {
        name: "ipv6-bad",
        clause: "RFC 5118 §4.2",
        outcome: Reject(400),
        reason: "without brackets the first colon begins a port, and that is no number",
        text: r#"
REGISTER sip:2001:db8::21 SIP/2.0
@head REGISTER
Content-Length: 0

"#,
    },
    Case {
        name: "port-ambiguous",
        clause: "RFC 5118 §4.3",
        outcome: Accept,
        reason: "everything in the brackets is address",
        text: r#"
REGISTER sip:[2001:db8::21:5062] SIP/2.0
@head REGISTER
Content-Length: 0

"#,
    },
    Case {
        name: "port-unambiguous",
        clause: "RFC 5118 §4.4",
        outcome: Accept,
        reason: "the port stands behind the bracket",
        text: r#"
REGISTER sip:[2001:db8::21]:5062 SIP/2.0
@head REGISTER
Content-Length: 0

"#,
    },
    Case {
        name: "via-received-param-with-delim",
        clause: "RFC 5118 §4.5",
        outcome: Accept,
        reason: "received with brackets is not the grammar, but is to be understood",
        text: r#"
BYE sip:[2001:db8::21] SIP/2.0
To: sip:b@beta.example;tag=b55
From: sip:a@alpha.example;tag=a55
Via: SIP/2.0/UDP [2001:db8::5:1];received=[2001:db8::5:ff];branch=z9hG4bK-55
Call-ID: v6.55
Max-Forwards: 70
CSeq: 55 BYE
Content-Length: 0

"#,
    },
    Case {
        name: "via-received-param-no-delim",
        clause: "RFC 5118 §4.5",
        outcome: Accept,
        reason: "received without brackets is the grammar of RFC 3261",
        text: r#"
OPTIONS sip:[2001:db8::21] SIP/2.0
To: sip:b@beta.example
From: sip:a@alpha.example;tag=a56
Via: SIP/2.0/UDP [2001:db8::5:1];received=2001:db8::5:ff;branch=z9hG4bK-56
Call-ID: v6.56
Max-Forwards: 70
CSeq: 56 OPTIONS
Content-Length: 0

"#,
    },
    Case {
        name: "ipv6-in-sdp",
        clause: "RFC 5118 §4.6",
        outcome: Accept,
        reason: "the body is not looked at",
        text: r#"
INVITE sip:b@[2001:db8::21] SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

v=0
o=- 57 1 IN IP6 2001:db8::30
s=-
c=IN IP6 2001:db8::30
t=0 0
m=audio 40000 RTP/AVP 8
"#,
    },
    Case {
        name: "mult-ip-in-header",
        clause: "RFC 5118 §4.7",
        outcome: Accept,
        reason: "hops of both families in one list",
        text: r#"
BYE sip:b@host.beta.example SIP/2.0
Via: SIP/2.0/UDP [2001:db8::5:1]:6060;branch=z9hG4bK-58
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK58a
Via: SIP/2.0/TCP [2001:db8::5:2];branch=z9hG4bK58b;received=198.51.100.6
Call-ID: v6.58
Max-Forwards: 70
CSeq: 58 BYE
To: sip:b@beta.example;tag=b--58
From: sip:a@alpha.example;tag=a58
Content-Length: 0

"#,
    },
    Case {
        name: "mult-ip-in-sdp",
        clause: "RFC 5118 §4.8",
        outcome: Accept,
        reason: "the body is not looked at",
        text: r#"
INVITE sip:b@[2001:db8::21] SIP/2.0
@head INVITE
Content-Type: application/sdp
Content-Length: @length

v=0
o=- 59 1 IN IP4 host.alpha.example
s=-
t=0 0
m=audio 40000 RTP/AVP 8
c=IN IP4 198.51.100.7
m=video 40002 RTP/AVP 99
c=IN IP6 2001:db8::30
"#,
    },
    Case {
        name: "ipv4-mapped-ipv6",
        clause: "RFC 5118 §4.9",
        outcome: Accept,
        reason: "a mapped address is an IPv6 address like any other here; admit normalises the source (PX-72)",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
To: sip:b@beta.example
From: sip:a@alpha.example;tag=60
Via: SIP/2.0/UDP [::ffff:192.0.2.4]:5062;branch=z9hG4bK60
Via: SIP/2.0/UDP [::ffff:192.0.2.5];branch=z9hG4bK61
Call-ID: v6.60
Contact: <sip:a@[::ffff:192.0.2.5]>
CSeq: 60 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "ipv6-bug-abnf-3-colons",
        clause: "RFC 5118 §4.10",
        outcome: Accept,
        reason: "three colons came from an error in the grammar of RFC 3261 and are read as two",
        text: r#"
OPTIONS sip:b@[2001:db8:::198.51.100.9] SIP/2.0
@head OPTIONS
Content-Length: 0

"#,
    },
    Case {
        name: "ipv6-correct-abnf-2-colons",
        clause: "RFC 5118 §4.10",
        outcome: Accept,
        reason: "the same as it should be written",
        text: r#"
OPTIONS sip:b@[2001:db8::198.51.100.9] SIP/2.0
@head OPTIONS
Content-Length: 0

"#,
    },
];
