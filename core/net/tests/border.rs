//! The real border behind real sockets, over IPv4 and IPv6.
//!
//! ```text
//! stranger          border (2 workers)
//!    | OPTIONS         |
//!    |---------------->|
//!    |             403 |   from the socket it came to
//!    |<----------------|
//! ```

use std::net::UdpSocket;
use std::time::Duration;

use ibcf_net::{Core, CoreConfig};
use ibcf_sip::Snapshot;

fn snapshot(address: &str) -> Snapshot {
    let document = serde_json::json!({
        "version": 1, "generation": 1, "node": {"name": "n", "domain": "a.example"},
        "keys": [{"id": 1, "secret": "00".repeat(32)}],
        "unknown_source": {"reject": true, "answers_per_second": 1000},
        "listeners": [{"id": "peer_udp", "side": "peer", "transport": "udp", "address": address}],
        "agreements": [], "peers": [], "routes": [],
    });
    Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot")
}

#[test]
fn an_unknown_source_is_answered_over_both_families_and_by_both_workers() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let core =
            Core::new(snapshot(address), CoreConfig { workers: 2, ..CoreConfig::default() }).expect("bound");
        core.start().expect("started");
        let border = core.listeners()[0].1;
        let client = UdpSocket::bind(address).expect("a port");
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("an option");
        let source = client.local_addr().expect("bound");
        for call in 0..20 {
            let request = format!(
                "OPTIONS sip:{border} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{call}\r\nMax-Forwards: 70\r\n\
                 From: <sip:x@x.example>;tag=1\r\nTo: <sip:{border}>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            client.send_to(request.as_bytes(), border).expect("sent");
            let mut buffer = [0; 2_000];
            let (length, from) = client.recv_from(&mut buffer).expect("an answer in time");
            let answer = String::from_utf8_lossy(&buffer[..length]);
            assert!(
                answer.starts_with("SIP/2.0 403 ") && answer.contains(&format!("Call-ID: {call}\r\n")),
                "{answer}"
            );
            assert_eq!(from, border);
        }
        core.stop();
        assert!(!core.events(100).is_empty(), "strangers are told");
        assert!(UdpSocket::bind(border).is_ok(), "the port is free");
    }
}
