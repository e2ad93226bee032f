//! Authorities and certificates for tests, made on the spot.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

/// What a certificate names.
#[derive(Clone, Copy)]
pub(crate) struct Names<'n> {
    pub(crate) uris: &'n [&'n str],
    pub(crate) dns: &'n [&'n str],
}

/// A certificate authority.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// PEM texts of a certificate and its key.
pub(crate) struct Pem {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name, Names { uris: &[], dns: &[] });
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn issue(&self, names: Names<'_>) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params("leaf", names).signed_by(&key, &self.issuer).expect("a certificate");
        (vec![certificate.der().clone()], key)
    }

    /// A certificate for a SIP domain (`sip:`) or a host that is valid from *days* before now to *days* after it; both negative for one that has expired.
    pub(crate) fn issue_pem(&self, name: &str, serial: u64, from_days: i64, to_days: i64) -> Pem {
        let names = [name];
        let is_uri = name.starts_with("sip:");
        let names = if is_uri { Names { uris: &names, dns: &[] } } else { Names { uris: &[], dns: &names } };
        let mut params = params("leaf", names);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = OffsetDateTime::now_utc() + Duration::days(from_days);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(to_days);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pem { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn revoke(&self, serials: &[u64]) -> String {
        let now = OffsetDateTime::now_utc();
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now - Duration::hours(1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now - Duration::hours(1),
            next_update: now + Duration::days(1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }
}

/// A certificate that nobody else signed.
pub(crate) fn self_signed(uri: &str) -> Pem {
    let key = KeyPair::generate().expect("a key");
    let certificate =
        params("self", Names { uris: &[uri], dns: &[] }).self_signed(&key).expect("a certificate");
    Pem { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn params(name: &str, names: Names<'_>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let text = |name: &str| name.try_into().expect("ASCII");
    params.subject_alt_names = names.uris.iter().map(|uri| SanType::URI(text(uri))).collect();
    params.subject_alt_names.extend(names.dns.iter().map(|name| SanType::DnsName(text(name))));
    params
}
