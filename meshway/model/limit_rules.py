"""What must hold between the fields of a RateLimit, and inside its quota and its cost."""

from collections.abc import Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meshway.model.names import TOKEN
from meshway.model.rule_kit import BlockRule, Finding, bounded, one_of


def _cost_header(part: Any) -> Iterator[Finding]:
    for name in ("request_header", "response_header"):
        value = getattr(part, name)
        if value is not None and not TOKEN.match(value):
            yield Finding(f".{name}", "bad_name", f'"{value}" is no header name')


def _affordable(part: Any) -> Iterator[Finding]:
    """What no call can pay would refuse all of them for ever."""
    bucket, window, quota, cost = part.token_bucket, part.sliding_window, part.quota, part.cost
    if part.in_flight is not None and cost != 1:
        yield Finding(".cost", "forbidden_combination", "is not for in_flight, which counts calls while they run")
    if not isinstance(cost, int):
        return
    if bucket is not None:
        most = bucket.burst if bucket.burst is not None else max(int(bucket.rate), 1)
        name = "the burst"
    elif window is not None or quota is not None:
        most, name = (window or quota).limit, "the limit"
    else:
        return
    if cost > most:
        yield Finding(".cost", "out_of_bounds", f"{cost} is above {name} of {most}: no call would ever pass")


def _patient(part: Any) -> Iterator[Finding]:
    if part.quota is not None and part.max_wait:
        reason = "is not for a quota, which comes back at the end of its period only"
        yield Finding(".max_wait", "forbidden_combination", reason)


def _timezone(part: Any) -> Iterator[Finding]:
    if part.timezone == "UTC":
        return
    try:
        ZoneInfo(part.timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        reason = f'"{part.timezone}" is no time zone known here; write one such as UTC or Europe/Paris'
        yield Finding(".timezone", "out_of_bounds", reason)


COST_RULES: Final = (
    one_of("request_header", "response_header", "request_bytes"),
    BlockRule(("request_header", "response_header"), _cost_header),
    bounded("request_bytes", 1, 1 << 30, zero=False),
)
QUOTA_RULES: Final = (BlockRule(("timezone",), _timezone),)
LIMIT_RULES: Final = (
    BlockRule(("token_bucket", "sliding_window", "quota", "in_flight", "cost"), _affordable),
    BlockRule(("quota", "max_wait"), _patient),
)
