"""The gateway's own certificate of the mesh: got by a one-time token, renewed, and handed to all workers.

It lies in the data folder, so that a restart needs neither a token nor the registry. What keeps it is loaded where
there is one, or is to be: the SDK takes a seventh of a supervisor's memory.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.channel import ChannelFrame, IdentityFrame
from meshway.certificates import CertificateFault, Pair, read_pair
from meshway.settings import read_secret

if TYPE_CHECKING:
    from meshway.client.certificate import CertificateKeeper
    from meshway.client.credential import Credential
    from meshway.client.registry import AsyncRegistry

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
        self._folder, self._registries = data_dir / FOLDER, registries
        self._token_file, self._ca_file = token_file, ca_file
        self._send, self._show = send, show
        self.pair: Pair | None = None
        self._kept: tuple[CertificateKeeper, AsyncRegistry] | None = None

    def load(self) -> None:
        """What the folder holds, before the first worker starts."""
        if self._token_file is None and not self._folder.exists():
            return
        from meshway.client.certificate import CertificateKeeper
        from meshway.client.certificate_folder import CertificateFolder
        from meshway.client.registry import AsyncRegistry
        from meshway.client.settings import MeshSettings

        first, *others = self._registries
        registry = AsyncRegistry(MeshSettings(registry=first, further_registries=tuple(others), ca_file=self._ca_file))
        keeper = CertificateKeeper(registry, CertificateFolder(self._folder), token=self._token, changed=self._take)
        self._kept = keeper, registry
        keeper.take_kept()

    async def run(self) -> None:
        """Ends at once where there is neither a certificate nor a token: then this gateway has none."""
        if self._kept is None:
            return
        keeper, registry = self._kept
        if keeper.credential is None and self._token_file is None:
            return
        try:
            await keeper.run()
        finally:
            await registry.close()

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

    def _take(self, credential: "Credential") -> None:
        try:
            pair = read_pair(credential.certificate.encode(), credential.key.encode())
        except CertificateFault as fault:
            _log.error("the gateway's own certificate may not serve: %s", fault)
            return
        if pair != self.pair:
            self.pair = pair
            self._show(pair)
            self._send(IdentityFrame(pair=pair))
