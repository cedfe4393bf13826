"""What several of the API's operations take and answer alike, for its description."""

from __future__ import annotations

from typing import Final

from registry.manners.openapi import Parameter

PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
PREFER: Final = Parameter(
    name="Prefer",
    about="`wait=10`: answer when all live gateways run the revision; see Meshway-Applied and Meshway-Pending.",
    place="header",
)
IF_MATCH: Final = Parameter(name="If-Match", about="The ETag of what was read: 412 when it changed.", place="header")
ONCE: Final = Parameter(
    name="Idempotency-Key", about="Sent again within 24 h it gets the first answer.", place="header"
)
PAGE: Final = (
    Parameter(name="limit", about="Rows a page.", schema={"type": "integer", "minimum": 1, "maximum": 1000}),
    Parameter(name="cursor", about="`next` of the page before."),
)
