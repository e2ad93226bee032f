//! TLS of both our ends: each shows a certificate and believes one authority.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, ServerConfig, ServerConnection,
    SignatureScheme,
};

use crate::options::{Options, TlsFiles};

/// What both kinds of handshake need.
#[derive(Clone, Debug)]
pub(crate) struct TlsEnds {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: ServerName<'static>,
}

impl TlsEnds {
    /// Reads the files that *options* name; `None` when TLS is not asked for.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn read(options: &Options) -> Result<Option<Self>, String> {
        options.tls.as_ref().map(|files| Self::build(files, options)).transpose()
    }

    fn build(files: &TlsFiles, options: &Options) -> Result<Self, String> {
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(fault(&files.key))?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            roots.add(authority).map_err(fault(&files.authority))?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(fault(&files.authority))?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(fault(&files.certificate))?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(fault(&files.certificate))?;
        let servers: Arc<dyn ServerCertVerifier> = match &files.server_name {
            Some(_) => WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(fault(&files.authority))?,
            None => Arc::new(ChainOnly { roots, provider: Arc::clone(&provider) }),
        };
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(fault(&files.certificate))?
            .dangerous()
            .with_custom_certificate_verifier(servers)
            .with_client_auth_cert(chain, key)
            .map_err(fault(&files.certificate))?;
        let name = match &files.server_name {
            Some(name) => {
                ServerName::try_from(name.clone()).map_err(|error| format!("--server-name: {error}"))?
            }
            None => ServerName::from(options.proxy.ip()),
        };
        Ok(Self { client: Arc::new(client), server: Arc::new(server), name })
    }

    pub(crate) fn connect(&self) -> io::Result<ClientConnection> {
        let session = ClientConnection::new(Arc::clone(&self.client), self.name.clone());
        session.map_err(io::Error::other).map(|mut session| {
            session.set_buffer_limit(None); // what is sent is bounded by the calls in progress
            session
        })
    }

    pub(crate) fn accept(&self) -> io::Result<ServerConnection> {
        let session = ServerConnection::new(Arc::clone(&self.server));
        session.map_err(io::Error::other).map(|mut session| {
            session.set_buffer_limit(None);
            session
        })
    }
}

fn fault<E: std::fmt::Display>(file: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", file.display())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).map_err(fault(file))?;
    let chain = read.collect::<Result<Vec<_>, _>>().map_err(fault(file))?;
    if chain.is_empty() { Err(format!("{}: no certificate in PEM", file.display())) } else { Ok(chain) }
}

/// Believes every server whose chain leads to our authority: a SIP domain in a URI (RFC 5922) is no name that rustls knows.
#[derive(Debug)]
struct ChainOnly {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
