"""Lines of services' logs as registries keep and show them; one definition."""

from typing import Any, Final

import msgspec

PATH: Final = "/v1/logs"
FOLLOW: Final = "/v1/logs/follow"


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """time: RFC 3339, UTC. service: `namespace/name`. severity: `trace debug info warn error fatal`, "": not said.
    text: what was written; a body that is no text as JSON. resource: of what wrote it, without its names."""

    time: str
    service: str
    instance: str = ""
    severity: str = ""
    text: str = ""
    logger: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
