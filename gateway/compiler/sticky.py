"""A split that keeps each caller at one destination: by a key of the call, or by a cookie that it is given.

While the destination has nobody eligible the caller's next best one serves, and the caller returns with it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from gateway.balancing.hash_key import HashOf, compile_hash, known_hash
from gateway.balancing.rendezvous import Ranking
from gateway.balancing.set_cookie import CookieSettings, compile_cookie
from gateway.balancing.stable_hash import SPACE, stable_hash
from gateway.exchange import Exchange
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from meshway.model.rule_actions import Sticky, StickyCookie

T = TypeVar("T")
_EMPTY: Final = stable_hash(b"")


def choose_for_caller(
    choices: Sequence[T], clusters: Sequence[Cluster], weights: Sequence[int], sticky: Sticky, parts: Parts
) -> Callable[[Exchange], T]:
    """A call without header or query field of the key goes by chance; one without the cookie gets it. clusters: where
    each choice leads; several may lead to the same one."""
    slices: dict[Cluster, list[int]] = {}
    for at, cluster in enumerate(clusters):
        slices.setdefault(cluster, []).append(at)
    key_of = _cookie_key(sticky, parts) if sticky.key == "cookie" else compile_hash(*_part(sticky), parts.random)
    if len(slices) < len(choices):
        return _choose_slice(choices, slices, weights, key_of)
    ranking = Ranking([cluster.name.encode() for cluster in clusters], weights)

    def choose(exchange: Exchange) -> T:
        key = key_of(exchange)
        first = ranking.winner(key)
        if clusters[first].first_pick is not None:
            return choices[first]
        for at in ranking.order(key):
            if clusters[at].first_pick is not None:
                return choices[at]
        return choices[first]

    return choose


def _choose_slice(
    choices: Sequence[T], slices: Mapping[Cluster, Sequence[int]], weights: Sequence[int], key_of: HashOf
) -> Callable[[Exchange], T]:
    """First the cluster by the weights of all its choices, then one of these: nobody moves to another cluster when a
    slice of one is cut off."""
    clusters = list(slices)
    ranking = Ranking(
        [cluster.name.encode() for cluster in clusters], [sum(weights[at] for at in ats) for ats in slices.values()]
    )
    within = [
        Ranking([b"%s slice %d" % (cluster.name.encode(), at) for at in ats], [weights[at] for at in ats])
        for cluster, ats in slices.items()
    ]
    placed = list(slices.values())

    def choose(exchange: Exchange) -> T:
        key = key_of(exchange)
        first = ranking.winner(key)
        if clusters[first].first_pick is None:
            first = next((at for at in ranking.order(key) if clusters[at].first_pick is not None), first)
        return choices[placed[first][within[first].winner(key)]]

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
