"""A split that keeps each caller at one destination: by a key of the call, or by a cookie that it is given.

While the destination has nobody eligible the caller's next best one serves, and the caller returns with it.
"""

from collections.abc import Sequence
from typing import Final

from gateway.balancing.hash_key import HashOf, compile_hash, known_hash
from gateway.balancing.rendezvous import Ranking
from gateway.balancing.set_cookie import CookieSettings, compile_cookie
from gateway.balancing.stable_hash import SPACE, stable_hash
from gateway.exchange import Exchange
from gateway.plan import ChooseCluster, Parts
from gateway.upstream.cluster import Cluster
from meshway.model.rule_actions import Sticky, StickyCookie

_EMPTY: Final = stable_hash(b"")


def choose_for_caller(
    clusters: Sequence[Cluster], weights: Sequence[int], sticky: Sticky, parts: Parts
) -> ChooseCluster:
    """A call without header or query field of the key goes by chance; one without the cookie gets it."""
    ranking = Ranking([cluster.name.encode() for cluster in clusters], weights)
    key_of = _cookie_key(sticky, parts) if sticky.key == "cookie" else compile_hash(*_part(sticky), parts.random)

    def choose(exchange: Exchange) -> Cluster:
        key = key_of(exchange)
        first = clusters[ranking.winner(key)]
        if first.first_pick is not None:
            return first
        for at in ranking.order(key):
            if clusters[at].first_pick is not None:
                return clusters[at]
        return first

    return choose


def _part(sticky: Sticky) -> tuple[str, str]:
    name = sticky.name or ""
    return sticky.key, name.lower() if sticky.key == "header" else name


def _cookie_key(sticky: Sticky, parts: Parts) -> HashOf:
    cookie, name = sticky.cookie or StickyCookie(), sticky.name or ""
    settings = CookieSettings(
        name, float(cookie.ttl), cookie.path, cookie.same_site, cookie.secure, http_only=cookie.http_only
    )
    found, write, random = known_hash("cookie", name), compile_cookie(settings), parts.random

    def key_of(exchange: Exchange) -> int:
        key = found(exchange)
        if key is None or key == _EMPTY:
            value = b"%016x" % int(random() * SPACE)
            exchange.added += write(exchange, value)
            key = stable_hash(value)
        return key

    return key_of
