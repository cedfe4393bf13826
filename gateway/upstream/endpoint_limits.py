"""An adaptive limit for each endpoint: one that is slow gets fewer calls, and a call is refused when all have theirs.

What runs is what the endpoint counts itself (`in_flight`), so a call that goes on to another endpoint is counted there.
"""

from collections.abc import Callable, Iterable, Sequence

from gateway.exchange import Exchange, Reply
from gateway.upstream.adaptive_limit import AdaptiveLimit
from gateway.upstream.cluster_settings import AdaptiveSettings
from gateway.upstream.criticality import share_of
from gateway.upstream.endpoint import Endpoint


class EndpointLimit(AdaptiveLimit):
    """Of one endpoint, from one worker."""

    __slots__ = ("_endpoint",)

    def __init__(self, name: str, settings: AdaptiveSettings, endpoint: Endpoint) -> None:
        super().__init__(name, settings)
        self._endpoint = endpoint

    @property
    def running(self) -> int:
        return self._endpoint.in_flight


class EndpointLimits:
    """Of one cluster; an endpoint keeps its limit, which all clusters it is in share."""

    __slots__ = ("_name", "_settings")

    def __init__(self, name: str, settings: AdaptiveSettings) -> None:
        self._name = name
        self._settings = settings

    def configure(self, settings: AdaptiveSettings, endpoints: Iterable[Endpoint]) -> None:
        """New bounds; what was learnt stays."""
        self._settings = settings
        for endpoint in endpoints:
            self.of(endpoint).configure(settings)

    def of(self, endpoint: Endpoint) -> EndpointLimit:
        limit: EndpointLimit | None = endpoint.limit
        if limit is None:
            limit = endpoint.limit = EndpointLimit(self._name, self._settings, endpoint)
        return limit

    def with_room(self, exchange: Exchange, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
        share = share_of(exchange)
        return [endpoint for endpoint in endpoints if self.of(endpoint).has_room(share)]

    def admit(self, exchange: Exchange, endpoints: Sequence[Endpoint]) -> Reply | None:
        """None: one of the endpoints has room, or there is none at all, which is refused elsewhere."""
        refusal = self.forecast(exchange, endpoints)
        if refusal is not None:
            for endpoint in endpoints:
                self.of(endpoint).refused()
        return refusal

    def forecast(self, exchange: Exchange, endpoints: Sequence[Endpoint]) -> Reply | None:
        """What `admit` would answer now; nothing is counted."""
        share = share_of(exchange)
        for endpoint in endpoints:
            if self.of(endpoint).has_room(share):
                return None
        if not endpoints:
            return None
        most = sum(self.of(endpoint).limit for endpoint in endpoints)
        detail = f"every instance of {self._name} runs as many calls as it can take ({most:.0f} from this worker)"
        return self.of(endpoints[0]).overloaded(detail)

    def keeping(
        self, pick: Callable[[Exchange], Endpoint], endpoints: Sequence[Endpoint]
    ) -> Callable[[Exchange], Endpoint]:
        """pick, only that one who has room goes before one who has none."""

        def pick_with_room(exchange: Exchange) -> Endpoint:
            share, endpoint = share_of(exchange), pick(exchange)
            limit = self.of(endpoint)
            if not limit.has_room(share):
                others = self.with_room(exchange, endpoints)
                if others:  # none has room for who was let in before and had to wait since
                    endpoint = min(others, key=_load)
                    limit = self.of(endpoint)
            limit.entered(endpoint.in_flight + 1)
            return endpoint

        return pick_with_room


def _load(endpoint: Endpoint) -> float:
    return (endpoint.in_flight + 1) / endpoint.weight
