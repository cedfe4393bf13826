"""The registry's own TLS: certificate and key from files, read anew every ten seconds; open connections live on.

Everything on its one port is then encrypted, for people and programs alike. A pair that may not serve leaves the former
one in force. Where the mesh has an authority, callers are asked for a certificate of it; who has none signs in
otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from typing import TYPE_CHECKING, Final

from meshway.certificates import CertificateFault, Pair, read_pair
from meshway.handshakes import AT_ONCE
from meshway.peer_certificate import MESH, PeerCertificate, read_peer
from meshway.tls import TellingObject, harden, load_pair, trust
from registry.settings import StartRefused

if TYPE_CHECKING:
    from pathlib import Path

READ_AGAIN_S: Final = 10.0
_log = logging.getLogger("registry.encryption")


class ServingContext(ssl.SSLContext):
    """doubts_resumed: an authority was dropped since the start, and a resumed session may be of its time."""

    sslobject_class = TellingObject
    doubts_resumed = False


class Encryption:
    """context: for new connections; at_once: their handshakes. Raises StartRefused where the files may not serve."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.at_once = AT_ONCE
        self._roots: tuple[str, ...] = ()
        self._doubts_resumed = False
        self._making = threading.Lock()  # files are read in a thread, and roots come on the loop
        self.context: ssl.SSLContext = _context()
        self.context.sni_callback = self._show  # called without a name, too
        self._fault = ""
        try:
            self._pair = self._read()
            self._shown = self._context_of(self._pair)
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
                with self._making:  # a new one: a pair of another kind of key would stand beside the former
                    self._shown = self._context_of(pair)
                    self._pair = pair
                _log.info("shows another certificate, by %s", pair.issuer)
        except (OSError, CertificateFault) as error:
            if (fault := _said(error)) != self._fault:
                _log.error("the former certificate stays: %s", fault)
            self._fault = _said(error)
        else:
            self._fault = ""

    def believe(self, roots: tuple[str, ...]) -> bool:
        """By whose word callers' certificates hold, PEM; none: nobody is asked for one. Returns whether somebody is
        believed no more. Connections that are open stay as they are.

        Raises CertificateFault, and believes as before.
        """
        shrinks = not set(self._roots) <= set(roots)
        with self._making:
            before = self._roots, self._doubts_resumed
            self._roots, self._doubts_resumed = roots, self._doubts_resumed or shrinks
            try:
                self._shown = self._context_of(self._pair)
            except CertificateFault:
                self._roots, self._doubts_resumed = before
                raise
        # A handshake begins with this one, and goes on with what is shown.
        self.context.verify_mode = self._shown.verify_mode
        self.context.verify_flags = self._shown.verify_flags
        return shrinks

    def _context_of(self, pair: Pair) -> ServingContext:
        """Raises CertificateFault."""
        context = _context(pair)
        context.doubts_resumed = self._doubts_resumed
        if self._roots:
            trust(context, "".join(self._roots).encode())
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _show(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        tls.context = self._shown

    def _read(self) -> Pair:
        """Raises OSError, CertificateFault."""
        certificate, key = self._files
        return read_pair(certificate.read_bytes(), key.read_bytes())


def _context(pair: Pair | None = None) -> ServingContext:
    """Raises CertificateFault."""
    context = ServingContext(ssl.PROTOCOL_TLS_SERVER)
    harden(context)
    context.num_tickets = 0  # a resumed session is not verified anew
    context.options |= ssl.OP_NO_TICKET
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


def certificate_of(tls: ssl.SSLObject) -> PeerCertificate | CertificateFault | None:
    """What the caller of a connection has shown, or why it says nothing; None: nothing was shown."""
    der = tls.getpeercert(binary_form=True)
    if der is None:
        return None
    if tls.session_reused and getattr(tls.context, "doubts_resumed", True):
        return CertificateFault("the session is an old one: connect without resuming it")
    try:
        return read_peer(der, MESH)
    except CertificateFault as fault:
        return fault


def _said(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
