//! Classes 9 and 10: bodies that made others crash while they read or rewrote them. This border reads none, so each must pass
//! byte for byte, and the length that it announces must be its own.

use super::*;

const MULTIPART: &str = "Content-Type: multipart/mixed;boundary=b";

#[test]
fn hostile_bodies_pass_untouched() {
    let mut victim = Victim::new();
    let many_parts = "--b\r\nX: y\r\n\r\n\r\n".repeat(150);
    let nested = "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n".repeat(60);
    let long_line = format!("v=0\r\na={}\r\n", "x".repeat(3_000));
    let bodies = [
        (MULTIPART, ""),
        (MULTIPART, "--b"),
        (MULTIPART, "--b--"),
        (MULTIPART, "--b--b--b--"),
        (MULTIPART, "--b\r\n--b\r\n--b--\r\n"),
        (MULTIPART, "--b\r\nContent-Length: 4294967296\r\n\r\n\0\0--b--"),
        (MULTIPART, &many_parts),
        (MULTIPART, &nested),
        ("Content-Type: multipart/mixed", "--\r\n----\r\n"),
        ("Content-Type: multipart/mixed;boundary=\"", "--\"\r\n"),
        ("Content-Type: application/sdp", "a="),
        (
            "Content-Type: application/sdp",
            "v=0\r\na=\r\na=fmtp\r\na=rtpmap:\r\na=rtpmap:999999999999 x/99999999999\r\n",
        ),
        (
            "Content-Type: application/sdp",
            "m=audio 4294967296/4294967296 RTP/AVP 0\r\na=ptime:-1\r\na=ptime:99999999999\r\n",
        ),
        ("Content-Type: application/sdp", "c=IN IP6\r\nc=IN IP4 0.0.0.0/999/999\r\no=\r\n\r\n\r\n"),
        ("Content-Type: application/sdp", &long_line),
        ("Content-Type: application/3gpp-ims+xml", "<a><a><a><!DOCTYPE x [<!ENTITY y \"z\">]>&y;"),
    ];
    for (line, body) in bodies {
        let text = request("INVITE", "sip:bob@b.example", "c#", 1, "", &[line], body);
        assert_eq!(victim.send(&text), Did::Forward, "{line}: {body:.40}");
        let sent = victim.world.sent();
        let (head, passed) = only(&sent, "INVITE").text.split_once("\r\n\r\n").expect("a blank line");
        assert_eq!(passed, body, "{line}");
        assert!(
            head.contains(&format!("\r\n{line}\r\n"))
                && head.contains(&format!("Content-Length: {}", body.len()))
        );
    }
    victim.assert_well();
}

/// Line lengths of an SDP body, one octet after the other.
#[test]
fn sdp_lines_of_every_length() {
    let mut victim = Victim::new();
    for length in 0..300 {
        let body = format!("v=0\r\na={}\r\nm=audio 1 RTP/AVP 0\r\n", "f".repeat(length));
        let text =
            request("INVITE", "sip:bob@b.example", "c#", 1, "", &["Content-Type: application/sdp"], &body);
        assert_eq!(victim.send(&text), Did::Forward);
        let sent = victim.world.sent();
        assert!(only(&sent, "INVITE").text.ends_with(&format!("\r\n\r\n{body}")), "{length}");
    }
    victim.assert_well();
}
