//! How connections begin and end: limits, deadlines, broken streams, slow readers, reloads.

use super::*;
use socket2::{Domain, Socket, Type};

#[test]
fn a_broken_stream_is_answered_and_then_closed() {
    let running = Running::start(2, |_| {});
    for (bytes, answer) in [
        (
            "BYE sip:b SIP/2.0\r\nCall-ID: 7\r\n\r\n",
            "400 33 is missing, and only it says where a message in a stream ends",
        ),
        (
            "BYE sip:b SIP/2.0\r\nl: 4294967296\r\n\r\n",
            "513 36 the message is longer than limits.message_bytes_max",
        ),
        ("GET / HTTP/1.1\r\n", "400 0 the first line is neither a request line nor a status line"),
        ("\x16\x03\x01", "400 0 this byte begins no SIP message"),
    ] {
        let mut client = running.client();
        // More than is read at a time: a close that does not wait would reset the connection before the answer is read.
        client.send(&format!("{bytes}{}", "z".repeat(300_000)));
        assert_eq!(client.body(), answer);
        assert!(client.is_ended());
    }
    running.wait_for("closed_framing", 4);
}

#[test]
fn a_body_that_ends_with_the_stream_is_answered() {
    let running = Running::start(1, |_| {});
    let mut client = running.client();
    let message = sip("BYE", "c", "body");
    client.send(&message[..message.len() - 1]);
    client.stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    let expected = format!("400 {} the body is shorter than Content-Length", message.len() - 4);
    assert_eq!(client.body(), expected);
    assert!(client.is_ended());
}

#[test]
fn a_message_that_comes_too_slowly_ends_its_connection() {
    let running = Running::start(1, |document| document["limits"]["connection_step_ms_max"] = json!(100));
    let mut client = running.client();
    let message = sip("BYE", "c", "body");
    client.send(&message[..message.len() - 1]);
    let expected = format!("400 {} the body is shorter than Content-Length", message.len() - 4);
    assert_eq!(client.body(), expected);
    assert!(client.is_ended());
    let mut client = running.client();
    client.send("BYE sip:b");
    assert!(client.is_ended(), "nothing to answer");
    drop(client);
    running.wait_for("closed_timeout", 2);
    // A byte now and then does not help.
    let mut client = running.client();
    let started = Instant::now();
    while client.stream.write_all(b"B").is_ok() && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10)); // the pace of the attacker, not a timer of ours
    }
    assert!(started.elapsed() < PATIENCE / 2);
    running.wait_for("closed_timeout", 3);
}

#[test]
fn a_connection_on_which_nothing_passes_is_closed_and_one_that_pings_is_not() {
    let running = Running::start(1, |document| document["limits"]["connection_idle_ms_max"] = json!(300));
    let (mut idle, mut pinging) = (running.client(), running.client());
    let started = Instant::now();
    while running.result("closed_idle") == 0 {
        pinging.send("\r\n\r\n");
        pinging.more();
        assert!(started.elapsed() < PATIENCE);
    }
    assert!(idle.is_ended());
    assert!(started.elapsed() >= Duration::from_millis(290));
    pinging.buffer.clear();
    pinging.send(&sip("X", "c", ""));
    assert!(pinging.message().ends_with("0 X"));
    assert_eq!(running.result("closed_idle"), 1);
}

#[test]
fn a_reader_that_does_not_read_is_closed_at_the_bound_and_its_requests_come_back() {
    let running =
        Running::start(1, |document| document["limits"]["connection_queue_bytes_max"] = json!(100_000));
    let (listener, address) = listening();
    let mut client = running.client();
    let send = to("SEND", &format!("sip:{address}"), "c", "").replace("\r\n\r\n", "\r\nX: 60000\r\n\r\n");
    let started = Instant::now();
    while running.result("closed_slow") == 0 {
        client.send(&send);
        assert!(started.elapsed() < PATIENCE);
    }
    assert_eq!(client.body(), format!("unreachable {address} NOTE"));
    // What is left are the answers to the client, who reads on.
    assert!(running.metric("ibcf_connection_queue_bytes", &[]) < 100_000, "what was given up waits no more");
    drop(listener);
}

