"""Sends the caller elsewhere, with his query unless the new path has one (Gateway API's HTTPRequestRedirectFilter)."""

from collections.abc import Sequence
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.filters.host_from_header import compile_host
from gateway.plan import STRICT, RequestFilter, Slashes
from gateway.routing.path import PathError
from gateway.routing.path_change import PathChange, compile_path_change
from meshway.model.match import PathMatch
from meshway.model.route import Redirect

_SCHEMES: Final = {80: b"http", 443: b"https"}  # by the port that need not be written


def compile_filter(redirect: Redirect, paths: Sequence[PathMatch], keeps: Slashes = STRICT) -> RequestFilter:
    """paths: as for rewrite."""
    change: PathChange | None = None
    if redirect.path is not None:
        change = compile_path_change(redirect.path, paths, keeps)
    scheme = redirect.scheme.encode() if redirect.scheme else b""
    host = redirect.host.encode() if redirect.host else b""
    host_of = compile_host(redirect.host_from_header) if redirect.host_from_header else None
    port = b":%d" % redirect.port if redirect.port else b""
    unwritten_for = _SCHEMES.get(redirect.port or 0)
    status = redirect.status

    def redirect_caller(exchange: Exchange) -> Reply | None:
        path, query = exchange.path, exchange.query
        if change is not None:
            try:
                path, query = change(path, query)
            except PathError as error:
                return Reply(error.status, error.code, "DPE", f"after the redirect {error.detail}")
        to = scheme or exchange.scheme
        written = b"" if to == unwritten_for else port
        named = host_of(exchange) if host_of is not None else host
        location = to + b"://" + _authority(exchange, named, written, keeps_port=not scheme and not port)
        location += path + query
        return Reply(status, "redirect", "", fields=b"Location: " + location + b"\r\n", body=b"")

    return redirect_caller


def _authority(exchange: Exchange, host: bytes, port: bytes, *, keeps_port: bool) -> bytes:
    """A port that was asked for stays only while the scheme does: 8080 of http is no port of https."""
    asked = exchange.authority
    name, colon, digits = asked.rpartition(b":")
    if not colon or not digits.isdigit():
        name, digits = asked, b""
    if not port and keeps_port and digits:
        port = b":" + digits
    return (host or name) + port
