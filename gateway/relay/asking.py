"""A call's request once more, for what the gateway itself asks with it: copies of calls, answers for its cache."""

from gateway.exchange import Exchange


def copy_of(exchange: Exchange, now: float) -> Exchange:
    """As the service would get it. An exchange of its own: the call's goes on and changes."""
    copy = Exchange(
        exchange.head,
        exchange.listener,
        exchange.peer,
        now,
        exchange.scheme,
        exchange.forwarded,
        exchange.listener_name,
    )
    copy.method, copy.path, copy.query = exchange.method, exchange.path, exchange.query
    copy.host, copy.authority = exchange.host, exchange.authority
    copy.block = exchange.block
    copy.request_id, copy.traceparent = exchange.request_id, exchange.traceparent
    copy.principal = exchange.principal
    return copy
