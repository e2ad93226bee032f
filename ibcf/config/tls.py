"""Section `tls` and the `tls` of a peer: our certificates, and how another network proves who it is (TS 33.203 §6.5).

The files are read when the configuration is loaded and again with each reload, so a renewed certificate takes effect on
SIGHUP. Whether key, chain and lists fit together the core tells.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ibcf.config.section import Section
from ibcf.config.values import FilePath, Grammar, Id, OneOrMany, Unique

_CHARACTERS_MAX = 1 << 20

SipIdentity = Annotated[
    str,
    Grammar(
        r"(?:sip:)?(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
        "a SIP domain as a certificate names it: sip:ims.b.example, ims.b.example",
    ),
]


def read_pem(path: FilePath) -> str:
    """Return the text of a PEM file.

    Raises:
        ValueError: it cannot be read, or is no PEM.
    """
    try:
        with path.open(encoding="ascii") as stream:
            text = stream.read(_CHARACTERS_MAX)
    except OSError as error:
        raise ValueError(f"file {path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"file {path} is not PEM") from error
    if "-----BEGIN " not in text:
        raise ValueError(f"file {path} is not PEM: it has no line that starts with -----BEGIN")
    return text


class TlsIdentity(Section):
    """A certificate of ours with its key."""

    id: Id
    """Stable name for listeners and metrics."""
    certificate: FilePath
    """PEM file with the chain, our own certificate first."""
    private_key: FilePath
    """PEM file with the private key (PKCS#8, PKCS#1 or SEC1)."""

    @model_validator(mode="after")
    def check_readable(self) -> Self:
        """Refuse files that are not there now."""
        for path in (self.certificate, self.private_key):
            read_pem(path)
        return self


class PeerTls(Section):
    """How a peer proves who it is (RFC 5922)."""

    identities: Annotated[tuple[SipIdentity, ...], Field(min_length=1), Unique, OneOrMany]
    """SIP domains that its certificate may name: as SAN URI, or as SAN DNS when it has no SAN URI of scheme `sip`."""
    authorities: FilePath
    """PEM file with the authorities that its chain must lead to: those of this peer and no others."""
    revocations: FilePath | None = None
    """PEM file with revocation lists."""

    @model_validator(mode="after")
    def check_readable(self) -> Self:
        """Refuse files that are not there now."""
        read_pem(self.authorities)
        if self.revocations is not None:
            read_pem(self.revocations)
        return self
