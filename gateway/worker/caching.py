"""What is done with the caches of all rules at once: some answers forgotten because somebody asks for it, many because
memory is short."""

from collections.abc import Iterator
from typing import Final

from gateway.cache.key import Target
from gateway.cache.rule_cache import RuleCache
from gateway.compiler.state import State
from meshway.purge import Purge

SHARE: Final = 0.5  # of what they hold, each second that memory is short


def shrink(state: State) -> None:
    for cache in _all(state):
        cache.shrink(SHARE)


def purge(state: State, asked: Purge) -> int:
    """Answers how many are gone."""
    host, prefix = asked.host.lower().encode(), asked.path.rstrip("/").encode()

    def is_meant(target: Target) -> bool:
        _, _, authority, path, _ = target
        if host and host not in (authority, authority.rpartition(b":")[0]):
            return False
        return not prefix or path == prefix or path.startswith(prefix + b"/")

    return sum(
        cache.forget(is_meant) for cache in _all(state) if cache.route == asked.route and asked.rule in ("", cache.name)
    )


def _all(state: State) -> Iterator[RuleCache]:
    return (cache for route in state.routes.values() for cache in route.caches)
