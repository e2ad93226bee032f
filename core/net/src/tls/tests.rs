//! Handshakes in memory, between our contexts and a peer that shows what it likes.

use std::sync::Arc;

use ibcf_sip::Snapshot;
use ibcf_sip::rewrite::peer_tag;
use ibcf_sip::snapshot::ListenerIndex;
use rustls::{Connection, Error};
use serde_json::{Value, json};

use super::testing::{Authority, Pem, self_signed};
use super::{Cause, TlsContexts};

const TLS: ListenerIndex = ListenerIndex(0);

/// A border with the certificate *own* and one peer, `b.example`, whose certificates *authority* signs.
fn document(own: &Pem, authority: &str, revocations: &str) -> Value {
    json!({
        "version": 1, "generation": 1, "node": {"name": "n", "domain": "a.example"},
        "keys": [{"id": 1, "secret": "00".repeat(32)}],
        "tls": [{"id": "own", "certificates": own.certificate, "private_key": own.key}],
        "listeners": [{"id": "l", "side": "peer", "transport": "tls", "address": "127.0.0.1:0", "tls": "own"}],
        "agreements": [{"id": "x", "trusted": false, "methods": []}],
        "peers": [{"id": "b", "side": "peer", "agreement": "x", "listeners": ["l"], "sources": [],
            "tls": {"identities": ["sip:B.example"], "authorities": authority, "revocations": revocations}}],
        "routes": [],
    })
}

fn contexts(document: &Value) -> Result<TlsContexts, String> {
    let snapshot = Snapshot::load(document.to_string().as_bytes()).map_err(|error| error.to_string())?;
    TlsContexts::build(&snapshot).map_err(|error| error.to_string())
}

/// Two borders that face each other: ours, `a.example`, and that of the peer, which shows *shown*.
struct Pair {
    ours: TlsContexts,
    theirs: TlsContexts,
}

impl Pair {
    /// *believed* and *revocations* are what ours knows of the peer.
    fn new(shown: &Pem, believed: &Authority, revocations: &str) -> Self {
        let own_authority = Authority::new("authority of a");
        let own = own_authority.issue_pem("sip:a.example", 7, -1, 1);
        let ours = contexts(&document(&own, &believed.pem(), revocations)).expect("good");
        let mut theirs = document(shown, &own_authority.pem(), "");
        theirs["peers"][0]["tls"]["identities"] = json!(["a.example"]);
        Self { ours, theirs: contexts(&theirs).expect("good") }
    }

    /// What each end says of the handshake, ours first: the peer that it proved, or the label of the failure.
    fn outcomes(&self, is_ours_client: bool) -> [Result<Option<u32>, Cause>; 2] {
        let (client, server) =
            if is_ours_client { (&self.ours, &self.theirs) } else { (&self.theirs, &self.ours) };
        let mut client_end =
            Connection::from(client.connect(TLS, peer_tag("b")).expect("a peer").expect("a session"));
        let mut server_end = Connection::from(server.accept(TLS).expect("a listener").expect("a session"));
        let (mut of_client, mut of_server) = (Ok(()), Ok(()));
        for _ in 0..10 {
            of_server = of_server.and(pass(&mut client_end, &mut server_end));
            of_client = of_client.and(pass(&mut server_end, &mut client_end));
        }
        let told = |outcome: Result<(), Error>, contexts: &TlsContexts, end: &Connection| {
            outcome.map(|()| contexts.proven_peer(end)).map_err(|error| Cause::of(&error))
        };
        let client = told(of_client, client, &client_end);
        let server = told(of_server, server, &server_end);
        if is_ours_client { [client, server] } else { [server, client] }
    }
}

