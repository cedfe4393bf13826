"""Where the database is, and how people may see it: without its password."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from registry.settings import StartRefused

SCHEMES: Final = ("postgresql", "postgres")


def refuse_bad_url(url: str) -> None:
    """Raises StartRefused, whose line never holds the password."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.path.strip("/"):
        raise StartRefused(
            f"the database URL {shown(url)} is none: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
            "(several hosts: HOST1:PORT1,HOST2:PORT2)"
        )


def shown(url: str) -> str:
    """Scheme, hosts and database: what may stand in a log."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{hosts}{parts.path}"


def with_primary(url: str) -> str:
    """Of several hosts the one that takes writes, so that a failover is followed; what the URL says goes first."""
    query = urlsplit(url).query
    if any(name == "target_session_attrs" for name, _ in parse_qsl(query)):
        return url
    return f"{url}{'&' if query else '?'}target_session_attrs=read-write"
