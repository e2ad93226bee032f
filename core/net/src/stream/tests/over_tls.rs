//! The same over TLS: whom we believe, who believes us, and what a renewed certificate or a new list changes.

use super::*;
use crate::tls::testing::{Authority, Pem};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Everything that both ends need: each has an authority, ours signed `a.example`, theirs `b.example`.
struct World {
    ours: Authority,
    theirs: Authority,
}

impl World {
    fn new() -> Self {
        Self { ours: Authority::new("ours"), theirs: Authority::new("theirs") }
    }

    fn own(&self) -> Pem {
        self.ours.issue_pem("a.example", 1, -1, 1)
    }

    /// A border with a TLS listener, and peer `p` that proves itself as `b.example`.
    fn border(&self, workers: usize) -> Running {
        let own = self.own();
        Running::start(workers, |document| {
            document["tls"] = json!([{"id": "own", "certificates": own.certificate, "private_key": own.key}]);
            document["listeners"][0]["transport"] = json!("tls");
            document["listeners"][0]["tls"] = json!("own");
            document["peers"][0]["sources"] = json!([]);
            document["peers"][0]["tls"] =
                json!({"identities": ["b.example"], "authorities": self.theirs.pem(), "revocations": ""});
            document["limits"]["connection_step_ms_max"] = json!(2_000);
        })
    }

    fn roots(authority: &Authority) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("a root");
        roots
    }

    /// A client that shows *shown*.
    fn client(&self, running: &Running, shown: &Pem) -> Tls<ClientConnection> {
        let (chain, key) = read(shown);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(Self::roots(&self.ours))
            .with_client_auth_cert(chain, key)
            .expect("a key");
        let name = "a.example".try_into().expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        Tls::over(session, running.client().stream)
    }
}

fn read(pem: &Pem) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(pem.certificate.as_bytes()).collect::<Result<_, _>>();
    (chain.expect("PEM"), PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).expect("PEM"))
}

/// The other end of a session.
struct Tls<S>(StreamOwned<S, TcpStream>)
where
    StreamOwned<S, TcpStream>: Read + Write;

impl<S> Tls<S>
where
    StreamOwned<S, TcpStream>: Read + Write,
    S: std::ops::DerefMut,
{
    fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.0.write_all(text.as_bytes())?;
        self.0.flush()
    }

    /// Reads until *end* is there.
    fn hear(&mut self, end: &str) -> std::io::Result<String> {
        let (mut heard, mut bytes) = (String::new(), [0; 4_096]);
        while !heard.ends_with(end) {
            match self.0.read(&mut bytes)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => heard.push_str(&String::from_utf8_lossy(&bytes[..length])),
            }
        }
        Ok(heard)
    }

    fn ask(&mut self, text: &str, end: &str) -> std::io::Result<String> {
        self.say(text)?;
        self.hear(end)
    }
}

impl Tls<ClientConnection> {
    fn over(session: ClientConnection, stream: TcpStream) -> Self {
        Self(StreamOwned::new(session, stream))
    }
}

/// Waits for the alarm that a handshake failed, and returns what it says.
fn alarm(running: &Running) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        for event in running.core.events(100) {
            if let ibcf_sip::event::Event::Alarm { name: "tls_handshake_failed", detail, .. } = event {
                return detail;
            }
        }
        assert!(Instant::now() < until, "no alarm");
        std::thread::yield_now();
    }
}

#[test]
fn a_peer_that_proves_itself_is_served_whatever_its_address() {
    let world = World::new();
    let running = world.border(2);
    let mut client = world.client(&running, &world.theirs.issue_pem("sip:b.example", 5, -1, 1));
    for call in 0..20 {
        let answer = client.ask(&sip("HELLO", &format!("c{call}"), ""), " HELLO").expect("an answer");
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }
    // Longer than a record of TLS, and than what is read at a time.
    let long = "x".repeat(60_000);
    assert!(client.ask(&sip("LONG", "c", &long), " LONG").is_ok());
    assert_eq!(client.ask("\r\n\r\n", "\r\n").expect("a pong"), "\r\n");
    assert_eq!(running.result("accepted"), 1);
    assert_eq!(running.metric("ibcf_connections_total", &["p", "tls", "accepted"]), 1);
    assert_eq!(running.metric("ibcf_connections_active", &["p", "tls"]), 1);
    assert_eq!(running.metric("ibcf_connections_active", &["unknown"]), 0);
    client.0.conn.send_close_notify();
    client.say("").expect("a farewell");
    running.wait_for("closed_peer", 1);
    assert_eq!(running.metric("ibcf_connections_active", &["p", "tls"]), 0);
}

#[test]
fn who_proves_nothing_is_refused_counted_and_told() {
    let world = World::new();
    let running = world.border(1);
    let shown = world.theirs.issue_pem("sip:c.example", 5, -1, 1);
    let refused = world.client(&running, &shown).ask(&sip("HELLO", "c", ""), " HELLO");
    assert!(refused.is_err(), "{refused:?}");
    running.wait_for("handshake_failed", 1);
    assert_eq!(running.metric("ibcf_tls_handshake_failures_total", &["identity"]), 1);
    let told = alarm(&running);
    assert!(
        told.contains("on listener \"l\": its certificate names no identity of the peer (identity)"),
        "{told}"
    );
    // What is no TLS at all.
    let mut plain = running.client();
    plain.send(&sip("HELLO", "c", ""));
    assert!(plain.more() > 0, "an alert");
    running.wait_for("handshake_failed", 2);
    assert_eq!(running.metric("ibcf_tls_handshake_failures_total", &["protocol"]), 1);
    assert_eq!(running.metric("ibcf_connections_active", &[]), 0);
}

