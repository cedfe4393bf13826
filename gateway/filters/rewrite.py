"""Changes path, query or host that the upstream sees. A rewritten path is made canonical again before it goes out."""

from collections.abc import Sequence

from gateway.exchange import Exchange, Reply
from gateway.filters.host_from_header import compile_host
from gateway.plan import STRICT, RequestFilter, Slashes
from gateway.routing.path import PathError
from gateway.routing.path_change import PathChange, compile_path_change
from meshway.model.match import PathMatch
from meshway.model.route import Rewrite


def compile_filter(rewrite: Rewrite, paths: Sequence[PathMatch], keeps: Slashes = STRICT) -> RequestFilter:
    """paths: canonical, of the rule's matches, for what `path` takes over from them. keeps: as in the rule's plan."""
    change: PathChange | None = None
    if rewrite.path is not None:
        change = compile_path_change(rewrite.path, paths, keeps)
    authority = rewrite.host.encode() if rewrite.host else b""
    host_of = compile_host(rewrite.host_from_header) if rewrite.host_from_header else None

    def rewrite_request(exchange: Exchange) -> Reply | None:
        if authority:
            exchange.authority = authority
        elif host_of is not None:
            exchange.authority = host_of(exchange) or exchange.authority
        if change is not None:
            try:
                exchange.path, exchange.query = change(exchange.path, exchange.query)
            except PathError as error:
                return Reply(error.status, error.code, "DPE", f"after the rewrite {error.detail}")
        return None

    return rewrite_request
