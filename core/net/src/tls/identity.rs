//! The SIP domains that a certificate names (RFC 5922 §7.1), and whether they are those that a peer may have (§7.2).

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The domains of a certificate, in lower case: those of its SAN URIs of scheme `sip`; only if there are none, its SAN DNS
/// names. The common name is not looked at: it was never checked by whoever signed for a name to be believed.
pub(super) fn identities(certificate: &CertificateDer<'_>) -> Result<Vec<String>, webpki::Error> {
    let certificate = EndEntityCert::try_from(certificate)?;
    let uris: Vec<String> = certificate.valid_uri_names().filter_map(domain_of_uri).collect();
    if !uris.is_empty() {
        return Ok(uris);
    }
    // §7.2: a wildcard matches nothing.
    Ok(certificate.valid_dns_names().filter(|name| !name.starts_with('*')).map(normal).collect())
}

/// A domain as it is compared: without the scheme that the configuration may write, without a final dot, in lower case.
pub(super) fn normal(name: &str) -> String {
    let name = name.strip_prefix("sip:").unwrap_or(name);
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The host of `sip:host`. A URI with a user names a person and not a domain (§7.1 (2)); `sips` is another scheme.
fn domain_of_uri(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_domain = scheme.eq_ignore_ascii_case("sip")
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    is_domain.then(|| normal(rest))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Authority, Names};
    use super::*;

    fn named(names: Names<'_>) -> Vec<String> {
        let (chain, _) = Authority::new("ca").issue(names);
        identities(&chain[0]).expect("a certificate")
    }

    #[test]
    fn sip_uris_come_before_dns_names_and_persons_and_wildcards_never() {
        let uris = Names { uris: &["sip:B.example", "sip:ims.b.example"], dns: &["c.example"] };
        assert_eq!(named(uris), ["b.example", "ims.b.example"]);
        let others = Names {
            uris: &["sips:b.example", "sip:bob@b.example", "http://b.example/"],
            dns: &["C.example"],
        };
        assert_eq!(named(others), ["c.example"]);
        assert_eq!(named(Names { uris: &[], dns: &["*.b.example"] }), [""; 0]);
        assert_eq!(named(Names { uris: &["sip:b.example:5061", "sip:"], dns: &[] }), [""; 0]);
    }

    #[test]
    fn what_is_no_certificate_has_no_identity() {
        assert!(identities(&CertificateDer::from(vec![0x30, 0])).is_err());
    }
}
