"""One request and its answer, from the first filter to the access log: typed slots, no string-keyed bag."""

from typing import TYPE_CHECKING, Final

from meshway.http1.message import RequestHead, ResponseHead
from meshway.identity import Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.plan import RoutePlan
    from gateway.upstream.cluster import Cluster
    from gateway.upstream.endpoint import Endpoint
    from gateway.verdict import Turn
    from meshway.peer_certificate import PeerCertificate

EDGE: Final = 0
MESH: Final = 1
FACES: Final = ("edge", "mesh")  # by EDGE and MESH
NEVER: Final = float("inf")


class Reply:
    """An answer the gateway gives itself.

    reason: `meshway-reason` and problem code (`no_route`, `rate_limited`, …). flag: Envoy's response flag.
    fields: further header fields, each `Name: value CRLF`. body None: an RFC 9457 problem is made from the rest.
    close: the connection ends with this answer. policy: by whose word, a document (`RateLimit shop/five`) or, where
    there is none, what was called (`service shop/books`); "": the rule that has the call, or the listener. members:
    further ones of the problem document, also in place of the usual ones.
    """

    __slots__ = ("body", "close", "detail", "fields", "flag", "members", "policy", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        flag: str,
        detail: str = "",
        *,
        fields: bytes = b"",
        body: bytes | None = None,
        close: bool = False,
        policy: str = "",
        members: "Mapping[str, object] | None" = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.flag = flag
        self.detail = detail
        self.fields = fields
        self.body = body
        self.close = close
        self.policy = policy
        self.members = members


class Hold:
    """A filter's verdict: the call waits this many seconds, then goes on with the next filter."""

    __slots__ = ("wait_s",)

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s


class WholeBody:
    """A filter's verdict: the call waits until its request is whole, then goes on as judge says; of bytes it makes the
    body that the service gets. most: bytes; a longer body is refused, or is_partial: judged by what came until it was
    longer."""

    __slots__ = ("is_partial", "judge", "most")

    def __init__(
        self, most: int, judge: "Callable[[Exchange, bytes], Reply | Turn | bytes | None]", *, is_partial: bool = False
    ) -> None:
        self.most = most
        self.judge = judge
        self.is_partial = is_partial


class Exchange:
    """Times are seconds of the worker's monotonic clock.

    path: canonical path, what is matched, limited, logged and forwarded. query: with its `?`, or b"".
    block: fields to forward, filters may change it. added: fields a filter adds to the answer; replaced: names,
    lower-case, of those among them that stand in place of the service's, None: of none.
    server_name: the host that its connection's handshake named, "" = none, or it is without TLS.
    metadata: further members of its line in the log, each `,"name":JSON`.
    answer: the service's, as it came.
    grpc_code: the status of gRPC that the caller got, -1: none.
    host: what was matched (lower-case, no port); authority: the Host field to send.
    listener: its face, EDGE or MESH; listener_name: the one it came by.
    certificate: what the caller has proved by TLS, None: nothing.
    peer: the client's address, behind trusted proxies the right-most untrusted one. forwarded: the fields that tell
    the upstream of the way here (Via, X-Forwarded-*, Forwarded), each `Name: value CRLF`.
    endpoint: of the last attempt. tried: of the attempts before it, in order; where an earlier one of several that ran
    beside each other had the answer, endpoint is that one's and tried has all. retried_at: when each attempt after the
    first began. attempts: how many were begun.
    status: of the answer the caller got, 0 when he got none. reason, policy, detail: of an answer of our own, or of
    one that we cut: its code, by whose word (as in Reply), and in words.
    """

    __slots__ = (
        "added",
        "answer",
        "attempts",
        "authority",
        "block",
        "bytes_in",
        "bytes_out",
        "certificate",
        "cluster",
        "deadline",
        "detail",
        "endpoint",
        "first_byte",
        "flag",
        "forwarded",
        "grpc_code",
        "head",
        "host",
        "listener",
        "listener_name",
        "metadata",
        "method",
        "path",
        "peer",
        "plan",
        "policy",
        "principal",
        "query",
        "reason",
        "replaced",
        "request_id",
        "retried_at",
        "scheme",
        "server_name",
        "started",
        "status",
        "traceparent",
        "tried",
    )

    def __init__(
        self,
        head: RequestHead,
        listener: int,
        peer: str,
        started: float,
        scheme: bytes = b"http",
        forwarded: bytes = b"",
        listener_name: str = "",
    ) -> None:
        self.head = head
        self.method = head.method
        self.host = head.host
        self.authority = head.authority
        self.path = b""
        self.query = b""
        self.block = head.block
        self.added = b""
        self.metadata = b""
        self.server_name = ""
        self.replaced: frozenset[bytes] | None = None
        self.answer: ResponseHead | None = None
        self.listener = listener
        self.listener_name = listener_name or FACES[listener]
        self.peer = peer
        self.scheme = scheme
        self.principal: Principal | None = None
        self.certificate: PeerCertificate | None = None
        self.started = started
        self.first_byte = 0.0
        self.deadline = NEVER
        self.plan: RoutePlan | None = None
        self.cluster: Cluster | None = None
        self.endpoint: Endpoint | None = None
        self.attempts = 0
        self.grpc_code = -1
        self.status = 0
        self.flag = ""
        self.reason = ""
        self.policy = ""
        self.detail = ""
        self.request_id = b""
        self.traceparent = b""
        self.forwarded = forwarded
        self.tried: tuple[Endpoint, ...] = ()
        self.retried_at: tuple[float, ...] = ()
        self.bytes_in = 0
        self.bytes_out = 0

    def take_reply(self, reply: Reply) -> None:
        """The caller gets this answer of our own."""
        self.status = reply.status
        self.mark(reply.flag)
        self.blame(reply.reason, reply.policy, reply.detail)

    def blame(self, reason: str, policy: str, detail: str) -> None:
        """policy "": the rule that has the call, or where none has it the listener."""
        self.reason, self.detail = reason, detail
        if policy:
            self.policy = policy
        elif self.plan is not None:
            self.policy = f"Route {self.plan.route}"
        else:
            self.policy = f"listener {self.listener_name}"

    def mark(self, flag: str) -> None:
        """One more of Envoy's response flags, beside those of what happened before."""
        if flag:
            self.flag = f"{self.flag},{flag}" if self.flag else flag
