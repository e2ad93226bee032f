//! The message that speed is measured with: an INVITE as an IMS core hands it to its border, 28 headers and 2.5 KB.

/// Lines of the head; the length of the body is put in behind them.
const HEAD: &str = "\
INVITE sip:+442079460123@ibcf.alpha.example;user=phone SIP/2.0
Via: SIP/2.0/UDP 192.0.2.45:5060;branch=z9hG4bK7d41.a05e3b19c2f8
Via: SIP/2.0/UDP scscf2.alpha.example:5060;branch=z9hG4bK51ce.8831.40b6d7aa;received=192.0.2.61
Via: SIP/2.0/UDP pcscf7.roam.alpha.example:5060;branch=z9hG4bKe2a9.8831.77f0c314;received=192.0.2.77
Route: <sip:exit@ibcf.alpha.example:5060;lr>
Record-Route: <sip:orig@scscf2.alpha.example:5060;lr;leg=40b6d7aa1c53>
Record-Route: <sip:ue@pcscf7.roam.alpha.example:5060;lr;flow=77f0c314>
From: \"Bob Brown\" <sip:+441632960081@alpha.example;user=phone>;tag=5f3ac97e.8831
To: <sip:+442079460123@ibcf.alpha.example;user=phone>
Call-ID: 1c9b03d2-8831-4e70-9a55-6ef2d81b7c40@192.0.2.133
CSeq: 102 INVITE
Max-Forwards: 66
Contact: <sip:b61f8c3e-5d27-49a0-b3e4-0f79a6c2d815@192.0.2.45:5060;transport=udp>;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\";+sip.instance=\"<urn:gsma:imei:35824005-119348-0>\";audio
P-Asserted-Identity: \"Bob Brown\" <sip:+441632960081@alpha.example;user=phone>
P-Asserted-Identity: <tel:+441632960081>
P-Charging-Vector: icid-value=\"8be41f7d0a263c95-8831\";icid-generated-at=192.0.2.77
P-Charging-Function-Addresses: ccf=\"aaa://ccf2.alpha.example\";ecf=\"aaa://ecf2.alpha.example\"
P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=234150f3a81c20b44;network-provided
P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel
P-Early-Media: supported
Privacy: none
Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\";audio
Supported: 100rel,timer,precondition,histinfo,norefersub
Allow: INVITE,ACK,CANCEL,BYE,UPDATE,PRACK,MESSAGE,REFER,NOTIFY,INFO,OPTIONS
Session-Expires: 1800;refresher=uac
Min-SE: 90
User-Agent: Handset/11.0 (volte; build 7.41.2; modem 4.9.0-r3)
Content-Type: application/sdp
Content-Length: ";

/// What the phone offers.
const BODY: &str = "\
v=0
o=- 17290883 1 IN IP4 198.51.100.14
s=-
c=IN IP4 198.51.100.14
b=AS:49
b=RS:600
b=RR:2000
t=0 0
m=audio 50010 RTP/AVP 127 104 102 111 100
a=rtpmap:127 EVS/16000
a=fmtp:127 br=5.9-24.4;bw=nb-swb;max-red=220
a=rtpmap:104 AMR-WB/16000
a=fmtp:104 mode-change-capability=2;max-red=220
a=rtpmap:102 AMR/8000
a=fmtp:102 mode-change-capability=2;max-red=220
a=rtpmap:111 telephone-event/16000
a=fmtp:111 0-15
a=rtpmap:100 telephone-event/8000
a=fmtp:100 0-15
a=curr:qos local none
a=curr:qos remote none
a=des:qos mandatory local sendrecv
a=des:qos optional remote sendrecv
a=inactive
a=ptime:20
a=maxptime:240
";

/// Writes the message in its wire form.
pub(crate) fn invite() -> Vec<u8> {
    let body = BODY.replace('\n', "\r\n");
    let mut message = HEAD.replace('\n', "\r\n");
    message.push_str(&body.len().to_string());
    message.push_str("\r\n\r\n");
    message.push_str(&body);
    message.into_bytes()
}
