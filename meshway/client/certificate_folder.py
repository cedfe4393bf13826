"""Where a program's certificate lies, as files that any TLS library reads.

`identity.pem` is key and chain in one, replaced whole: who reads it never meets the key of one and the certificate of
another. `certificate.pem` and `key.pem` are the same apart, for programs that want two; `roots.pem` is whom to trust.
`service.token` says the same as the certificate to whom no TLS is spoken, where somebody wants it kept.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Final

from cryptography import x509

from meshway.client.credential import Credential, Key

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY: Final = "identity.pem"
CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
ROOTS: Final = "roots.pem"
SERVICE_TOKEN: Final = "service.token"  # noqa: S105  # a file's name
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


class CertificateFolder:
    """Made, for its owner alone, when something is first kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Credential | None:
        """What is kept; None: nothing, or nothing whole."""
        try:
            text = (self.path / IDENTITY).read_text(encoding="ascii")
            roots = (self.path / ROOTS).read_text(encoding="ascii")
            key, begin, chain = text.partition(_BEGIN)
            leaf = x509.load_pem_x509_certificate((begin + chain).encode())
            if not Key(key).is_of(begin + chain):
                return None
        except (OSError, ValueError):
            return None
        return Credential(
            key=key,
            certificate=begin + chain,
            roots=roots,
            not_before=leaf.not_valid_before_utc.timestamp(),
            not_after=leaf.not_valid_after_utc.timestamp(),
        )

    def write(self, credential: Credential) -> None:
        """Raises OSError. The roots first: they are never too few for what is beside them."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.write_roots(credential.roots)
        self._replace(KEY, credential.key, 0o600)
        self._replace(CERTIFICATE, credential.certificate, 0o644)
        self._replace(IDENTITY, credential.key + credential.certificate, 0o600)

    def write_token(self, token: str) -> None:
        self._replace(SERVICE_TOKEN, token, 0o600)

    def write_roots(self, roots: str) -> None:
        self._replace(ROOTS, roots, 0o644)

    def _replace(self, name: str, text: str, mode: int) -> None:
        drawn = self.path / f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(drawn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            drawn.replace(self.path / name)
        except BaseException:
            drawn.unlink(missing_ok=True)
            raise
