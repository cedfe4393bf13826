"""Tells callers that what they call will go: Deprecation (RFC 9745), Sunset (RFC 8594) and a Link to read on.

Every answer says it, our own refusals too; what the service itself says of these fields is taken out.
"""

from email.utils import formatdate
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.plan import RequestFilter, ResponseFilter
from meshway.http1.fields import remove
from meshway.http1.message import ResponseHead
from meshway.model.instant import parse_instant
from meshway.model.rule_actions import Deprecation

_NAMES: Final = (b"deprecation", b"sunset")


def compile_filter(deprecation: Deprecation) -> RequestFilter:
    lines: list[str] = []
    if deprecation.since is not None:
        lines.append(f"Deprecation: @{int(parse_instant(deprecation.since))}\r\n")
    if deprecation.sunset is not None:
        lines.append(f"Sunset: {formatdate(parse_instant(deprecation.sunset), usegmt=True)}\r\n")
    if deprecation.link is not None:
        relation = "deprecation" if deprecation.since is not None else "sunset"
        lines.append(f'Link: <{deprecation.link}>; rel="{relation}"\r\n')
    fields = "".join(lines).encode("ascii")

    def announce(exchange: Exchange) -> Reply | None:
        exchange.added += fields
        return None

    return announce


def compile_response_filter() -> ResponseFilter:
    def take_over(head: ResponseHead) -> None:
        head.block = remove(head.block, _NAMES)

    return take_over