#[test]
fn a_handshake_that_does_not_go_on_ends_in_time() {
    let world = World::new();
    let running = world.border(1);
    let mut silent = running.client();
    silent.send("\x16\x03\x01");
    let started = Instant::now();
    assert!(silent.is_ended());
    assert!(started.elapsed() >= Duration::from_millis(1_900));
    running.wait_for("handshake_failed", 1);
}

/// A server at the other end that shows *shown* and asks for a certificate; it answers every message once.
fn server(
    world: &World,
    listener: TcpListener,
    shown: &Pem,
    sessions: usize,
) -> std::thread::JoinHandle<usize> {
    let (chain, key) = read(shown);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(World::roots(&world.ours));
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a key");
    let config = Arc::new(config);
    std::thread::spawn(move || {
        let mut served = 0;
        for _ in 0..sessions {
            let stream = Client::accept(&listener).stream;
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut tls = Tls(StreamOwned::new(session, stream));
            served += usize::from(tls.hear("\r\n\r\n").is_ok_and(|heard| heard.starts_with("NOTE")));
        }
        served
    })
}

#[test]
fn a_request_leaves_over_a_session_with_the_peer_that_is_meant() {
    let world = World::new();
    let running = world.border(2);
    let (listener, address) = listening();
    let there = server(&world, listener, &world.theirs.issue_pem("sip:b.example", 6, -1, 1), 1);
    let mut client = world.client(&running, &world.theirs.issue_pem("sip:b.example", 5, -1, 1));
    client.say(&to("SEND", &format!("sip:{address}"), "c", "")).expect("sent");
    assert_eq!(there.join().expect("no panic"), 1);
    assert_eq!(running.metric("ibcf_connections_total", &["p", "tls", "connected"]), 1);
}

#[test]
fn a_request_to_somebody_else_comes_back() {
    let world = World::new();
    let running = world.border(1);
    let (listener, address) = listening();
    let there = server(&world, listener, &world.theirs.issue_pem("sip:c.example", 6, -1, 1), 1);
    let mut client = world.client(&running, &world.theirs.issue_pem("sip:b.example", 5, -1, 1));
    let answer = client.ask(&to("SEND", &format!("sip:{address}"), "c", ""), "NOTE").expect("an answer");
    assert!(answer.contains(&format!("unreachable {address} NOTE")), "{answer}");
    assert_eq!(there.join().expect("no panic"), 0);
    assert_eq!(running.metric("ibcf_tls_handshake_failures_total", &["identity"]), 1);
    let told = alarm(&running);
    assert!(told.starts_with(&format!("connection to {address}")), "{told}");
}

#[test]
fn a_renewed_certificate_serves_the_next_connection_and_leaves_the_others_up() {
    let world = World::new();
    let mut running = world.border(1);
    let shown = world.theirs.issue_pem("sip:b.example", 5, -1, 1);
    let mut before = world.client(&running, &shown);
    assert!(before.ask(&sip("HELLO", "c", ""), " HELLO").is_ok());
    let first = before.0.conn.peer_certificates().expect("a chain")[0].clone();
    let renewed = world.own();
    running.reload(|document| {
        document["tls"][0]["certificates"] = json!(renewed.certificate);
        document["tls"][0]["private_key"] = json!(renewed.key);
    });
    assert!(before.ask(&sip("STILL", "c", ""), " STILL").is_ok());
    let mut after = world.client(&running, &shown);
    assert!(after.ask(&sip("HELLO", "c", ""), " HELLO").is_ok());
    assert_ne!(after.0.conn.peer_certificates().expect("a chain")[0], first);
    assert_eq!((running.result("accepted"), running.result("closed_reload")), (2, 0));
}

#[test]
fn what_a_new_list_revokes_is_closed_at_once_and_refused_from_then_on() {
    let world = World::new();
    let mut running = world.border(1);
    let (good, bad) = (
        world.theirs.issue_pem("sip:b.example", 5, -1, 1),
        world.theirs.issue_pem("sip:b.example", 6, -1, 1),
    );
    let (mut stays, mut goes) = (world.client(&running, &good), world.client(&running, &bad));
    assert!(stays.ask(&sip("HELLO", "c", ""), " HELLO").is_ok());
    assert!(goes.ask(&sip("HELLO", "c", ""), " HELLO").is_ok());
    running.reload(|document| document["peers"][0]["tls"]["revocations"] = json!(world.theirs.revoke(&[6])));
    running.wait_for("closed_reload", 1);
    assert!(goes.ask(&sip("HELLO", "c", ""), " HELLO").is_err());
    assert!(stays.ask(&sip("STILL", "c", ""), " STILL").is_ok());
    assert!(world.client(&running, &bad).ask(&sip("HELLO", "c", ""), " HELLO").is_err());
    running.wait_for("handshake_failed", 1);
    assert_eq!(running.metric("ibcf_tls_handshake_failures_total", &["revoked"]), 1);
}

#[test]
fn a_reload_with_a_key_of_another_certificate_leaves_everything_as_it_is() {
    let world = World::new();
    let running = world.border(1);
    let mut document = running.document.clone();
    document["tls"][0]["private_key"] = json!(world.own().key);
    let snapshot = Snapshot::load(document.to_string().as_bytes()).expect("good but for the key");
    let refused = running.core.apply(snapshot).expect_err("refused").to_string();
    assert_eq!(refused, "tls[own].private_key: is not the key of the certificate");
    let mut client = world.client(&running, &world.theirs.issue_pem("sip:b.example", 5, -1, 1));
    assert!(client.ask(&sip("HELLO", "c", ""), " HELLO").is_ok());
}