#[test]
fn a_peer_has_as_many_connections_as_agreed_both_ways_together() {
    for workers in [1, 2] {
        let running =
            Running::start(workers, |document| document["peers"][0]["limits"]["connections_max"] = json!(2));
        let mut clients = [running.client(), running.client()];
        for client in &mut clients {
            assert_eq!(&client.ask(&sip("X", "c", ""))[1..], " X");
        }
        assert!(running.client().is_ended());
        running.wait_for("refused_limit", 1);
        let (_listener, address) = listening();
        let answer = clients[0].ask(&to("SEND", &format!("sip:{address}"), "c", ""));
        assert_eq!(answer, format!("unreachable {address} NOTE"));
        let [mut first, second] = clients;
        drop(second);
        running.wait_for("closed_peer", 1);
        assert_eq!(&running.client().ask(&sip("X", "c", ""))[1..], " X", "a place was given back");
        assert_eq!(&first.ask(&sip("X", "c", ""))[1..], " X");
    }
}

#[test]
fn the_node_has_a_bound_over_all_workers() {
    let running = Running::start(2, |document| document["limits"]["connections_max"] = json!(3));
    assert_eq!(running.metric("ibcf_connections_limit", &[]), 3);
    let mut clients: Vec<Client> = (0..3).map(|_| running.client()).collect();
    for client in &mut clients {
        client.ask(&sip("X", "c", ""));
    }
    assert!(running.client().is_ended());
    running.wait_for("refused_limit", 1);
}

#[test]
fn a_stranger_is_reset_or_heard_once_as_the_policy_says() {
    let strangers = |document: &mut Value| document["peers"][0]["sources"] = json!(["192.0.2.1"]);
    let silent = Running::start(1, |document| {
        strangers(document);
        document["unknown_source"] = json!({"reject": false});
    });
    assert!(silent.client().is_ended());
    assert_eq!(silent.metric("ibcf_connections_total", &["unknown", "refused_unknown"]), 1);
    let telling = Running::start(1, |document| {
        strangers(document);
        document["limits"]["connection_step_ms_max"] = json!(200);
    });
    let mut client = telling.client();
    assert_eq!(client.ask(&sip("X", "c", "")), "0 X");
    assert!(client.is_ended(), "whatever it does, it may not stay");
    assert_eq!(telling.metric("ibcf_connections_total", &["unknown", "accepted"]), 1);
    telling.wait_for("closed_timeout", 1);
    let many: Vec<Client> = (0..80).map(|_| telling.client()).collect();
    let until = Instant::now() + PATIENCE;
    while telling.metric("ibcf_connections_total", &["unknown", "refused_limit"]) == 0 {
        assert!(Instant::now() < until, "only a few of them at a time");
        std::thread::yield_now();
    }
    drop(many);
}

#[test]
fn a_connection_that_cannot_be_made_in_time_is_given_up() {
    let running = Running::start(1, |document| document["limits"]["connection_step_ms_max"] = json!(300));
    // A full backlog drops what comes, as a firewall would.
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    full.listen(0).expect("listening");
    let address = full.local_addr().expect("bound").as_socket().expect("an address");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the backlog never fills");
    }
    let mut client = running.client();
    let answer = client.ask(&to("SEND", &format!("sip:{address}"), "c", ""));
    assert_eq!(answer, format!("unreachable {address} NOTE"));
    assert_eq!(running.result("connect_failed"), 1);
}

#[test]
fn a_reload_closes_connections_of_who_is_gone_and_shortens_the_idle_time_of_the_others() {
    let mut running = Running::start(1, |_| {});
    let mut client = running.client();
    client.ask(&sip("X", "c", ""));
    running.reload(|_| {});
    assert_eq!(client.ask(&sip("X", "c", "")), "0 X", "nothing changed for it");
    running.reload(|document| document["limits"]["connection_idle_ms_max"] = json!(50));
    assert!(client.is_ended());
    running.wait_for("closed_idle", 1);
    running.reload(|document| document["limits"]["connection_idle_ms_max"] = json!(60_000));
    let mut client = running.client();
    client.ask(&sip("X", "c", ""));
    running.reload(|document| document["peers"] = json!([]));
    assert!(client.is_ended());
    running.wait_for("closed_reload", 1);
}

#[test]
fn accepting_goes_on_while_draining_and_ends_with_the_stop() {
    let running = Running::start(2, |_| {});
    running.core.drain().expect("carried out");
    let mut client = running.client();
    assert_eq!(&client.ask(&sip("X", "c", ""))[1..], " X");
    let address = running.core.listeners()[0].1;
    running.core.stop();
    assert!(client.is_ended());
    assert!(TcpStream::connect(address).is_err());
    TcpListener::bind(address).expect("the port is free");
}

#[test]
fn a_reset_is_counted_and_frees_the_place() {
    let running = Running::start(1, |_| {});
    let mut client = running.client();
    client.ask(&sip("X", "c", ""));
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).expect("an option");
    drop(client);
    running.wait_for("closed_error", 1);
    assert_eq!(running.metric("ibcf_connections_active", &["p", "tcp"]), 0);
}
