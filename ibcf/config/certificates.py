"""What a certificate or a revocation list says of its time; whether it can be used at all the core tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from datetime import datetime

_LIST_BEGINS = "-----BEGIN X509 CRL-----"


def chain_ends(pem: str) -> datetime | None:
    """Return when the first certificate of a chain expires, UTC; `None` when there is none that can be read."""
    try:
        return min(certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return None


def list_ends(pem: str) -> datetime | None:
    """Return when the first of several revocation lists is out of date, UTC; `None` when none of them says."""
    ends: list[datetime] = []
    for text in pem.split(_LIST_BEGINS)[1:]:
        try:
            revocations = x509.load_pem_x509_crl((_LIST_BEGINS + text).encode())
        except ValueError:
            continue
        if revocations.next_update_utc is not None:
            ends.append(revocations.next_update_utc)
    return min(ends, default=None)
