"""What is asked about a call, and what is told of it: spoken by gateways, the registry and the command.

`POST /v1/explain` takes a `CallQuestion` and answers an `Explanation`. Documents are named as in messages
(`Route shop/cart`, `built in` where nobody said so); path is the field in one, from its root.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from meshway.model.document import Label

EXPLAIN: Final = "explain"  # the kind of the feed's question


class CallQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A call, or connection, that nobody makes.

    url: of a call required; at a Listener of tls the host that the handshake names, by CONNECT host and port.
    listener: the name of any, `edge` or `mesh` or a document's; none: mesh for the name of a service and edge for any
    other. as_: a service
    (`reviews`, `shop/web`), one of whose instances calls. address: the caller's, instead. documents: explain as if
    these were applied, `{apiVersion, kind, metadata, spec}` each. gateway: whose word is wanted, the node's name.
    """

    method: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,32}$(?!\n)")] = "GET"
    url: Annotated[str, Meta(max_length=8192)] = ""
    headers: Annotated[dict[str, str], Meta(max_length=100)] = {}
    listener: Label | None = None
    as_: Annotated[str, Meta(max_length=200)] | None = msgspec.field(name="as", default=None)
    address: Annotated[str, Meta(max_length=64)] | None = None
    documents: Annotated[tuple[dict[str, Any], ...], Meta(max_length=1000)] = ()
    gateway: Annotated[str, Meta(max_length=253)] | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By whose word. revision: of the document, added by the registry; None for what is built in and for drafts.

    file, line: where it was written when that revision was published from a file, added by the registry as well.
    """

    document: str
    path: str = ""
    revision: int | None = None
    file: str = ""
    line: int = 0


class Tried(Said, frozen=True, kw_only=True, omit_defaults=True):
    """A match that was asked before the one that has the call, and why it does not have it."""

    route: str
    rule: str
    failed: str


class FilterVerdict(Said, frozen=True, kw_only=True, omit_defaults=True):
    """verdict: `pass change delay refuse answer`, `may delay`, `may refuse`; what comes behind a `refuse` or `answer`
    is not asked."""

    name: str
    verdict: str
    detail: str = ""


class EndpointState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """share_percent: of the destination's calls that it is given by weight, 0 where it is not eligible."""

    id: str
    address: str
    state: str
    weight: int
    eligible: bool = False
    share_percent: float = 0.0
    in_flight: int = 0
    why: str = ""


class Setting(Said, frozen=True, kw_only=True, omit_defaults=True):
    """One value of timeouts, retry or of how a service is called."""

    field: str
    value: str


class DestinationState(Said, frozen=True, kw_only=True, omit_defaults=True):
    """service: `shop/reviews`, with `#subset` and `:port`. share_percent: by the rule's weights. admission: what
    breaker and bulkhead would say. endpoints_left_out: of a long list."""

    service: str
    share_percent: float
    admission: str
    endpoints: list[EndpointState] = []
    endpoints_left_out: int = 0
    settings: list[Setting] = []


class Picked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the call would go. by: the algorithm; where chance has a part this is one draw of it."""

    service: str
    endpoint: str
    address: str
    by: str


class Went(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a call that was made went at last: instance "" where it reached none."""

    instance: str = ""
    attempts: int = 0


class Answered(Said, frozen=True, kw_only=True, omit_defaults=True):
    """An answer that the gateway would give itself."""

    status: int
    reason: str
    detail: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """revision, gateway: of whose tables. listener: its name. draft: with documents that are not applied; then breakers
    and limits stand as at a start. matched: by whose word the rule has the call, None: no rule has. answered: instead
    of picked. went: of a call that was made (`Meshway-Explain: 1`); all else is told of the moment before it."""

    gateway: str
    revision: int
    draft: bool = False
    listener: str
    method: str
    host: str
    path: str
    caller: str
    route: str = ""
    rule: str = ""
    matched: Said | None = None
    tried: list[Tried] = []
    tried_left_out: int = 0
    filters: list[FilterVerdict] = []
    settings: list[Setting] = []
    destinations: list[DestinationState] = []
    picked: Picked | None = None
    answered: Answered | None = None
    went: Went | None = None
