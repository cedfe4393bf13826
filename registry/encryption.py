"""The registry's own TLS: certificate and key from files, read anew every ten seconds; open connections live on.

Everything on its one port is then encrypted, for people and programs alike. A pair that may not serve leaves the former
one in force.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Final

from meshway.certificates import CertificateFault, Pair, read_pair
from meshway.tls import harden, load_pair
from registry.settings import StartRefused

if TYPE_CHECKING:
    from pathlib import Path

READ_AGAIN_S: Final = 10.0
_log = logging.getLogger("registry.encryption")


class Encryption:
    """context: for new connections. Raises StartRefused where the files may not serve."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = _context()
        self.context.sni_callback = self._show  # called without a name, too
        self._fault = ""
        try:
            self._pair = self._read()
            self._shown = _context(self._pair)
        except (OSError, CertificateFault) as error:
            raise StartRefused(f"cannot serve by TLS with {certificate} and {key}: {_said(error)}") from error

    async def run(self) -> None:
        """Never ends."""
        while True:
            await asyncio.sleep(READ_AGAIN_S)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Blocking. What is new is shown to whoever connects from now on."""
        try:
            pair = self._read()
            if pair != self._pair:
                self._shown = _context(pair)  # a new one: a pair of another kind of key would stand beside the former
                self._pair = pair
                _log.info("shows another certificate, by %s", pair.issuer)
        except (OSError, CertificateFault) as error:
            if (fault := _said(error)) != self._fault:
                _log.error("the former certificate stays: %s", fault)
            self._fault = _said(error)
        else:
            self._fault = ""

    def _show(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        tls.context = self._shown

    def _read(self) -> Pair:
        """Raises OSError, CertificateFault."""
        certificate, key = self._files
        return read_pair(certificate.read_bytes(), key.read_bytes())


def _context(pair: Pair | None = None) -> ssl.SSLContext:
    """Raises CertificateFault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    harden(context)
    if pair is not None:
        load_pair(context, pair)
    return context


def encryption_of(certificate: Path | None, key: Path | None) -> Encryption | None:
    """None: there is none. Raises StartRefused."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise StartRefused("--tls-certificate and --tls-key come together")
    return Encryption(certificate, key)


def _said(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
