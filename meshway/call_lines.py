"""Lines of the access log as gateways tell registries of them, and registries and taps show them; one definition."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

PATH: Final = "/v1/requests"
MOST_LINES: Final = 1_000  # of one message
TAP: Final = "tap"  # the kind of the feed's question
MOST_TAPPED: Final = 100  # lines of one answer
# Characters of what a caller may write as long as he likes, in a line that leaves its worker: a hundred of the longest
# go into one frame, and some thousands wait in memory.
MOST_TEXT: Final = 1_024


class CallLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call; docs/guide/observability.md tells of each field. node: the gateway it came by."""

    time: str
    duration_ms: float
    first_byte_ms: float | None = None
    listener: str = ""
    peer: str = ""
    principal: str = ""
    method: str = ""
    authority: str = ""
    path: str = ""
    route: str = ""
    rule: str = ""
    service: str = ""
    instance: str = ""
    status: int = 0
    flag: str = ""
    reason: str = ""
    attempts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    request_id: str = ""
    trace_id: str = ""
    protocol: str = ""
    cache: str = ""
    grpc_status: int | UnsetType = UNSET
    close_code: int | UnsetType = UNSET
    messages_in: int | UnsetType = UNSET
    messages_out: int | UnsetType = UNSET
    policy: str = ""
    detail: str = ""
    attempts_detail: tuple[dict[str, Any], ...] = ()
    node: str = ""

    def shortened(self) -> "CallLine":
        """Without the end of what is too long."""
        if max(len(self.path), len(self.authority), len(self.detail), len(self.principal)) <= MOST_TEXT:
            return self
        return msgspec.structs.replace(
            self,
            path=self.path[:MOST_TEXT],
            authority=self.authority[:MOST_TEXT],
            detail=self.detail[:MOST_TEXT],
            principal=self.principal[:MOST_TEXT],
        )

    @property
    def namespaces(self) -> frozenset[str]:
        """Whose call it is: of its route, and of its service; none of one that came nowhere."""
        return frozenset(name.partition("/")[0] for name in (self.route, self.service) if name)


class CallsTold(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v1/requests`. boot, sequence: of the gateway's start, and of the message since then: what comes twice
    counts once."""

    node: Annotated[str, Meta(max_length=253)]
    boot: Annotated[str, Meta(max_length=64)]
    sequence: int
    calls: Annotated[tuple[CallLine, ...], Meta(max_length=MOST_LINES)]


class TapQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Asked again and again while somebody listens: what came since the last time. id: of the listener. filter: of
    meshway/call_filter.py. percent: of the calls that fit. namespaces: whose calls, None: all."""

    id: str
    filter: str = ""
    percent: float = 100.0
    namespaces: frozenset[str] | None = None


class Tapped(msgspec.Struct, frozen=True, kw_only=True):
    """lines: as they are written, the oldest first. seen: calls that fitted; left_out: those of them that are not among
    the lines."""

    node: str
    lines: list[CallLine] = []
    seen: int = 0
    left_out: int = 0
    error: str = ""
