"""One rule that keeps answers, driven by hand: what each caller and the service say is a line of the test."""

from typing import Any

from gateway.cache.rule_cache import RuleCache, compile_changed
from gateway.filters.cache import compile_filter
from gateway.filters.order import response_filters
from gateway.plan import RoutePlan
from gateway.relay.call import Call
from gateway.upstream.cluster import Cluster
from meshway.model.decode import decode_spec
from meshway.model.route import Route
from tests.parts.clock import ManualClock
from tests.parts.one_route import plan
from tests.parts.playbook import FakeDownstream, FakeUpstream, Playbook

NOON = 1_800_000_000.0  # seconds since 1970, when the bench's clock says 0


class CacheBench:
    """book: time, connections, and the last caller. cache: the rule's."""

    def __init__(self, **fields: Any) -> None:
        spec, errors = decode_spec("Route", {"rules": [{"destinations": [{"service": "books"}], "cache": fields}]})
        assert isinstance(spec, Route), errors
        self._rule, clock = spec.rules[0], ManualClock()
        self.cache = RuleCache(self._rule, ((), ()), "default/r", "0", clock, lambda: NOON + clock(), None)
        self.book = Playbook(make_plan=self._plan, clock=clock)

    def _plan(self, target: Cluster) -> RoutePlan:
        return plan(
            target,
            request_filters=(compile_filter(self.cache),),
            response_filters=response_filters(self._rule, is_changed=True),
            settle=compile_changed([self.cache]),
            deadline_s=30.0,
        )

    def ask(self, target: str = "/a", fields: str = "", method: str = "GET") -> tuple[Call, FakeDownstream]:
        call = self.book.request(method, target, fields=fields)
        return call, self.book.downstream

    def asked(self) -> list[FakeUpstream]:
        """The connections on which the service is asked something and has not answered; new ones come about."""
        while any(not opening.is_abandoned for opening in self.book.openings):
            if self.book.openings[0].is_abandoned:
                self.book.openings.pop(0)
            else:
                self.book.connect()
        return [upstream for upstream in self.book.upstreams if upstream.events is not None]

    def service(self) -> FakeUpstream:
        """The only one."""
        (upstream,) = self.asked()
        return upstream

    def leap(self, seconds: float) -> None:
        self.book.clock.advance(seconds)
        self.book.wheel.advance(self.book.clock())
