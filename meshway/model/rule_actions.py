"""What a Route's rule does to a call beside sending it somewhere: the blocks of a rule, one Struct each."""

from typing import Annotated

from msgspec import Meta

from meshway.model.document import Part
from meshway.units import Size

MAX_BODY_DEFAULT = Size(100 << 20)


class Respond(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The gateway answers itself. body: at most 64 KiB of UTF-8; 204, 205 and 304 have none."""

    status: Annotated[int, Meta(ge=200, le=599)]
    body: str = ""
    content_type: Annotated[str, Meta(min_length=1, max_length=255)] = "text/plain; charset=utf-8"


class RequestBody(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Without the block any body passes. min_rate: bytes per second over ten seconds; the listener's own holds, too."""

    max: Size = MAX_BODY_DEFAULT
    min_rate: Size = Size(0)
