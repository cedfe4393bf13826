"""Respond: an answer that a gateway gives itself, as a rule's action or in place of a service that fails."""

from typing import Annotated

from msgspec import Meta

from meshway.model.document import Part


class Respond(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The gateway answers itself. body: at most 64 KiB of UTF-8; 204, 205 and 304 have none."""

    status: Annotated[int, Meta(ge=200, le=599)]
    body: str = ""
    content_type: Annotated[str, Meta(min_length=1, max_length=255)] = "text/plain; charset=utf-8"
