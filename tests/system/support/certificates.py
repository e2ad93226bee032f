"""Certificates of a test: an authority, what it issues, and every way in which a certificate can be wrong."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SIP_DOMAIN = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20")
"""id-kp-sipDomain (RFC 5924)."""
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Validity:
    """From when to when a certificate is good, in days from now."""

    starts: int = -1
    ends: int = 30

    def times(self) -> tuple[dt.datetime, dt.datetime]:
        """Return both ends."""
        now = dt.datetime.now(dt.UTC)
        return now + self.starts * DAY, now + self.ends * DAY


@dataclass(frozen=True)
class Names:
    """Whom a certificate names (RFC 5922 §7.1): SIP domains as URIs, hosts, addresses."""

    uris: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def extension(self) -> x509.SubjectAlternativeName:
        """Return the subjectAltName."""
        found: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in self.uris]
        found += [x509.DNSName(host) for host in self.hosts]
        found += [x509.IPAddress(ipaddress.ip_address(address)) for address in self.addresses]
        return x509.SubjectAlternativeName(found)


@dataclass(frozen=True)
class Issued:
    """The files of a certificate."""

    certificate: Path
    private_key: Path
    serial: int


class Authority:
    """One authority."""

    def __init__(self, name: str, folder: Path) -> None:
        """Make its key and its own certificate."""
        self.folder = folder
        self._name = named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        built = builder(self._name, self._name, self._key, Validity(ends=3650))
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        built = built.add_extension(key_usage(authority=True), critical=True)
        self._certificate = built.sign(self._key, hashes.SHA256())
        self.path = folder / f"{name}.authority.pem"
        """What others are given to believe it."""
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, names: Names, validity: Validity | None = None) -> Issued:
        """Issue a certificate for both roles of a connection."""
        return self._issue(name, names, validity or Validity(), itself=False)

    def self_signed(self, name: str, names: Names) -> Issued:
        """Make a certificate that nobody stands for; this authority only lends its folder."""
        return self._issue(name, names, Validity(), itself=True)

    def revoke(self, *issued: Issued) -> Path:
        """Write the list of what is revoked, and nothing else is; return its path."""
        now = dt.datetime.now(dt.UTC)
        built = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        built = built.last_update(now - DAY).next_update(now + DAY)
        built = built.add_extension(x509.CRLNumber(len(issued) + 1), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        built = built.add_extension(identifier, critical=False)
        for one in issued:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(now - DAY)
            built = built.add_revoked_certificate(entry.build())
        path = self.folder / f"{self.path.name.partition('.')[0]}.revoked.pem"
        path.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def _issue(self, name: str, names: Names, validity: Validity, *, itself: bool) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = named(name)
        built = builder(subject, subject if itself else self._name, key, validity)
        built = built.add_extension(names.extension(), critical=False)
        built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        built = built.add_extension(key_usage(authority=False), critical=True)
        roles = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, SIP_DOMAIN]
        built = built.add_extension(x509.ExtendedKeyUsage(roles), critical=False)
        signer = key if itself else self._key
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        signed = built.add_extension(identifier, critical=False).sign(signer, hashes.SHA256())
        certificate, private_key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        private_key.chmod(0o600)  # stunnel complains about others
        return Issued(certificate, private_key, signed.serial_number)


def named(name: str) -> x509.Name:
    """Return a distinguished name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    """Begin a certificate."""
    starts, ends = validity.times()
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(starts).not_valid_after(ends)
    return built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return what the key may do: sign others, or prove who it is."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Identities:
    """One authority, and what it issued to the border and to the cores of the carriers."""

    authority: Authority
    border: Issued
    a: Issued
    b: Issued


SIP_NAMES = {"carrier_a": "sip:a.example", "carrier_b": "sip:b.example", "carrier_c": "sip:c.example"}
"""Whom each peer is to prove that it is."""


def issue_all(folder: Path) -> Identities:
    """Make the certificates of a world in which all is well."""
    authority = Authority("interconnect", folder)

    def issue(name: str, domain: str, *addresses: str) -> Issued:
        # the addresses are for user agents that compare the certificate with what they connected to
        return authority.issue(name, Names(uris=(f"sip:{domain}",), hosts=(domain,), addresses=addresses))

    return Identities(
        authority,
        border=issue("border", "ibcf.a.example", "127.0.0.1"),
        a=issue("a", "a.example", "127.0.0.2"),
        b=issue("b", "b.example", "127.0.0.3"),
    )
