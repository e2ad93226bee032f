//! TLS between networks: which certificate we show, and whom we believe (TS 33.203 §6.5, TS 33.210 §6.2, RFC 5922).
//!
//! Both ends prove who they are in every handshake: sessions are not resumed, so a certificate that was revoked or renewed
//! takes effect with the next connection. A peer is believed when its certificate names one of the SIP domains that the
//! configuration gives it and its chain leads to the authorities of that peer, to no others. Nothing here owns a socket.

mod identity;
mod verify;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use ibcf_sip::Snapshot;
use ibcf_sip::rewrite::peer_tag;
use ibcf_sip::snapshot::document::{PeerTls, TlsIdentity};
use ibcf_sip::snapshot::{ListenerIndex, PeerIndex, SnapshotError, Transport};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, TrustAnchor, UnixTime,
};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use webpki::{BorrowedCertRevocationList, CertRevocationList, anchor_from_trusted_cert};

pub(crate) use verify::Cause;

use crate::error::NetError;
use identity::normal;
use verify::{AnyPeer, OnePeer, Peers, Proof, Role};

/// Plain text that may wait in a session for its handshake or its socket; the connection's own bound comes first.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// Reads what *snapshot* says of TLS as [`Core`](crate::Core) would, and forgets it.
///
/// # Errors
///
/// The first certificate, key or list that cannot be used.
pub fn check_tls(snapshot: &Snapshot) -> Result<(), NetError> {
    TlsContexts::build(snapshot).map(drop)
}

/// Everything that handshakes need, made once for each snapshot.
#[derive(Debug)]
pub(crate) struct TlsContexts {
    /// By listener; `None` where it is not TLS.
    servers: Vec<Option<Arc<ServerConfig>>>,
    /// By listener and tag of the peer.
    clients: HashMap<(u16, u32), Client, FixedState>,
    peers: Arc<Peers>,
}

#[derive(Debug)]
struct Client {
    config: Arc<ClientConfig>,
    /// For the server name indication; whom we believe does not depend on it.
    name: ServerName<'static>,
}

impl TlsContexts {
    /// Reads every certificate, key and list of *snapshot*.
    ///
    /// # Errors
    ///
    /// The first that cannot be used, by its place in the snapshot.
    pub(crate) fn build(snapshot: &Snapshot) -> Result<Self, NetError> {
        let provider = Arc::new(profile());
        let keys = snapshot
            .tls
            .iter()
            .map(|identity| read_key(identity, &provider).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let peers = Arc::new(read_peers(snapshot, &provider)?);
        let key_of = |listener: usize| snapshot.listeners.get(listener)?.tls.and_then(|at| keys.get(at));
        let mut servers = Vec::with_capacity(snapshot.listeners.len());
        for listener in 0..snapshot.listeners.len() {
            let config = key_of(listener).map(|key| server_config(key, &peers, &provider)).transpose()?;
            servers.push(config.map(Arc::new));
        }
        let mut clients = HashMap::default();
        for (at, peer) in snapshot.peers.iter().enumerate() {
            let tag = peer_tag(&peer.id);
            let Some(proof) = peers.proofs.iter().find(|proof| proof.tag == tag) else { continue };
            for listener in &peer.listeners {
                if let (Some(key), Transport::Tls) = (key_of(listener.at()), snapshot.transport(*listener)) {
                    let config = Arc::new(client_config(key, proof, &provider)?);
                    let name = server_name(proof, PeerIndex(at as u16))?;
                    clients.insert((listener.0, tag), Client { config, name });
                }
            }
        }
        Ok(Self { servers, clients, peers })
    }

    /// Begins the handshake of a connection that *listener* accepted; `None` when that listener is not TLS.
    pub(crate) fn accept(&self, listener: ListenerIndex) -> Option<Result<ServerConnection, rustls::Error>> {
        let config = self.servers.get(listener.at())?.as_ref()?;
        Some(ServerConnection::new(Arc::clone(config)).map(|mut session| {
            session.set_buffer_limit(Some(BUFFER_BYTES_MAX));
            session
        }))
    }

    /// Begins the handshake of a connection to the peer with that *tag*; `None` when it does not talk TLS there.
    pub(crate) fn connect(
        &self,
        listener: ListenerIndex,
        tag: u32,
    ) -> Option<Result<ClientConnection, rustls::Error>> {
        let client = self.clients.get(&(listener.0, tag))?;
        let session = ClientConnection::new(Arc::clone(&client.config), client.name.clone());
        Some(session.map(|mut session| {
            session.set_buffer_limit(Some(BUFFER_BYTES_MAX));
            session
        }))
    }

    /// The tag of the peer that the certificate of *session* proves now; `None` before its handshake is over, and when it
    /// is not believed any more: expired or revoked meanwhile, or a peer that the snapshot does not have.
    pub(crate) fn proven_peer(&self, session: &rustls::Connection) -> Option<u32> {
        if session.is_handshaking() {
            return None;
        }
        let role = match session {
            rustls::Connection::Client(_) => Role::Server,
            rustls::Connection::Server(_) => Role::Client,
        };
        self.peers.prove(session.peer_certificates()?, UnixTime::now(), role).ok()
    }
}

/// The profile of TS 33.210 §6.2: TLS 1.3, and TLS 1.2 with ephemeral keys and authenticated encryption only. Neither
/// renegotiation nor compression exists here.
fn profile() -> CryptoProvider {
    use ring::cipher_suite as suite;
    CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ],
        ..ring::default_provider()
    }
}

