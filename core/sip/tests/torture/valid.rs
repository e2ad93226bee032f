//! RFC 4475 §3.1.1: valid messages.

use crate::{Case, Outcome::Accept};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "wsinv",
        clause: "RFC 4475 §3.1.1.1",
        outcome: Accept,
        reason: "folds, blanks before colons, odd case, compact names and an empty Subject are all grammar (§7.3.1)",
        text: r#"
INVITE sip:olga@pbx-7.beta.example;flavour SIP/2.0
tO :
	sip:olga@pbx-7.beta.example   ;  tag =  77001n
FROM  : "O \\\" Quote"      <sip:ivan@alpha.example>
 ;
 tag = a7x
max-FORWARDS: 0042
Call-ID: tortuous.8821@192.0.2.8
content-length  : @length
cSEQ: 0017
	INVITE
Via  : SIP /  2.0
  / UDP
   192.0.2.90;branch=8u4hfn
S :
NewThing:  a value
	that goes on
WeirdThing: ,,;;,,;
c: application/sdp
Route:
 <sip:edge.beta.example;lr;who=knows;alone>
V:  SIP / 2.0 / TCP   hop2.alpha.example ;
  branch =   z9hG4bK77fa  ,
 SIP  / 2.0 /  UDP 198.51.100.40  ; branch=
 z9hG4bK1882
M:"Says \"hi\"" <sip:ivan@alpha.example> ; p =
   v ;
 o ; q = 0.7

