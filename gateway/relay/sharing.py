"""Who may have what was asked for by another: by what Vary names, and by whether he may call whoever it came from."""

from typing import TYPE_CHECKING

from gateway.cache.selection import asked_with, varying
from gateway.cache.stored import StoredAnswer
from gateway.exchange import Exchange

if TYPE_CHECKING:
    from gateway.relay.reader import Reader


def served_by(exchange: Exchange) -> tuple[str, tuple[str, str, str]]:
    """A cluster's name and an endpoint's key. exchange: of a call that has its answer from a service."""
    assert exchange.cluster is not None
    assert exchange.endpoint is not None
    return exchange.cluster.name, exchange.endpoint.key


def may_share(reader: "Reader", origin: bytes, asked: bytes, own: Exchange) -> bool:
    """An answer on its way. origin: its fields, as the service sent them. asked: those of the request for it. own: by
    which it was asked."""
    names, exchange = varying(origin), reader.call.exchange
    if names is None or asked_with(names, exchange.block) != asked_with(names, asked):
        return False
    guard = reader.plan.guard
    return guard is None or guard.refusal(exchange, *served_by(own)) is None


def may_get(reader: "Reader", stored: StoredAnswer) -> bool:
    """One that is kept: who waits has asked for the same, but for what Vary names."""
    exchange, guard = reader.call.exchange, reader.plan.guard
    names = [name for name, _ in stored.asked_with]
    if asked_with(names, exchange.block) != stored.asked_with:
        return False
    return guard is None or guard.refusal(exchange, *stored.served_by) is None


def credit(exchange: Exchange, own: Exchange) -> None:
    """The first caller's call is the one that went to the service; the log says where. own: by which it was asked."""
    exchange.cluster, exchange.endpoint, exchange.attempts = own.cluster, own.endpoint, own.attempts
    exchange.tried, exchange.retried_at = own.tried, own.retried_at
    exchange.plan = own.plan  # of the destination that was drawn
