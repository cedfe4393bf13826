"""Which certificates a caller is shown by the host name it asks for (RFC 6066 §3); pure.

Exact before wildcard before the default one. What a name has is a set of certificates, one a kind of key at most, of
which OpenSSL takes what the caller can verify, EC first.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class ServerNames(Generic[T]):
    """exact: by host. wildcard: by what follows the first label, `shop.example` of `*.shop.example`."""

    __slots__ = ("_default", "_exact", "_wildcard")

    def __init__(self, exact: Mapping[str, T], wildcard: Mapping[str, T], default: T | None) -> None:
        self._exact = exact
        self._wildcard = wildcard
        self._default = default

    def choose(self, name: str | None) -> T | None:
        """For a handshake; None: nothing may be shown. name: as the caller wrote it, None: it wrote none."""
        if name is None:
            return self._default
        return self.named(name.lower()) or self._default

    def named(self, host: str) -> T | None:
        """What is for this host, lower-case, and not for just any."""
        found = self._exact.get(host)
        if found is None and self._wildcard:
            found = self._wildcard.get(host.partition(".")[2])
        return found


def by_host(certified: Iterable[tuple[T, Iterable[str]]]) -> tuple[dict[str, list[T]], dict[str, list[T]]]:
    """Exact and wildcard hosts, each with all that are good for it, in the order given."""
    exact: dict[str, list[T]] = {}
    wildcard: dict[str, list[T]] = {}
    for item, hosts in certified:
        for host in hosts:
            if host.startswith("*."):
                wildcard.setdefault(host[2:], []).append(item)
            else:
                exact.setdefault(host, []).append(item)
    return exact, wildcard
