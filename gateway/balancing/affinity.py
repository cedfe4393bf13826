"""A caller stays at the endpoint that served it first, by a token it is given: a cookie, or a header that it repeats.

The token is a hash of the endpoint's key: the same at every gateway, and it tells nobody an address. Where its endpoint
is not eligible the algorithm picks anew and the caller gets a new token.
"""

from collections.abc import Callable

from gateway.balancing.hash_key import part_of
from gateway.balancing.pick import Pick
from gateway.balancing.set_cookie import CookieSettings, compile_cookie
from gateway.balancing.stable_hash import stable_hash
from gateway.exchange import Exchange
from gateway.upstream.cluster import Balancer
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint


def token_of(endpoint: Endpoint) -> bytes:
    return b"%016x" % stable_hash(b"affinity " + "/".join(endpoint.key).encode())


class Affinity:
    """algorithm: picks for who has no token. kind: `cookie` or `header`, of this name."""

    __slots__ = ("_algorithm", "_field", "_read", "observe")

    def __init__(self, algorithm: Balancer, kind: str, name: str, ttl_s: float) -> None:
        self._algorithm = algorithm
        self.observe = getattr(algorithm, "observe", None)
        self._read = part_of(kind, name)
        self._field: Callable[[Exchange, bytes], bytes]
        if kind == "cookie":
            self._field = compile_cookie(CookieSettings(name, ttl_s))
        else:
            header = name.encode()
            self._field = lambda _, token: b"%b: %b\r\n" % (header, token)

    def __call__(self, eligible: Eligible) -> Pick:
        fresh, read, field = self._algorithm(eligible), self._read, self._field
        tokens = {token_of(endpoint): endpoint for endpoint in eligible.endpoints}
        names = {endpoint: token for token, endpoint in tokens.items()}

        def pick(exchange: Exchange) -> Endpoint:
            value = read(exchange)
            endpoint = tokens.get(value.encode()) if value is not None else None
            if endpoint is None:
                endpoint = fresh(exchange)
                exchange.added += field(exchange, names[endpoint])
            return endpoint

        return pick

    def moved(self, exchange: Exchange, before: Endpoint, after: Endpoint) -> None:
        """A retry went elsewhere: the caller shall follow."""
        field = self._field
        old = field(exchange, token_of(before))
        exchange.added = exchange.added.replace(old, b"") + field(exchange, token_of(after))
