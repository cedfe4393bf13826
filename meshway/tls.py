"""Contexts of TLS as every part of the mesh wants them: 1.2 with forward secrecy and AEAD, or 1.3, and nothing else.

No renegotiation, no compression, no early data (Python's ssl offers none), the server chooses. Sources: RFC 8446,
RFC 9325.
"""

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from meshway.certificates import CertificateFault, Pair

# Of TLS 1.2; those of 1.3 are all good. EC before RSA, as the certificates of one host are chosen.
SUITES: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
ALPN: Final = ("http/1.1",)
ALPN_HTTP2: Final = ("h2", *ALPN)
VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TellingObject(ssl.SSLObject):
    """failed: called when its handshake has failed, while the alert for the caller is still to be read."""

    failed: Callable[[], None] | None = None

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.failed is not None:
                self.failed()
            raise
        self.failed = None


def harden(context: ssl.SSLContext, min_version: str = "1.2", alpn: Sequence[str] = ALPN) -> None:
    """min_version: `1.2` or `1.3`. alpn: what is spoken, the best first (RFC 7301)."""
    context.minimum_version = VERSIONS[min_version]
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(list(alpn))


def client_context(authorities: bytes | None = None, pair: Pair | None = None) -> ssl.SSLContext:
    """Verifies chain and host name. authorities: PEM, None: the public ones, and those that SSL_CERT_FILE adds.

    pair: what it shows of itself where the server asks. Raises CertificateFault.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    harden(context)
    if authorities is None:
        context.load_default_certs()
    else:
        trust(context, authorities)
    if pair is not None:
        load_pair(context, pair)
    return context


def trust(context: ssl.SSLContext, authorities: bytes) -> None:
    """authorities: PEM. An intermediate among them is an anchor as well. Raises CertificateFault."""
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise CertificateFault("the authorities cannot be read") from error
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """A second one of another kind of key stands beside the first. Raises CertificateFault."""
    # OpenSSL's interface in Python reads files only; this one is in memory and nobody else can open it.
    with _unnamed_file(pair.chain + pair.key) as path:
        try:
            context.load_cert_chain(path)
        except (ssl.SSLError, OSError) as error:
            raise CertificateFault(f"OpenSSL does not take it: {getattr(error, 'reason', '') or error}") from error


@contextmanager
def _unnamed_file(content: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
