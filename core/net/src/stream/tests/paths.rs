//! Which way messages take: the same connection, a shared one, a new one, or back.

use super::*;

#[test]
fn messages_cut_anywhere_are_answered_in_order_on_their_connection() {
    let running = Running::start(1, |_| {});
    let mut client = running.client();
    for byte in sip("ONE", "c", "a body").as_bytes() {
        client.stream.write_all(&[*byte]).expect("written");
    }
    assert_eq!(client.body(), "0 ONE");
    let both = format!("{}{}", sip("TWO", "c", ""), sip("THREE", "c", "body"));
    let (first, second) = both.split_at(both.len() - 2);
    client.send(first);
    assert_eq!(client.body(), "0 TWO");
    client.send(second);
    assert_eq!(client.body(), "0 THREE");
    assert_eq!(running.metric("ibcf_connections_active", &["p", "tcp"]), 1);
    drop(client);
    running.wait_for("closed_peer", 1);
    assert_eq!(running.metric("ibcf_transport_stream_messages_total", &["received"]), 3);
    assert_eq!(running.metric("ibcf_transport_stream_messages_total", &["sent"]), 3);
    let bytes = sip("ONE", "c", "a body").len() + both.len();
    assert_eq!(running.metric("ibcf_transport_stream_bytes_total", &["received"]), bytes as u64);
    assert_eq!(running.metric("ibcf_connections_active", &["p", "tcp"]), 0);
    assert_eq!(running.result("accepted"), 1);
}

#[test]
fn a_ping_is_answered_and_a_single_line_end_is_not() {
    let running = Running::start(1, |_| {});
    let mut client = running.client();
    client.send("\r\n\r\n");
    while client.buffer.len() < 2 {
        client.more();
    }
    assert_eq!(client.buffer, b"\r\n");
    client.buffer.clear();
    client.send("\r\n");
    assert_eq!(client.ask(&sip("X", "c", "")), "0 X", "nothing came before");
}

#[test]
fn messages_of_one_connection_reach_the_owners_of_their_calls_and_the_answers_come_back() {
    for workers in [2, 3] {
        let running = Running::start(workers, |_| {});
        let mut client = running.client();
        let mut seen = [0; 3];
        for call in 0..60 {
            let answer = client.ask(&sip("X", &format!("{call}@a.example"), ""));
            seen[usize::from(answer.as_bytes()[0] - b'0')] += 1;
        }
        assert!(seen[..workers].iter().all(|count| *count > 5), "{seen:?}");
        assert!(running.metric("ibcf_transport_handovers_total", &[]) > 0);
    }
}

#[test]
fn requests_to_one_target_share_a_connection_whichever_worker_sends_them() {
    for workers in [1, 2] {
        let running = Running::start(workers, |_| {});
        let (listener, address) = listening();
        let mut client = running.client();
        let mut target = None;
        for call in 0..20 {
            client.send(&to("SEND", &format!("sip:{address}"), &format!("{call}@a"), ""));
            let target = target.get_or_insert_with(|| Client::accept(&listener));
            assert_eq!(header(&target.message(), "Call-ID"), Some(format!("{call}@a")));
        }
        assert_eq!(running.result("connected"), 1);
        let peer = target.expect("connected").stream.peer_addr().expect("connected");
        let border = running.core.listeners()[0].1;
        assert_eq!(peer.ip(), border.ip(), "from the listener's address");
        assert_ne!(peer.port(), border.port());
    }
}

#[test]
fn what_nobody_takes_comes_back_as_unreachable() {
    for workers in [1, 2] {
        let running = Running::start(workers, |_| {});
        let mut client = running.client();
        for call in 0..8 {
            let nobody = nobody();
            let answer = client.ask(&to("SEND", &format!("sip:{nobody}"), &call.to_string(), ""));
            assert_eq!(answer, format!("unreachable {nobody} NOTE"));
        }
        assert_eq!((running.result("connect_failed"), running.result("connected")), (8, 0));
        assert_eq!(running.metric("ibcf_connections_active", &["p"]), 1, "the client's");
    }
}