/// Carries what *from* wants to send over to *to*.
fn pass(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).expect("memory");
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).expect("memory");
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn both_ends_prove_who_they_are_in_either_role() {
    let authority = Authority::new("authority of b");
    let shown = authority.issue_pem("sip:b.example", 1, -1, 1);
    let pair = Pair::new(&shown, &authority, &authority.revoke(&[2]));
    for is_ours_client in [true, false] {
        assert_eq!(pair.outcomes(is_ours_client), [Ok(Some(peer_tag("b"))); 2], "client: {is_ours_client}");
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_with_its_cause() {
    let (authority, stranger) = (Authority::new("authority of b"), Authority::new("another"));
    let good = || authority.issue_pem("sip:b.example", 1, -1, 1);
    let none = String::new();
    for (shown, revocations, expected) in [
        (authority.issue_pem("sip:c.example", 1, -1, 1), none.clone(), Cause::Identity),
        (authority.issue_pem("sip:b.example", 1, -9, -2), none.clone(), Cause::Expired),
        (authority.issue_pem("sip:b.example", 1, 2, 9), none.clone(), Cause::NotYetValid),
        (stranger.issue_pem("sip:b.example", 1, -1, 1), none.clone(), Cause::UnknownAuthority),
        (self_signed("sip:b.example"), none.clone(), Cause::UnknownAuthority),
        (good(), authority.revoke(&[1]), Cause::Revoked),
    ] {
        let pair = Pair::new(&shown, &authority, &revocations);
        for is_ours_client in [true, false] {
            let [ours, theirs] = pair.outcomes(is_ours_client);
            assert_eq!(ours, Err(expected));
            // Of TLS 1.3, a client is done before the server has judged its certificate: then the alert tells it.
            assert_eq!(theirs, Err(Cause::Alert), "{expected:?}");
        }
    }
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let authority = Authority::new("authority of b");
    let pair = Pair::new(&authority.issue_pem("sip:b.example", 1, -1, 1), &authority, "");
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(authority.issue(super::testing::Names { uris: &[], dns: &["x"] }).0[0].clone())
        .expect("a root");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(super::profile()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(super::OnePeer {
            proof: Arc::new(super::Proof {
                tag: 0,
                identities: vec!["a.example".to_owned()],
                anchors: pair.theirs.peers.proofs[0].anchors.clone(),
                revocations: Vec::new(),
            }),
            algorithms: super::profile().signature_verification_algorithms,
        }))
        .with_no_client_auth();
    let name = "b.example".try_into().expect("a name");
    let mut client =
        Connection::from(rustls::ClientConnection::new(Arc::new(config), name).expect("a session"));
    let mut server = Connection::from(pair.ours.accept(TLS).expect("a listener").expect("a session"));
    let mut outcome = Ok(());
    for _ in 0..10 {
        outcome = outcome.and(pass(&mut client, &mut server));
        drop(pass(&mut server, &mut client));
    }
    assert_eq!(outcome.map_err(|error| Cause::of(&error)), Err(Cause::NoCertificate));
    assert_eq!(pair.ours.proven_peer(&server), None);
}

#[test]
fn a_session_is_believed_only_as_long_as_the_snapshot_does() {
    let authority = Authority::new("authority of b");
    let shown = authority.issue_pem("sip:b.example", 1, -1, 1);
    let pair = Pair::new(&shown, &authority, "");
    let mut client =
        Connection::from(pair.theirs.connect(TLS, peer_tag("b")).expect("a peer").expect("a session"));
    let mut server = Connection::from(pair.ours.accept(TLS).expect("a listener").expect("a session"));
    assert_eq!(pair.ours.proven_peer(&server), None, "before the handshake");
    for _ in 0..10 {
        pass(&mut client, &mut server).and_then(|()| pass(&mut server, &mut client)).expect("a handshake");
    }
    assert_eq!(pair.ours.proven_peer(&server), Some(peer_tag("b")));
    let own = Authority::new("any").issue_pem("sip:a.example", 3, -1, 1);
    let later = contexts(&document(&own, &authority.pem(), &authority.revoke(&[1]))).expect("good");
    assert_eq!(later.proven_peer(&server), None, "revoked meanwhile");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let authority = Authority::new("authority of b");
    let own = authority.issue_pem("sip:a.example", 1, -1, 1);
    let other = authority.issue_pem("sip:a.example", 2, -1, 1);
    let good = document(&own, &authority.pem(), "");
    assert!(contexts(&good).is_ok());
    for (pointer, value, expected) in [
        ("/tls/0/private_key", json!(other.key), "tls[own].private_key: is not the key of the certificate"),
        ("/tls/0/private_key", json!("x"), "tls[own].private_key: holds no private key in PEM"),
        ("/tls/0/certificates", json!(own.key), "tls[own].certificates: holds no certificate in PEM"),
        ("/peers/0/tls/authorities", json!(""), "peers[0].tls.authorities: holds no certificate in PEM"),
        (
            "/peers/0/tls/revocations",
            json!(own.key),
            "peers[0].tls.revocations: holds no revocation list in PEM",
        ),
    ] {
        let mut document = good.clone();
        *document.pointer_mut(pointer).expect("a place") = value;
        assert_eq!(contexts(&document).map(drop), Err(expected.to_owned()));
    }
    let mut double = good.clone();
    let mut second = double["peers"][0].clone();
    second["id"] = json!("c");
    double["peers"].as_array_mut().expect("a list").push(second);
    assert_eq!(
        contexts(&double).map(drop),
        Err("peers[1].tls.identities: b.example is an identity of peer \"b\" already: who connects must be clear"
            .to_owned())
    );
}
