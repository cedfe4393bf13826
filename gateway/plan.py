"""What a route compiles to, and what compiling needs. What a route does not use is not in its tuples."""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from gateway.consumer_ring import ConsumerRing
from gateway.exchange import Exchange, Hold, Reply, WholeBody
from gateway.nonces import Nonces, OwnNonces
from gateway.request_fields import RequestFields
from gateway.secret_ring import SecretRing
from gateway.verdict import AnswerTranslation, Detour, Recoding, Turn
from meshway.http1.message import ResponseHead
from meshway.issuers.key_ring import KeyRing
from meshway.issuers.link import IssuerLink
from meshway.passwords import PasswordWork

if TYPE_CHECKING:
    from gateway.host_table import HostTable
    from gateway.limits.desk import Desk
    from gateway.limits.line import Advancing
    from gateway.telemetry.counters import Counters
    from gateway.upstream.cluster import Cluster
    from gateway.upstream.endpoint import Endpoint
    from gateway.upstream.pool import Pool
    from gateway.upstream.shared_pool import SharedPool
    from gateway.upstream.transition import Transition

RequestFilter = Callable[
    [Exchange], "Reply | Hold | Turn | WholeBody | Recoding | Detour | Awaitable[Reply | None] | None"
]
ResponseFilter = Callable[[ResponseHead], None]  # what it does depends on the head alone
BUILT_IN: Final = "built in"  # by nobody's word
GRPC_STATUS: Final = 200  # of every answer of gRPC, whose own code is in a field
ChooseCluster = Callable[[Exchange], "Cluster"]


class Slashes(NamedTuple):
    """Which slashes of a path stay as they came: encoded ones (`%2F`, `%5C`), repeated ones."""

    encoded: bool = False
    doubled: bool = False


STRICT: Final = Slashes()


class Forecast(NamedTuple):
    """What a filter would do with a call now. verdict: `pass change delay refuse answer`, `may delay`, `may refuse`.

    detail: in words. document: whose word it is, "" = the rule's. reply: what the caller would get.
    """

    verdict: str
    detail: str
    document: str = ""
    reply: Reply | None = None


class FilterStep(NamedTuple):
    """A request filter with its name. at: the field of the rule it comes from, "" = of another document.

    forecast: where running it would spend, draw or wait: tells what it would do.
    """

    name: str
    at: str
    run: RequestFilter
    forecast: "Callable[[Exchange], Sequence[Forecast]] | None" = None


@dataclass(slots=True, frozen=True)
class RetryPlan:
    """When and how often an attempt is repeated. statuses, conditions: what counts as retryable. Times in seconds.

    grpc_codes: where there are any, statuses has GRPC_STATUS, which then counts only with one of these codes.
    """

    max_retries: int
    conditions: frozenset[str]
    statuses: frozenset[int]
    backoff_base_s: float
    backoff_max_s: float
    budget_percent: float
    budget_min_per_s: float
    non_idempotent: bool
    buffer: int
    same_endpoint: bool
    grpc_codes: frozenset[int] = frozenset()


@dataclass(slots=True, frozen=True)
class HedgePlan:
    """Further attempts beside one that has no answer yet. most: of them in a call.

    after_s: how long to wait for an answer, by what is known at a time (monotonic seconds); inf = no hedge now.
    learn: told how long a call waited for its answer, and when it came; None = nobody asks. after: as it was written.
    """

    most: int
    after_s: Callable[[float], float]
    learn: Callable[[float, float], None] | None = None
    after: str = ""


class Guard(Protocol):
    def refusal(self, exchange: Exchange, cluster: str, endpoint: tuple[str, str, str]) -> Reply | None:
        """cluster: its name. endpoint: the key of the one that was picked: it may be another service's."""

    def forecast(self, exchange: Exchange, cluster: str, service: tuple[str, str]) -> Sequence[Forecast]:
        """service: namespace and name. Spends and counts nothing."""


class EncodedBody(Protocol):
    """An answer's body on its way into another encoding, bit by bit."""

    def feed(self, data: bytes) -> bytes: ...

    def end(self) -> bytes:
        """The last bytes; nothing is fed after them."""


class AnswerEncoding(Protocol):
    """What becomes of answers with one head. head: as it goes on while the length of the encoded body is not known.
    coding: its name."""

    head: ResponseHead
    coding: bytes

    def whole(self, data: bytes) -> tuple[ResponseHead, bytes]:
        """Of an answer that is all there: head, with the length, and body."""

    def begin(self, size: int) -> EncodedBody:
        """size: of what comes, below 0 = unknown."""


Settle = Callable[[Exchange, ResponseHead], None]
Encode = Callable[[Exchange, ResponseHead], AnswerEncoding | AnswerTranslation | None]  # None: it stays as it is


@dataclass(slots=True, frozen=True)
class ComparePlan:
    """What of a copy's answer is held against the call's own. slower_s: so much later may it begin, inf = not asked.

    fields: paths in JSON bodies. count: told of each difference (`status latency json_fields`), or of `same`,
    `incomparable` (no JSON, or too long) and `unanswered`.
    """

    status: bool
    slower_s: float
    fields: tuple[tuple[str, ...], ...]
    count: Callable[[str], None]


