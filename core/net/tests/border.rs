//! The real border behind real sockets, over IPv4 and IPv6.
//!
//! ```text
//! stranger          border (2 workers)
//!    | OPTIONS         |
//!    |---------------->|
//!    |             403 |   from the socket it came to
//!    |<----------------|
//! ```

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
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

/// Reads from *stream* until *count* messages without a body are there.
fn read_messages(stream: &mut TcpStream, count: usize) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4_000];
    while text.matches("\r\n\r\n").count() < count {
        let length = stream.read(&mut buffer).expect("bytes in time");
        assert!(length > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    text
}

#[test]
fn a_transaction_crosses_from_datagrams_to_a_connection_and_back() {
    for workers in [1, 2] {
        let target = TcpListener::bind("127.0.0.2:0").expect("a port");
        let address = target.local_addr().expect("bound");
        let document = serde_json::json!({
            "version": 1, "generation": 1, "node": {"name": "n", "domain": "border.example"},
            "keys": [{"id": 1, "secret": "00".repeat(32)}],
            "listeners": [
                {"id": "home_udp", "side": "home", "transport": "udp", "address": "127.0.0.1:0"},
                {"id": "peer_tcp", "side": "peer", "transport": "tcp", "address": "127.0.0.1:0"},
            ],
            "agreements": [{"id": "a", "trusted": true, "methods": ["MESSAGE"]}],
            "peers": [
                {"id": "home", "side": "home", "agreement": "a", "listeners": ["home_udp"], "sources": ["127.0.0.1"]},
                {"id": "peer", "side": "peer", "agreement": "a", "listeners": ["peer_tcp"], "sources": ["127.0.0.2"],
                 "targets": [{"id": "t", "address": address, "transport": "tcp"}]},
            ],
            "routes": [{"id": "r", "action": {"kind": "route", "to": [{"peer": "peer"}]}}],
        });
        let snapshot = Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot");
        let core = Core::new(snapshot, CoreConfig { workers, ..CoreConfig::default() }).expect("bound");
        core.start().expect("started");
        let border = core.listeners()[0].1;
        let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("an option");
        let source = client.local_addr().expect("bound");
        let mut connection = None;
        for call in 0..20 {
            let request = format!(
                "MESSAGE sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{call}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:x@x.example>;tag=1\r\nTo: <sip:b@b.example>\r\n\
                 Call-ID: {call}\r\nCSeq: 1 MESSAGE\r\n\r\n"
            );
            client.send_to(request.as_bytes(), border).expect("sent");
            let stream = connection.get_or_insert_with(|| {
                let (stream, _) = target.accept().expect("a connection");
                stream.set_read_timeout(Some(Duration::from_secs(10))).expect("an option");
                stream
            });
            let received = read_messages(stream, 1);
            assert!(
                received.starts_with("MESSAGE sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/TCP "),
                "{received}"
            );
            assert!(received.contains("Content-Length: 0\r\n"), "{received}");
            let copied = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
            let lines: Vec<&str> =
                received.lines().filter(|line| copied.iter().any(|name| line.starts_with(name))).collect();
            let answer = format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", lines.join("\r\n"));
            stream.write_all(answer.as_bytes()).expect("written");
            let mut buffer = [0; 2_000];
            let (length, _) = client.recv_from(&mut buffer).expect("an answer in time");
            let answer = String::from_utf8_lossy(&buffer[..length]);
            assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains(&format!("Call-ID: {call}\r\n")));
        }
        core.stop();
    }
}