fn read_key(identity: &TlsIdentity, provider: &CryptoProvider) -> Result<CertifiedKey, NetError> {
    let place = |key: &str| format!("tls[{}].{key}", identity.id);
    let chain = read_certificates(&identity.certificates, &place("certificates"))?;
    let key = PrivateKeyDer::from_pem_slice(identity.private_key.as_bytes())
        .map_err(|_| SnapshotError::value(place("private_key"), "holds no private key in PEM"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let problem = match error {
            rustls::Error::InconsistentKeys(_) => "is not the key of the certificate".to_owned(),
            error => format!("cannot be used: {error}"),
        };
        SnapshotError::value(place("private_key"), problem).into()
    })
}

fn read_certificates(pem: &str, place: &str) -> Result<Vec<CertificateDer<'static>>, SnapshotError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(SnapshotError::value(place, "holds no certificate in PEM")),
    }
}

fn read_peers(snapshot: &Snapshot, provider: &CryptoProvider) -> Result<Peers, NetError> {
    let mut peers = Peers {
        proofs: Vec::new(),
        by_identity: HashMap::default(),
        algorithms: provider.signature_verification_algorithms,
    };
    for (at, peer) in snapshot.peers.iter().enumerate() {
        let Some(tls) = &peer.tls else { continue };
        let proof = read_proof(at, peer_tag(&peer.id), tls)?;
        for name in &proof.identities {
            if let Some(other) = peers.by_identity.insert(name.clone(), peers.proofs.len()) {
                let other = peers.proofs.get(other).map(|proof| proof.tag);
                let other = snapshot.peers.iter().find(|peer| Some(peer_tag(&peer.id)) == other);
                let problem = format!(
                    "{name} is an identity of peer \"{}\" already: who connects must be clear",
                    other.map_or("?", |peer| &peer.id)
                );
                return Err(SnapshotError::value(format!("peers[{at}].tls.identities"), problem).into());
            }
        }
        peers.proofs.push(Arc::new(proof));
    }
    Ok(peers)
}

fn read_proof(at: usize, tag: u32, tls: &PeerTls) -> Result<Proof, SnapshotError> {
    let place = |key: &str| format!("peers[{at}].tls.{key}");
    let authorities = read_certificates(&tls.authorities, &place("authorities"))?;
    let anchors = authorities
        .iter()
        .map(|certificate| anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned()))
        .collect::<Result<Vec<TrustAnchor<'static>>, _>>()
        .map_err(|error| SnapshotError::value(place("authorities"), format!("cannot be used: {error}")))?;
    let mut revocations = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(tls.revocations.as_bytes()) {
        let list = list
            .map_err(|error| error.to_string())
            .and_then(|list| {
                let read = BorrowedCertRevocationList::from_der(&list).and_then(|list| list.to_owned());
                read.map_err(|error| error.to_string())
            })
            .map_err(|error| {
                SnapshotError::value(place("revocations"), format!("cannot be used: {error}"))
            })?;
        revocations.push(CertRevocationList::from(list));
    }
    if revocations.is_empty() && !tls.revocations.is_empty() {
        return Err(SnapshotError::value(place("revocations"), "holds no revocation list in PEM"));
    }
    let identities = tls.identities.iter().map(|name| normal(name)).collect();
    Ok(Proof { tag, identities, anchors, revocations })
}

fn server_config(
    key: &Arc<CertifiedKey>,
    peers: &Arc<Peers>,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, NetError> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SnapshotError::value("tls", error))?
        .with_client_cert_verifier(Arc::new(AnyPeer(Arc::clone(peers))))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(key))));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(
    key: &Arc<CertifiedKey>,
    proof: &Arc<Proof>,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, NetError> {
    let verifier =
        OnePeer { proof: Arc::clone(proof), algorithms: provider.signature_verification_algorithms };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SnapshotError::value("tls", error))?
        .dangerous() // RFC 5922 compares other names than HTTPS does
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(key))));
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server_name(proof: &Proof, peer: PeerIndex) -> Result<ServerName<'static>, SnapshotError> {
    let name = proof.identities.first().cloned().unwrap_or_default();
    ServerName::try_from(name)
        .map_err(|error| SnapshotError::value(format!("peers[{}].tls.identities[0]", peer.0), error))
}