@dataclass(slots=True, frozen=True)
class MirrorPlan:
    """Where copies of a rule's calls go. share: of the calls, 0 to 1. count: told of each copy's outcome.

    Outcomes: `answered failed no_endpoint too_large busy denied`; the last four were never sent. guard: as in
    RoutePlan.
    """

    cluster: "Cluster"
    share: float
    count: Callable[[str], None]
    guard: "Guard | None" = None
    compare: ComparePlan | None = None


@dataclass(slots=True, frozen=True)
class WebSocketPlan:
    """What of a WebSocket passes. max_frame, max_message: bytes of payload. ping_every_s: 0 = nobody is asked."""

    max_frame: int
    max_message: int
    ping_every_s: float


@dataclass(slots=True, frozen=True)
class RoutePlan:
    """The compiled form of one rule of one route.

    choose: draws the destination of one call; None when a request filter always answers (redirect).
    slot: index of this rule's counters. Timeouts in seconds, `inf` = none. max_body: bytes of a request's body.
    body_rate: least bytes per second of one, 0 = what the listener says. settle: is told of the service's answer, as it
    came; encode: of answers; a plan that has one of these has response filters, too.
    limit_share: of an adaptive limit, what these calls may fill; criticality_line: tells the service, b"" where it is
    the usual. replay: bytes of a request's body that are kept for further attempts. sources: by whose word a field of
    timeouts and retry is what it is (`timeouts.deadline`: a document, or `built in`). steps: of the request filters,
    one each. guard: whether the service that is about to be called may be, where the filters could not know which one
    it would be. slashes: which of the path stay as they came. claimed: names, lower-case, of fields by which services
    are told who calls; untrailed: of all that no caller's trailer may bring, these among them.
    service: `namespace/name` of the one that all its calls are for, "" = there are several, or none.
    websocket: None: bytes of an upgraded connection pass as they are. reaches: names of the clusters it leads to, those
    in whose place others are called among them.
    """

    route: str
    rule: str
    slot: int
    request_filters: tuple[RequestFilter, ...]
    response_filters: tuple[ResponseFilter, ...]
    choose: ChooseCluster | None
    retry: RetryPlan | None
    deadline_s: float
    attempt_s: float
    first_byte_s: float
    idle_s: float
    upgraded_idle_s: float
    max_body: float = math.inf
    body_rate: int = 0
    mirrors: tuple[MirrorPlan, ...] = ()
    settle: Settle | None = None
    encode: Encode | None = None
    limit_share: float = 0.9
    criticality_line: bytes = b""
    hedge: HedgePlan | None = None
    replay: int = 0
    sources: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[FilterStep, ...] = ()
    guard: "Guard | None" = None
    slashes: Slashes = STRICT
    claimed: frozenset[bytes] = frozenset()
    untrailed: frozenset[bytes] = frozenset()
    service: str = ""
    websocket: WebSocketPlan | None = None
    reaches: frozenset[str] = frozenset()


@dataclass(slots=True)
class Parts:
    """What compiled things are given instead of reaching for it: clock, chance, shares, counters, keys of issuers.

    now: monotonic seconds. wall: seconds since 1970. random: uniform in [0, 1). workers: live workers of this host
    (shares of limits). gateways: live ones of the mesh. worker: this worker's index, its column of the host table.
    zone: the gateway's, "" = unknown. aside: makes a value beside the loop and hands it over on it; at once where no
    loop is kept waiting. fields: what matches ask of a request beside its path. report: tells the supervisor of a
    transition. retire: told of an endpoint that is gone, so that its connections are closed. advancing: limits that
    have something to do at the next beat. desks: by a limit's scope, where it gets its assignments; without one a
    worker counts alone. trust_domain: of the mesh's authority, "": there is none. crosses_namespaces: Routes may send
    to other namespaces where no document says anything of it.
    pool, shared_pool: of connections to services, for what the gateway itself asks them by HTTP/1.1, and by gRPC.
    """

    now: Callable[[], float]
    random: Callable[[], float]
    workers: int = 1
    gateways: int = 1
    worker: int = 0
    zone: str = ""
    aside: "Callable[[Callable[[], Any], Callable[[Any], None]], None]" = field(default=lambda make, take: take(make()))
    wall: Callable[[], float] = time.time
    fields: RequestFields = field(default_factory=RequestFields)
    counters: "Counters | None" = None
    host_table: "HostTable | None" = None
    report: "Callable[[Transition], None]" = field(default=lambda _: None)
    retire: "Callable[[Endpoint], None]" = field(default=lambda _: None)
    advancing: "set[Advancing]" = field(default_factory=set)
    desks: "Mapping[str, Desk]" = field(default_factory=dict)
    keys: KeyRing = field(default_factory=KeyRing)
    issuers: IssuerLink = field(default_factory=lambda: IssuerLink(allow_loopback=False))
    secrets: SecretRing = field(default_factory=SecretRing)
    consumers: ConsumerRing = field(default_factory=ConsumerRing)
    passwords: PasswordWork = field(default_factory=PasswordWork)
    nonces: Nonces = field(default_factory=lambda: OwnNonces(time.time))
    pool: "Pool | None" = None
    shared_pool: "SharedPool | None" = None
    trust_domain: str = ""
    crosses_namespaces: bool = False
