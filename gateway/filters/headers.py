"""Sets, adds and removes header fields: of the request on its way in, of the answer on its way out.

Order: remove, set, add, so that a document reads the same whatever order it is written in.
"""

from gateway.exchange import Exchange, Reply
from gateway.plan import RequestFilter, ResponseFilter
from meshway.http1.fields import remove
from meshway.http1.message import ResponseHead
from meshway.model.route import HeaderChanges


def compile_request_filter(changes: HeaderChanges) -> RequestFilter:
    names, added = _gone(changes), _added(changes)

    def add_headers(exchange: Exchange) -> Reply | None:
        exchange.block += added
        return None

    def change_headers(exchange: Exchange) -> Reply | None:
        exchange.block = remove(exchange.block, names) + added
        return None

    return change_headers if names else add_headers


def compile_reply_filter(changes: HeaderChanges) -> RequestFilter:
    """For a rule that answers itself: there is nothing to remove."""
    added = _added(changes)

    def add_to_reply(exchange: Exchange) -> Reply | None:
        exchange.added += added
        return None

    return add_to_reply


def compile_response_filter(changes: HeaderChanges) -> ResponseFilter:
    names, added = _gone(changes), _added(changes)

    def add_headers(head: ResponseHead) -> None:
        head.block += added

    def change_headers(head: ResponseHead) -> None:
        head.block = remove(head.block, names) + added

    return change_headers if names else add_headers


def _gone(changes: HeaderChanges) -> tuple[bytes, ...]:
    """Lower-case names that must not stay: what is removed, and what is set anew."""
    return tuple(sorted({name.lower().encode() for name in (*changes.remove, *changes.set)}))


def _added(changes: HeaderChanges) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in (*changes.set.items(), *changes.add.items())]
    return "".join(lines).encode("latin-1")
