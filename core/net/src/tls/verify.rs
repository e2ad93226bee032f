//! Is the other end who it says? Chain, time, revocation and SIP identity of its certificate, for both roles.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

use super::identity::identities;

/// `id-kp-sipDomain` (RFC 5924), 1.3.6.1.5.5.7.3.20, as it stands in DER.
const SIP_DOMAIN: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x14];

/// What is needed to believe one peer.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) tag: u32,
    /// As `identity::normal` writes them.
    pub(super) identities: Vec<String>,
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub(super) revocations: Vec<CertRevocationList<'static>>,
}

/// In which role the certificate was shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Client,
    Server,
}

impl Proof {
    fn has_identity_of(&self, named: &[String]) -> bool {
        named.iter().any(|name| self.identities.contains(name))
    }

    /// Checks everything but the identity.
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), webpki::Error> {
        let certificate = EndEntityCert::try_from(certificate)?;
        let lists: Vec<&CertRevocationList<'_>> = self.revocations.iter().collect();
        let check = |usage: KeyUsage| {
            // What a list names is refused whoever issued it; an authority without a list is trusted as before.
            let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
                options
                    .with_depth(RevocationCheckDepth::Chain)
                    .with_status_policy(UnknownStatusPolicy::Allow)
                    .build()
            });
            let path = certificate.verify_for_usage(
                algorithms.all,
                &self.anchors,
                intermediates,
                now,
                usage,
                revocation,
                None,
            );
            path.map(drop)
        };
        let usual = match role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        };
        match check(usual) {
            // RFC 5924 §3: made for SIP and for nothing else.
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) => {
                check(KeyUsage::required_if_present(SIP_DOMAIN))
            }
            outcome => outcome,
        }
    }
}

/// Every peer that talks TLS.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) proofs: Vec<Arc<Proof>>,
    pub(super) by_identity: HashMap<String, usize, FixedState>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Peers {
    /// The peer that *chain* proves, its own certificate first.
    pub(super) fn prove(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
    ) -> Result<u32, Error> {
        let (certificate, intermediates) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        let named = identities(certificate).map_err(refused)?;
        let at = named.iter().find_map(|name| self.by_identity.get(name));
        let proof = at.and_then(|at| self.proofs.get(*at)).ok_or(CertificateError::NotValidForName)?;
        proof.check(certificate, intermediates, now, role, &self.algorithms).map_err(refused)?;
        Ok(proof.tag)
    }
}

/// What is said of a certificate that is not believed: in the alert to the other end, and in [`Cause`].
#[allow(clippy::needless_pass_by_value)] // the shape of `map_err`
fn refused(error: webpki::Error) -> Error {
    use webpki::Error as Cause;
    let problem = match error {
        Cause::CertExpired { .. } => CertificateError::Expired,
        Cause::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Cause::CertRevoked => CertificateError::Revoked,
        Cause::UnknownIssuer | Cause::CaUsedAsEndEntity | Cause::PathLenConstraintViolated => {
            CertificateError::UnknownIssuer
        }
        Cause::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Cause::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        _ => CertificateError::BadEncoding,
    };
    problem.into()
}

macro_rules! causes {
    ($($variant:ident $name:literal $text:literal)+) => {
        /// Why a session was not made, or broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Cause { $($variant),+ }

        impl Cause {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value of the label `cause`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The same in words.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

causes! {
    NoCertificate "no_certificate" "it showed no certificate"
    Expired "expired" "its certificate has expired"
    NotYetValid "not_yet_valid" "its certificate is not valid yet"
    Revoked "revoked" "its certificate is revoked"
    UnknownAuthority "unknown_authority" "its certificate leads to none of the peer's authorities"
    Identity "identity" "its certificate names no identity of the peer"
    Purpose "purpose" "its certificate was made for another purpose"
    Certificate "certificate" "its certificate cannot be used"
    Alert "alert" "it refused our certificate, or gave up"
    Incompatible "incompatible" "it has no version or cipher suite in common with us"
    Protocol "protocol" "what it sent is not TLS"
}

impl Cause {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(problem) => match problem {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::Revoked => Self::Revoked,
                CertificateError::UnknownIssuer => Self::UnknownAuthority,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::Identity
                }
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                    Self::Purpose
                }
                _ => Self::Certificate,
            },
            Error::AlertReceived(_) => Self::Alert,
            Error::PeerIncompatible(_) => Self::Incompatible,
            _ => Self::Protocol,
        }
    }
}

/// Believes a client that is any of the peers.
#[derive(Debug)]
pub(super) struct AnyPeer(pub(super) Arc<Peers>);

/// Believes a server that is this peer.
#[derive(Debug)]
pub(super) struct OnePeer {
    pub(super) proof: Arc<Proof>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyPeer {
    /// None: whom we deal with is nobody's business, and a client with one certificate needs no hint.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let mut chain = Vec::with_capacity(1 + intermediates.len());
        chain.push(end_entity.clone());
        chain.extend_from_slice(intermediates);
        self.0.prove(&chain, now, Role::Client)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for OnePeer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.proof.has_identity_of(&identities(end_entity).map_err(refused)?) {
            return Err(CertificateError::NotValidForName.into());
        }
        self.proof.check(end_entity, intermediates, now, Role::Server, &self.algorithms).map_err(refused)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
