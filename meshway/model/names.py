"""How header names, header values and host names must look in a document."""

import re
from typing import Final

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2
FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z")
_MAX_HOST: Final = 253
# The registry of IANA (RFC 9110 §16.1.1), QUERY, which is on its way into it, and PURGE, which caches take.
METHODS: Final = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "ACL", "BASELINE-CONTROL", "BIND",
    "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL",
    "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PRI", "PROPFIND", "PROPPATCH", "REBIND", "REPORT", "SEARCH",
    "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL", "QUERY", "PURGE",
)  # fmt: skip
# RFC 9110 §7.6.1 and the names by which a message is framed or addressed: the gateway alone writes these.
REFUSED_HEADERS: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length",
    }
)  # fmt: skip


def bad_host(host: str, *, wildcard: bool) -> str | None:
    """Why this is no host of a document, or None. wildcard: `*` and `*.suffix` are allowed."""
    if "*" in host:
        if not wildcard:
            return f'"{host}": no wildcard here, name the services'
        if host == "*" or (host.startswith("*.") and _HOST.match(host[2:])):
            return None
        return f'"{host}": a wildcard is "*" alone or the first label, "*.example.com"'
    if ":" in host:
        return f'"{host}": a host has no port; every port of the listener is meant'
    if host != host.lower():
        return f'"{host}": hosts are written in lower case, {host.lower()}'
    if not _HOST.match(host) or ".." in host or len(host) > _MAX_HOST:
        return f'"{host}" is no host name'
    return None


def is_unseen(header: str) -> bool:
    """Whether matches of a gateway never see this header, whatever a caller sends; `host` they see."""
    name = header.lower()
    return name != "host" and (
        name in REFUSED_HEADERS or name in _FORWARDING or name.startswith(("meshway-", "x-envoy-", "x-forwarded-"))
    )


_FORWARDING: Final = frozenset({"via", "forwarded", "x-real-ip", "x-request-id", "traceparent"})
