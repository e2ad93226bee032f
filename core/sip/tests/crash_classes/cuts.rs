//! Classes 3, 4 and 6: what ends too early, and what never begins.

use super::*;

/// An INVITE with everything in it that a border reads.
fn rich_invite() -> String {
    let extra = [
        "Route: <sip:ibcf.a.example;lr>, \"x\" <sip:[2001:db8::7]:5060;lr>",
        "P-Asserted-Identity: \"A \\\" B\" <sip:+441632960081@a.example;user=phone>, <tel:+441632960081>",
        "P-Charging-Vector: icid-value=\"abc\";icid-generated-at=192.0.2.10",
        "Session-Expires: 1800;refresher=uac",
        "History-Info: <sip:x@a.example?Reason=SIP%3Bcause%3D302>;index=1",
    ];
    request("INVITE", "sip:+441632960083;npdi@b.example;user=phone", "c1", 1, "", &extra, "v=0\r\n")
}

/// Class 3: a request, a response and a request inside a dialog, cut at each byte.
#[test]
fn messages_cut_at_every_byte() {
    let mut victim = Victim::new();
    let whole = rich_invite();
    for end in 0..whole.len() {
        let did = victim.send_bytes(A, &whole.as_bytes()[..end]);
        assert!(matches!(did, Did::Drop | Did::Answer(400)), "cut at {end}: {did:?}");
    }
    for start in 1..whole.len() {
        victim.send_bytes(A, &whole.as_bytes()[start..]);
    }
    let sent = victim.world.receive(A, &whole);
    let invite = only(&sent, "INVITE").clone();
    let answer = respond(&invite, "200 OK", "tb", &["Session-Expires: 90"]);
    for end in 0..answer.len() {
        assert_eq!(victim.send_bytes(B, &answer.as_bytes()[..end]), Did::Drop, "cut at {end}");
    }
    let sent = victim.world.receive(B, &answer);
    let lines = routes(only(&sent, "SIP/2.0 200"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let bye = request("BYE", &format!("sip:bob@{B}"), "c1", 2, "tb", &lines, "");
    for end in 0..bye.len() {
        let did = victim.send_bytes(A, &bye.as_bytes()[..end]);
        assert!(matches!(did, Did::Drop | Did::Answer(400)), "cut at {end}: {did:?}");
    }
    let sent = victim.world.receive(A, &bye);
    let answer = respond(only(&sent, "BYE"), "200 OK", "", &[]);
    victim.world.receive(B, &answer);
    assert_eq!(victim.world.metric("ibcf_stray_responses_total", &[]), 0);
    victim.assert_well();
}

/// Class 4: the head ends inside a header and a blank line follows, so that every reader meets the end of its value.
#[test]
fn headers_that_end_in_every_state() {
    let mut victim = Victim::new();
    let whole = rich_invite();
    let head = whole.find("\r\n\r\n").expect("a blank line");
    for end in 0..head {
        let text = format!("{}\r\n\r\n", &whole[..end]);
        victim.send(&text.replace("Call-ID: c1", "Call-ID: c#").replace("bKc1", "bKc#"));
    }
    // The same for each line alone, in a message that is whole besides.
    for line in whole[..head].split("\r\n").skip(1) {
        for end in line.find(':').expect("a colon") + 1..line.len() {
            let text = whole.replace(line, &line[..end]);
            victim.send(&text.replace("Call-ID: c1", "Call-ID: c#").replace("bKc1", "bKc#"));
        }
    }
    victim.assert_well();
}

/// Class 6: nothing but blanks and line ends. Keep-alives are no messages; what is neither is dropped and counted.
#[test]
fn blanks_and_line_ends() {
    let mut victim = Victim::new();
    let dropped = |victim: &Victim| victim.world.metric("ibcf_messages_dropped_total", &[]);
    for keep_alive in ["", "\r\n", "\r\n\r\n", "\n", "\r", "\0", "\0\0\0\0"] {
        assert_eq!(victim.send_bytes(A, keep_alive.as_bytes()), Did::Drop);
    }
    assert_eq!(dropped(&victim), 0);
    let blanks = [" ", "\t", " \r\n", " \r\n \r\n", "\r\n \r\n", "   \t  ", "\r\n\r\n\t", " \n\r \n\r"];
    for (nth, text) in blanks.iter().enumerate() {
        assert_eq!(victim.send_bytes(A, text.as_bytes()), Did::Drop);
        assert_eq!(dropped(&victim), nth as u64 + 1, "{text:?}");
    }
    assert_eq!(victim.world.metric("ibcf_parse_errors_total", &["parse.malformed"]), blanks.len() as u64);
    for many in [1_000, 60_000] {
        for byte in [" ", "\r\n", "\r", "\n", "\t"] {
            victim.send_bytes(A, byte.repeat(many / byte.len()).as_bytes());
        }
    }
    let text = invite();
    for lead in ["\r\n", "\r\n\r\n", "\n\n\n", "\r\r\n"] {
        assert_eq!(victim.send(&format!("{lead}{text}")), Did::Forward, "{lead:?}");
    }
    for (from, to) in
        [("\r\n", "\n"), ("\r\n", "\r"), ("Via:", "\r\nVia:"), ("Via:", " Via:"), ("Call-ID", "\rCall-ID")]
    {
        let did = victim.send(&text.replacen(from, to, if from == "\r\n" { 99 } else { 1 }));
        assert!(matches!(did, Did::Drop | Did::Answer(400)), "{from:?} {to:?}: {did:?}");
    }
    victim.assert_well();
}
