"""The other end of a TLS connection, played by the test itself: which certificate is shown, and what comes of it."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from tests.system.support.certificates import Issued

Address = tuple[str, int]
DEADLINE_S = 5


@dataclass(frozen=True)
class Session:
    """A connection over which the border has answered."""

    stream: ssl.SSLSocket
    serial: int
    """Of the certificate that the border showed."""
    version: str

    def ask(self) -> str:
        """Send OPTIONS and return the first line of the answer; nothing when the connection ended instead."""
        host, port = self.stream.getsockname()[:2]
        lines = [
            "OPTIONS sip:ibcf.a.example SIP/2.0",
            f"Via: SIP/2.0/TLS {host}:{port};branch=z9hG4bK{port}",
            "Max-Forwards: 70",
            f"From: <sip:{host}>;tag=1",
            "To: <sip:ibcf.a.example>",
            f"Call-ID: {port}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
            "",
            "",
        ]
        try:
            self.stream.sendall("\r\n".join(lines).encode())
            return self.stream.recv(65536).decode().partition("\r\n")[0]
        except OSError:
            return ""  # TLS 1.3 tells a client that it was refused only after the client thinks itself connected


@contextlib.contextmanager
def session(
    border: Address,
    *,
    source: str,
    authorities: Path,
    shown: Issued | None,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[Session]:
    """Connect from *source* and show a certificate, or none."""
    context = ssl.create_default_context(cafile=str(authorities))
    context.check_hostname = False  # who it is the test looks up in the certificate
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = newest
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.private_key)
    with (
        socket.create_connection(border, timeout=DEADLINE_S, source_address=(source, 0)) as plain,
        context.wrap_socket(plain) as stream,
    ):
        seen = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True) or b"")
        yield Session(stream, seen.serial_number, stream.version() or "")


def outcome(border: Address, *, source: str, authorities: Path, shown: Issued | None) -> str:
    """Return what an OPTIONS over a connection of its own brought: a status line, or nothing."""
    try:
        with session(border, source=source, authorities=authorities, shown=shown) as found:
            return found.ask()
    except OSError:
        return ""
