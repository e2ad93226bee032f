//! What the kernel holds for the sockets of a listener, asked for by the configuration and told by the statistics.

use std::net::UdpSocket;

use ibcf_net::{Core, CoreConfig};
use ibcf_sip::Snapshot;

/// A border that listens to datagrams, with such buffers, and to connections.
fn snapshot(generation: u64, udp: &str, tcp: &str, receive_buffer_bytes: u32) -> Snapshot {
    let document = serde_json::json!({
        "version": 1, "generation": generation, "node": {"name": "n", "domain": "a.example"},
        "keys": [{"id": 1, "secret": "00".repeat(32)}],
        "unknown_source": {"reject": false, "answers_per_second": 0},
        "listeners": [
            {"id": "home_tcp", "side": "home", "transport": "tcp", "address": tcp},
            {"id": "peer_udp", "side": "peer", "transport": "udp", "address": udp,
             "receive_buffer_bytes": receive_buffer_bytes, "send_buffer_bytes": 70_000},
        ],
        "agreements": [], "peers": [], "routes": [],
    });
    Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot")
}

fn samples(core: &Core, name: &str) -> Vec<(Vec<String>, f64)> {
    let family = core.statistics().into_iter().find(|family| family.name == name).expect("exported");
    family.samples.into_iter().map(|sample| (sample.labels, sample.value)).collect()
}

fn both_ways(receive: f64) -> Vec<(Vec<String>, f64)> {
    let labels = |direction: &str| vec!["peer_udp".to_owned(), direction.to_owned()];
    vec![(labels("receive"), receive), (labels("send"), 70_000.0)]
}

#[test]
fn what_was_asked_and_what_was_given_are_told_and_follow_a_reload() {
    let config = CoreConfig { workers: 2, ..CoreConfig::default() };
    let core = Core::new(snapshot(1, "127.0.0.1:0", "127.0.0.1:0", 90_000), config).expect("bound");
    for name in ["ibcf_socket_buffer_bytes", "ibcf_socket_buffer_asked_bytes"] {
        assert_eq!(samples(&core, name), both_ways(90_000.0), "{name}");
    }
    core.start().expect("started");
    core.apply(snapshot(2, "127.0.0.1:0", "127.0.0.1:0", 100_000)).expect("applied");
    for name in ["ibcf_socket_buffer_bytes", "ibcf_socket_buffer_asked_bytes"] {
        assert_eq!(samples(&core, name), both_ways(100_000.0), "{name} after a reload");
    }
    core.stop();
    assert!(samples(&core, "ibcf_socket_buffer_bytes").is_empty(), "a border that stopped has no sockets");
}

#[test]
fn datagrams_that_find_the_sockets_full_are_counted_over_all_workers() {
    let config = CoreConfig { workers: 2, ..CoreConfig::default() };
    let core = Core::new(snapshot(1, "127.0.0.1:0", "127.0.0.1:0", 4_096), config).expect("bound");
    let drops = || samples(&core, "ibcf_socket_receive_drops_total");
    assert_eq!(drops(), [(vec!["peer_udp".to_owned()], 0.0)]);
    let border = core.listeners()[1].1;
    // Nobody reads before the start, and so many sources reach both sockets.
    for _ in 0..32 {
        let here = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for _ in 0..20 {
            here.send_to(&[b'x'; 1_000], border).expect("loopback takes everything");
        }
    }
    // What was sent may still be on its way through the kernel, so both counts are read until they add up.
    core.start().expect("started");
    let received = || {
        let counts = samples(&core, "ibcf_transport_datagrams_total");
        counts.into_iter().find(|(labels, _)| labels[0] == "received").map_or(0.0, |(_, count)| count)
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while received() + drops()[0].1 < 640.0 {
        assert!(std::time::Instant::now() < end, "{} received and {:?} dropped of 640", received(), drops());
        std::thread::yield_now();
    }
    assert_eq!(drops(), [(vec!["peer_udp".to_owned()], 640.0 - received())]);
    assert!(received() < 340.0, "{} of 640 found room", received());
}