#[test]
fn a_target_that_closed_its_connection_is_connected_to_again() {
    let running = Running::start(1, |_| {});
    let (listener, address) = listening();
    let mut client = running.client();
    for round in 1..4 {
        client.send(&to("SEND", &format!("sip:{address}"), "c", ""));
        let mut target = Client::accept(&listener);
        target.message();
        drop(target);
        running.wait_for("closed_peer", round);
    }
    assert_eq!(running.result("connected"), 3);
}

#[test]
fn a_request_may_leave_on_a_connection_that_stands_for_its_target() {
    for workers in [1, 2, 3] {
        let running = Running::start(workers, |_| {});
        let (listener, address) = listening();
        let (mut client, mut alias) = (running.client(), running.client());
        alias.ask(&to("ALIAS", &format!("sip:{address}"), "x", ""));
        // Another worker may have to hear of it, for which nothing is waited: until then requests open a connection.
        listener.set_nonblocking(true).expect("an option");
        alias.stream.set_read_timeout(Some(Duration::from_millis(20))).expect("an option");
        let until = Instant::now() + PATIENCE;
        let mut bytes = [0; 1_000];
        loop {
            client.send(&to("SEND", &format!("sip:{address}"), "c", ""));
            if alias.stream.read(&mut bytes).is_ok_and(|length| length > 0) {
                break;
            }
            drop(listener.accept());
            assert!(Instant::now() < until, "no request on the connection");
        }
        assert!(bytes.starts_with(b"NOTE "));
        // Once it is gone, a connection of our own takes its place.
        drop(alias);
        running.wait_for("closed_peer", running.result("closed_peer").max(1));
        listener.set_nonblocking(false).expect("an option");
        client.send(&to("SEND", &format!("sip:{address}"), "last", ""));
        let mut target = Client::accept(&listener);
        while header(&target.message(), "Call-ID").as_deref() != Some("last") {}
    }
}

#[test]
fn an_answer_whose_connection_is_gone_goes_to_a_new_one() {
    for workers in [1, 2] {
        let running = Running::start(workers, |_| {});
        let (listener, address) = listening();
        let (mut asking, mut other) = (running.client(), running.client());
        asking.send(&to("LATER", &format!("sip:{address}"), "c", ""));
        assert_eq!(&asking.ask(&sip("X", "c", ""))[1..], " X");
        drop(asking);
        running.wait_for("closed_peer", 1);
        other.send(&sip("NOW", "c", ""));
        assert_eq!(Client::accept(&listener).body(), "late");
    }
}

#[test]
fn an_answer_that_can_go_nowhere_is_dropped_and_counted() {
    let running = Running::start(1, |_| {});
    let (mut asking, mut other) = (running.client(), running.client());
    asking.send(&to("LATER", &format!("sip:{}", nobody()), "c", ""));
    asking.ask(&sip("X", "c", ""));
    drop(asking);
    running.wait_for("closed_peer", 1);
    other.send(&sip("NOW", "c", ""));
    running.wait_for("connect_failed", 1);
    assert_eq!(other.ask(&sip("X", "c", "")), "0 X");
    assert_eq!(running.metric("ibcf_queue_dropped_total", &["send"]), 1);
}

#[test]
fn what_was_sent_before_the_other_end_was_done_is_answered() {
    let running = Running::start(1, |_| {});
    let mut client = running.client();
    client.send(&sip("LAST", "c", ""));
    client.stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_eq!(client.body(), "0 LAST");
    assert!(client.is_ended());
    running.wait_for("closed_peer", 1);
}

#[test]
fn connections_run_over_ipv6_as_over_ipv4() {
    let running = Running::start(2, |document| {
        document["listeners"][0]["address"] = json!("[::1]:0");
        document["peers"][0]["sources"] = json!(["::1"]);
    });
    let listener = TcpListener::bind("[::1]:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut client = running.client();
    client.send(&to("SEND", &format!("sip:{address}"), "c", ""));
    let mut target = Client::accept(&listener);
    assert!(target.message().starts_with("NOTE "));
    assert_eq!(target.stream.peer_addr().expect("connected").ip(), address.ip());
    assert_eq!(&target.ask(&sip("X", "c", ""))[1..], " X", "requests may come on it too");
    drop((listener, target));
    running.wait_for("closed_peer", 1);
    assert_eq!(
        client.ask(&to("SEND", &format!("sip:{address}"), "c", "")),
        format!("unreachable {address} NOTE")
    );
}
