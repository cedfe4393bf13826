"""Where a service finds its mesh."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from meshway.settings import http_url, variable

REGISTRY: Final = "http://127.0.0.1:8500"
_log = logging.getLogger("meshway.client")
GATEWAY: Final = "http://127.0.0.1:8581"


class MeshSettings(msgspec.Struct, frozen=True, kw_only=True):
    """registry, gateway: base URLs; the gateway's is its mesh listener. token_file: read anew for every request, so
    that a rotated token needs no restart. service: this program's own name. instance: the id of this copy. address:
    what others reach it by.
    """

    registry: str = REGISTRY
    gateway: str = GATEWAY
    namespace: str = "default"
    service: str = ""
    instance: str = ""
    address: str = ""
    zone: str = ""
    token_file: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> MeshSettings:
        """Reads MESHWAY_URL, _GATEWAY, _NAMESPACE, _SERVICE, _INSTANCE, _ADDRESS, _ZONE and _TOKEN_FILE.

        Of several registries the first is taken: a service starts whatever stands there. Raises SettingError.
        """
        token_file = variable("MESHWAY_TOKEN_FILE", "", environ)
        return cls(
            registry=_registry(environ),
            gateway=http_url("MESHWAY_GATEWAY", GATEWAY, environ),
            namespace=variable("MESHWAY_NAMESPACE", "default", environ),
            service=variable("MESHWAY_SERVICE", "", environ),
            instance=variable("MESHWAY_INSTANCE", "", environ),
            address=variable("MESHWAY_ADDRESS", "", environ),
            zone=variable("MESHWAY_ZONE", "", environ),
            token_file=Path(token_file) if token_file else None,
        )


def _registry(environ: Mapping[str, str] | None) -> str:
    first, *others = variable("MESHWAY_URL", REGISTRY, environ).replace(",", " ").split()
    url = http_url("MESHWAY_URL", REGISTRY, {"MESHWAY_URL": first})
    if others:
        _log.warning(
            "MESHWAY_URL names %d registries; %s is asked: write one, or a name that leads to all of them",
            1 + len(others),
            url,
        )
    return url
