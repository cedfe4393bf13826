"""The gateway's own certificate of the mesh: got by a one-time token, renewed, and handed to all workers.

It lies in the data folder, so that a restart needs neither a token nor the registry.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.channel import ChannelFrame, IdentityFrame
from meshway.certificates import CertificateFault, Pair, read_pair
from meshway.client.certificate import CertificateKeeper
from meshway.client.certificate_folder import CertificateFolder
from meshway.client.credential import Credential
from meshway.client.registry import AsyncRegistry
from meshway.client.settings import MeshSettings
from meshway.settings import read_secret

FOLDER: Final = "identity"

_log = logging.getLogger("meshway.gateway.identity")


class OwnCertificate:
    """token_file: of the one-time token, None: it goes on with what the folder holds. ca_file: by whom
    registries are believed. send: a frame to all workers. show: to registries, who is who by it."""

    def __init__(
        self,
        data_dir: Path,
        registries: tuple[str, ...],
        token_file: Path | None,
        ca_file: Path | None,
        send: Callable[[ChannelFrame], None],
        show: Callable[[Pair], None],
    ) -> None:
        self._token_file = token_file
        self._send, self._show = send, show
        self._registry = AsyncRegistry(
            MeshSettings(registry=registries[0], further_registries=registries[1:], ca_file=ca_file)
        )
        self.pair: Pair | None = None
        self.keeper = CertificateKeeper(
            self._registry, CertificateFolder(data_dir / FOLDER), token=self._token, changed=self._take
        )

    def load(self) -> None:
        """What the folder holds, before the first worker starts."""
        self.keeper.take_kept()

    async def run(self) -> None:
        """Ends at once where there is neither a certificate nor a token: then this gateway has none."""
        if self.keeper.credential is None and self._token_file is None:
            return
        try:
            await self.keeper.run()
        finally:
            await self._registry.close()

    def frames(self) -> list[ChannelFrame]:
        """What a new worker must know."""
        return [] if self.pair is None else [IdentityFrame(pair=self.pair)]

    @property
    def end(self) -> float | None:
        """Of the certificate in force, seconds since 1970."""
        return None if self.pair is None else self.pair.not_after

    def _token(self) -> str:
        """Raises SettingError, a ValueError."""
        return "" if self._token_file is None else read_secret(self._token_file)

    def _take(self, credential: Credential) -> None:
        try:
            pair = read_pair(credential.certificate.encode(), credential.key.encode())
        except CertificateFault as fault:
            _log.error("the gateway's own certificate may not serve: %s", fault)
            return
        if pair != self.pair:
            self.pair = pair
            self._show(pair)
            self._send(IdentityFrame(pair=pair))
