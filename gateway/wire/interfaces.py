"""How the relay speaks to both sides, whatever the HTTP version: the relay knows no socket.

Both sides push into the relay by its callbacks and are pulled back by pause and resume. Bytes are passed on as they
come; nobody collects a body.
"""

from typing import TYPE_CHECKING, Protocol

from gateway.exchange import Exchange, Reply
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.upstream.endpoint import Endpoint


class Downstream(Protocol):
    """The caller's side of one exchange."""

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool) -> None:
        """Head and first body piece in one write. ended: the message is whole with it."""

    def send_body(self, data: bytes) -> None: ...

    def send_trailers_and_end(self, trailers: bytes) -> None:
        """trailers: a block of fields, or b"". The message is whole."""

    def send_interim(self, head: ResponseHead) -> None:
        """A 1xx answer (RFC 9110 §15.2)."""

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        """An answer of our own, whole."""

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        """101, and from here on bytes both ways."""

    def abort(self) -> None:
        """The answer cannot be finished: cut, so that nobody takes it for whole."""

    def pause_body(self) -> None:
        """The other side is slow: read no more of the request."""

    def resume_body(self) -> None: ...


class UpstreamEvents(Protocol):
    """What an attempt hears from its upstream exchange."""

    def on_head(self, head: ResponseHead, first: bytes, ended: bool) -> None: ...

    def on_interim(self, head: ResponseHead) -> None: ...

    def on_body(self, data: bytes) -> None: ...

    def on_end(self, trailers: bytes) -> None: ...

    def on_upgrade(self, head: ResponseHead, first: bytes) -> None: ...

    def on_failure(self, kind: str, detail: str) -> None:
        """kind: `connect_failure reset stale_connection upstream_protocol`, nothing follows."""

    def on_write_paused(self) -> None:
        """The upstream does not take what we send."""

    def on_write_resumed(self) -> None: ...


class Upstream(Protocol):
    """One connection to an endpoint, as the pool holds it."""

    endpoint: "Endpoint"
    is_reused: bool

    def send_request(self, exchange: Exchange, events: UpstreamEvents, first: bytes, ended: bool) -> None:
        """Head and first body piece in one write. Framing: the exchange's head.body."""

    def send_body(self, data: bytes) -> None: ...

    def send_end(self, trailers: bytes) -> None: ...

    def pause_body(self) -> None:
        """The caller is slow: read no more of the answer."""

    def resume_body(self) -> None: ...

    def cancel(self) -> None:
        """The exchange is over for us before the answer was: close the connection."""
