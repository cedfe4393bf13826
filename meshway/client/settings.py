"""Where a service finds its mesh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from meshway.settings import http_url, variable

REGISTRY: Final = "http://127.0.0.1:8500"
GATEWAY: Final = "http://127.0.0.1:8581"


class MeshSettings(msgspec.Struct, frozen=True, kw_only=True):
    """registry, gateway: base URLs; the gateway's is its mesh listener. further_registries: asked where that one does
    not answer, over the same store. token_file: read anew for every request, so that a rotated token needs no restart.
    ca_file: PEM, by whom registries' https is believed; None: the public authorities. certificate_dir: where
    `identity.pem` lies (meshway agent), by which it signs in over https where there is no token.
    service: this program's own name. instance: the id of this copy. address: what others reach it by.
    """

    registry: str = REGISTRY
    further_registries: tuple[str, ...] = ()
    gateway: str = GATEWAY
    namespace: str = "default"
    service: str = ""
    instance: str = ""
    address: str = ""
    zone: str = ""
    token_file: Path | None = None
    ca_file: Path | None = None
    certificate_dir: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> MeshSettings:
        """Reads MESHWAY_URL, _GATEWAY, _NAMESPACE, _SERVICE, _INSTANCE, _ADDRESS, _ZONE, _TOKEN_FILE, _CA_FILE and
        _CERTIFICATE_DIR.

        MESHWAY_URL may name several registries, with commas or blanks between. Raises SettingError.
        """
        registry, *others = _registries(environ)
        token_file = variable("MESHWAY_TOKEN_FILE", "", environ)
        ca_file = variable("MESHWAY_CA_FILE", "", environ)
        certificate_dir = variable("MESHWAY_CERTIFICATE_DIR", "", environ)
        return cls(
            registry=registry,
            further_registries=tuple(others),
            gateway=http_url("MESHWAY_GATEWAY", GATEWAY, environ),
            namespace=variable("MESHWAY_NAMESPACE", "default", environ),
            service=variable("MESHWAY_SERVICE", "", environ),
            instance=variable("MESHWAY_INSTANCE", "", environ),
            address=variable("MESHWAY_ADDRESS", "", environ),
            zone=variable("MESHWAY_ZONE", "", environ),
            token_file=Path(token_file) if token_file else None,
            ca_file=Path(ca_file) if ca_file else None,
            certificate_dir=Path(certificate_dir) if certificate_dir else None,
        )

    @property
    def registries(self) -> tuple[str, ...]:
        """In the order in which they are asked."""
        return (self.registry, *self.further_registries)


def _registries(environ: Mapping[str, str] | None) -> list[str]:
    written = variable("MESHWAY_URL", REGISTRY, environ).replace(",", " ").split()
    urls = [http_url("MESHWAY_URL", REGISTRY, {"MESHWAY_URL": one}) for one in written]
    return list(dict.fromkeys(urls)) or [REGISTRY]
