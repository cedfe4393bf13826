"""What a worker that has too much to do does with calls: those that matter least are refused before they cost much.

While it sheds, it stands where the tables stand, so a worker that does not shed pays nothing. Calls whose rule is
`critical` are never refused (gateway/upstream/criticality.py).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.plan import Parts, RequestFilter, RoutePlan
from gateway.relay.reply_body import CONTENT_TYPE_FIELD
from gateway.routing.standing import Judge
from gateway.routing.table import TablesHolder
from gateway.trust import Trust
from gateway.upstream.criticality import SHARES, share_of
from meshway.problem import Problem

# What is shed at each level: nothing, `sheddable`, `default` as well; as shares of an adaptive limit.
NOTHING: Final = 0
SHEDDABLE: Final = 1
DEFAULT: Final = 2
_HIGHEST: Final = (-1.0, SHARES[b"sheddable"], SHARES[b"default"])
_NAMES: Final = {share: name.decode() for name, share in SHARES.items()}
POLICY: Final = "gateway overload"
MOST_PLANS: Final = 10_000
# Those that were refused together are not to come back together.
RETRY_AFTER_S: Final = (1, 2, 3)


class Shedding:
    """A `TablesHolder` and tables in one. level: what is refused now. shed: calls refused, by criticality.

    random: uniform in [0, 1).
    """

    __slots__ = ("_holder", "_plans", "_random", "_refusals", "level", "shed", "tables")

    def __init__(self, holder: TablesHolder, random: Callable[[], float]) -> None:
        self._holder = holder
        self._random = random
        self._plans: dict[int, tuple[RoutePlan, RoutePlan]] = {}
        self._refusals = {share: self._refusing(name) for share, name in _NAMES.items()}
        self.level = NOTHING
        self.shed: Counter[str] = Counter()
        self.tables = self

    def match(self, exchange: Exchange) -> RoutePlan | None:
        """The plan that the call has, or one of the same rule that refuses it."""
        plan = exchange.plan = self._holder.tables.match(exchange)
        if plan is None:
            return None
        share = share_of(exchange)
        return plan if share > _HIGHEST[self.level] else self._refused(plan, share)

    @property
    def trust(self) -> Trust:
        return self._holder.tables.trust

    @property
    def parts(self) -> Parts:
        return self._holder.tables.parts

    def as_written(self, exchange: Exchange) -> tuple[bytes, bytes] | None:
        return self._holder.tables.as_written(exchange)

    @property
    def carried(self) -> set[Judge]:
        return self._holder.carried

    def forget(self) -> None:
        """Of plans that may be gone."""
        self._plans.clear()

    def _refused(self, plan: RoutePlan, share: float) -> RoutePlan:
        known = self._plans.get(id(plan))
        if known is not None and known[1].request_filters[0] is self._refusals[share]:
            return known[1]
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        refused = replace(plan, request_filters=(self._refusals[share],), steps=(), mirrors=())
        self._plans[id(plan)] = (plan, refused)  # held, so that nothing else gets its number
        return refused

    def _refusing(self, criticality: str) -> RequestFilter:
        replies: Sequence[Reply] = [_overloaded(criticality, wait_s) for wait_s in RETRY_AFTER_S]

        def refuse(_: Exchange) -> Reply:
            self.shed[criticality] += 1
            return replies[int(self._random() * len(replies))]

        return refuse


def _overloaded(criticality: str, wait_s: int) -> Reply:
    """Its body is made once: of what a refusal costs, the document would be a fifth."""
    detail = f"this gateway is overloaded and refuses calls whose criticality is {criticality}"
    problem = Problem(503, "overloaded", "Overloaded", detail=detail, extra={"policy": POLICY})
    fields = b"%bRetry-After: %d\r\n" % (CONTENT_TYPE_FIELD, wait_s)
    return Reply(503, "overloaded", "OM", detail, fields=fields, body=problem.encode(), policy=POLICY)
