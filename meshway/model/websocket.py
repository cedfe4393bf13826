"""The `websocket` block of a Route's rule: what of WebSocket (RFC 6455) passes."""

from typing import Annotated, Literal

from msgspec import Meta, field

from meshway.model.document import Part
from meshway.model.match import Text
from meshway.units import Duration, Size

MAX_FRAME_DEFAULT = Size(1 << 20)
MAX_MESSAGE_DEFAULT = Size(16 << 20)
MAX_MESSAGE_BOUND = Size(64 << 20)
SAME_HOST = "same_host"


class WebSocket(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """With the block, handshakes and frames are held to RFC 6455; without, bytes pass as they are.

    max_frame, max_message: of payload, as it comes; what is larger closes with 1009. ping_every: both sides are asked
    whether they live, and one that lets a whole such span pass in silence is left; 0s: nobody is. origins: the pages
    that may call, `same_host` on the edge where nothing is said; a caller that names no origin is no page.
    subprotocols: those that may be spoken, where there are any.
    """

    allow: bool = True
    max_frame: Size = field(default_factory=lambda: MAX_FRAME_DEFAULT)
    max_message: Size = field(default_factory=lambda: MAX_MESSAGE_DEFAULT)
    ping_every: Duration = field(default_factory=lambda: Duration(0.0))
    origins: Literal["same_host"] | Annotated[tuple[Text, ...], Meta(min_length=1, max_length=64)] | None = None
    subprotocols: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