@session"#,
    },
    Case {
        name: "intmeth",
        clause: "RFC 4475 §3.1.1.2",
        outcome: Accept,
        reason: "every character that the grammar allows, an unknown method, and a NUL as a quoted pair",
        text: r#"
!odd.Method_77*+`%~'-x sip:a-_.!~*'()&=+$,;?/%20z:pw&=+$,1@beta.example SIP/2.0
Via: SIP/2.0/UDP hop1.alpha.example;branch=z9hG4bK~!%.*_+`'-
To: "quoted \@NUL and \@BEL" <sip:a-_.!~*'()&=+$,;?/@beta.example>
From: tok`1~ tok'2_ t*%!.-3 <sip:plain@alpha.example>;odd~'`*_!.-%+="дом";tag=t'1~`+*%!_.-
Call-ID: w-!%*_+`'~()<>:\/"[]?{}@w-!%*_+`'~()<>:\/"[]?{}
CSeq: 2099999999 !odd.Method_77*+`%~'-x
Max-Forwards: 255
odd-Header!%*_+`'~: 東京
Content-Length: 0

"#,
    },
    Case {
        name: "esc01",
        clause: "RFC 4475 §3.1.1.3",
        outcome: Accept,
        reason: "escapes in URIs are left as they are (RFC 3261 §19.1.2): the escaped @ does not end the user part",
        text: r#"
INVITE sip:sip%3Aolga%40alpha.example@beta.example SIP/2.0
To: <sip:%6flg%61@beta.example>
From: <sip:two%20words@alpha.example>;tag=31
Max-Forwards: 61
i: escapes.77
CSeq: 9 INVITE
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKe1
c: application/sdp
Contact:
 <sip:iv%61n@192.0.2.4;%6cr;q%31=%41>
Content-Length: @length

@session"#,
    },
    Case {
        name: "escnull",
        clause: "RFC 4475 §3.1.1.4",
        outcome: Accept,
        reason: "an escaped NUL is three characters of the user part",
        text: r#"
REGISTER sip:beta.example SIP/2.0
To: sip:x%00y-%00@beta.example
From: sip:x%00y-%00@beta.example;tag=88
Max-Forwards: 70
Call-ID: nulls.4
CSeq: 4 REGISTER
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKn4
Contact: <sip:%00@198.51.100.3>
Contact: <sip:%00%00@198.51.100.3>
L:0

"#,
    },
    Case {
        name: "esc02",
        clause: "RFC 4475 §3.1.1.5",
        outcome: Accept,
        reason: "outside a URI a percent sign is a plain token character: neither the method nor the header name is unescaped",
        text: r#"
IN%56ITE sip:beta.example SIP/2.0
To: "%Q%41" <sip:a@beta.example>
From: "%Q%41" <sip:a@alpha.example>;tag=p1
Call-ID: percent.5
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK5%zz
CSeq: 5 IN%56ITE
Max-Forwards: 70
%43all-ID: not.a.call-id
l: 0

"#,
    },
    Case {
        name: "lwsdisp",
        clause: "RFC 4475 §3.1.1.6",
        outcome: Accept,
        reason: "no blank is needed between a display name and <",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
To: sip:b@beta.example
From: ivan<sip:ivan@alpha.example>;tag=6
Max-Forwards: 70
Call-ID: nolws.6
CSeq: 6 OPTIONS
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKl6

"#,
    },
    Case {
        name: "longreq",
        clause: "RFC 4475 §3.1.1.7",
        outcome: Accept,
        reason: "long values are legal below the limits of SEC-10",
        text: r#"
INVITE sip:b@beta.example SIP/2.0
To: "@600x" <sip:b@beta.example;one=@600x;two>
F: <sip:@600x@alpha.example>;tag=@600x;other=@600x
Call-ID: @600x
CSeq: 7 INVITE
Unknown-@600x: @600x
 @600x
Via: SIP/2.0/TCP hop4.example;branch=z9hG4bK@600x
v: SIP/2.0/TCP hop3.example
V  : SIP/2.0/TCP hop2.example, SIP/2.0/TCP hop1.example
Max-Forwards: 70
Contact: <sip:@600x@192.0.2.4>
c: application/sdp
l: @length

@session"#,
    },
    Case {
        name: "dblreq",
        clause: "RFC 4475 §3.1.1.8",
        outcome: Accept,
        reason: "octets of a datagram behind Content-Length are not part of the message (RFC 3261 §18.3)",
        text: r#"
REGISTER sip:beta.example SIP/2.0
@head REGISTER
Content-Length: 0


INVITE sip:second@beta.example SIP/2.0
@head INVITE
Content-Length: @length

@session"#,
    },
    Case {
        name: "semiuri",
        clause: "RFC 4475 §3.1.1.9",
        outcome: Accept,
        reason: "semicolons before the @ belong to the user part",
        text: r#"
OPTIONS sip:ivan;as=q%40alpha.example@beta.example SIP/2.0
@head OPTIONS
Accept: application/sdp
l: 0

"#,
    },
    Case {
        name: "transports",
        clause: "RFC 4475 §3.1.1.10",
        outcome: Accept,
        reason: "a Via may name any transport: only where the request came from matters here",
        text: r#"
OPTIONS sip:b@beta.example SIP/2.0
To: sip:b@beta.example
From: <sip:a@alpha.example>;tag=10
Max-Forwards: 70
Call-ID:   transports.10
CSeq: 10 OPTIONS
Via: SIP/2.0/UDP hop1.example;branch=z9hG4bKa1
Via: SIP/2.0/SCTP hop2.example;branch=z9hG4bKa2
Via: SIP/2.0/TLS hop3.example;branch=z9hG4bKa3
Via: SIP/2.0/PIGEON hop4.example;branch=z9hG4bKa4
Via: SIP/2.0/TCP hop5.example;branch=z9hG4bKa5
l: 0

"#,
    },
    Case {
        name: "mpart01",
        clause: "RFC 4475 §3.1.1.11",
        outcome: Accept,
        reason: "bodies are not looked at: binary parts, NULs and lone line ends in them pass",
        text: r#"
MESSAGE sip:b@beta.example SIP/2.0
@head MESSAGE
Content-Type: multipart/mixed;boundary=5b1d
Content-Transfer-Encoding: binary
Content-Length: @length

--5b1d
Content-Type: text/plain

Good morning
--5b1d
Content-Type: application/octet-stream
Content-Transfer-Encoding: binary

@NUL@BELé�@NUL@NUL
--5b1d--
"#,
    },
    Case {
        name: "unreason",
        clause: "RFC 4475 §3.1.1.12",
        outcome: Accept,
        reason: "a reason phrase is any UTF-8; the border drops the response later, it matches no transaction",
        text: r#"
SIP/2.0 200 = 10 * 20, двести
@head INVITE
Content-Type: application/sdp
Content-Length: @length

@session"#,
    },
    Case {
        name: "noreason",
        clause: "RFC 4475 §3.1.1.13",
        outcome: Accept,
        reason: "a reason phrase may be empty; the border drops the response later, it matches no transaction",
        text: "
SIP/2.0 100 \u{20}
@head INVITE
Content-Length: 0

",
    },
];
