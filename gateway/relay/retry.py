"""What of a failed attempt makes a second one right, and how long to wait for it.

Conditions as in Envoy's retry_on; idempotence as RFC 9110 §9.2.2. A request that may have reached the application is
repeated only when repeating it does no harm: the method says so, the caller does by Idempotency-Key, or the route does.
"""

from dataclasses import dataclass
from typing import Final

from gateway.exchange import Exchange
from gateway.plan import GRPC_STATUS, RetryPlan
from gateway.relay.grpc_outcome import pushback_s
from meshway.http1.fields import find
from meshway.http1.message import ResponseHead

IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
NEVER_REACHED: Final = frozenset({"connect_failure", "refused_stream", "reset_before_request"})


@dataclass(slots=True, frozen=True)
class Failure:
    """What an attempt that brought no usable answer means.

    status, reason, flag: of our answer, if there is no other attempt. outcome: told to the cluster. condition: of the
    retry policy, "" = never repeated. limit: the field of the policy whose time was up, "" = the service failed.
    """

    status: int
    reason: str
    flag: str
    outcome: str
    condition: str
    limit: str = ""


FAILURES: Final = {
    "connect_failure": Failure(502, "connect_failed", "UF", "connect_failure", "connect_failure"),
    "reset": Failure(502, "upstream_reset", "UC", "reset", "reset"),
    "reset_before_request": Failure(502, "upstream_reset", "UC", "reset", "reset_before_request"),
    "stale_connection": Failure(502, "upstream_reset", "UC", "stale_connection", "stale_connection"),
    "upstream_protocol": Failure(502, "upstream_protocol", "UPE", "upstream_protocol", ""),
    "first_byte_timeout": Failure(
        504, "first_byte_timeout", "UT", "first_byte_timeout", "attempt_timeout", "timeouts.first_byte"
    ),
    "attempt_timeout": Failure(504, "attempt_timeout", "UT", "attempt_timeout", "attempt_timeout", "timeouts.attempt"),
    "idle_timeout": Failure(504, "idle_timeout", "SI", "attempt_timeout", "", "timeouts.idle"),
    # It speaks another version of HTTP than the upgrade needs: for other calls it is as good as ever.
    "no_upgrade": Failure(502, "upgrade_unsupported", "UPE", "cancelled", ""),
    "upgraded_idle": Failure(504, "idle_timeout", "SI", "cancelled", "", "timeouts.upgraded_idle"),
    "idle_caller": Failure(408, "request_timeout", "SI", "cancelled", "", "timeouts.idle"),
}


def is_listed(retry: RetryPlan, head: ResponseHead) -> bool:
    """Whether an answer with a status of the policy's is one to repeat.

    One of gRPC has its code in its head only where it has no message ("Trailers-Only"); others are passed on.
    """
    if not retry.grpc_codes or head.status != GRPC_STATUS:
        return True
    code = find(head.block, b"grpc-status")
    return code is not None and code.isdigit() and len(code) <= 2 and int(code) in retry.grpc_codes


def is_harmless(exchange: Exchange, retry: RetryPlan, condition: str) -> bool:
    """Whether the request may be sent again after this."""
    return condition in NEVER_REACHED or retry.non_idempotent or is_repeatable(exchange)


def is_repeatable(exchange: Exchange) -> bool:
    """Whether to carry the request out twice does no harm, whatever became of the first time."""
    return exchange.method in IDEMPOTENT or b"idempotency-key" in exchange.head.named


def backoff_s(retry: RetryPlan, retries: int, chance: float) -> float:
    """Full jitter (Brooker 2015): uniform(0, min(max, base * 2^retries)). chance: uniform in [0, 1)."""
    return chance * min(retry.backoff_max_s, retry.backoff_base_s * 2.0**retries)


def asked_wait_s(head: ResponseHead) -> float | None:
    """Seconds that whoever answered wants to be left alone; None: no other attempt is wanted at all."""
    pushed_s = pushback_s(head)
    return None if pushed_s is None else max(pushed_s, retry_after_s(head.named.get(b"retry-after")))


def retry_after_s(value: bytes | None) -> float:
    """Seconds of a Retry-After field; dates and nonsense are 0, since they only ever lengthen a wait."""
    if value is None or not value.isdigit() or len(value) > 6:
        return 0.0
    return float(value)
