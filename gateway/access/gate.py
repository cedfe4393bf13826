"""What AccessPolicies say of one call: deny before allow before the nearest default.

Rules lie in the same tables as those of Routes, so how many there are costs nothing. Those that deny are asked of every
reading of the path (`readings.py`), those that allow of the canonical one alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.access.readings import MOST_READ, PLAIN, Readings, is_plain
from gateway.exchange import Exchange, Reply
from gateway.plan import Forecast
from gateway.routing.table import Candidate, HostRoutes

# Paths of one set of rules whose candidates are remembered, and how long they may be, in bytes.
_REMEMBERED: Final = 256
_LONGEST: Final = 128

Authorize = Callable[[Exchange], Reply | None]


class AccessStep(NamedTuple):
    """run: for each call. forecast: for whoever explains one."""

    run: Authorize
    forecast: Callable[[Exchange], Sequence[Forecast]]


class Verdict:
    """document: whose word. says: in words. reply: None lets the call pass."""

    __slots__ = ("document", "reply", "says")

    def __init__(self, document: str, says: str, *, passes: bool, reply: Reply | None = None) -> None:
        """reply: of another kind than `denied`."""
        self.document = document
        self.says = says
        self.reply = reply
        if reply is None and not passes:
            self.reply = Reply(403, "denied", "UAEX", f"{document}: {says}", policy=document)


@dataclass(slots=True, frozen=True)
class Rules:
    """denies, allows: None where there are none. together: both in one, those that deny first: for paths that everybody
    reads alike. readings: None where no rule that denies asks for a path, so that every path is one of these.
    """

    denies: HostRoutes[Verdict] | None
    allows: HostRoutes[Verdict] | None
    together: HostRoutes[Verdict]
    readings: Readings | None
    default: Verdict

    def judge(self, exchange: Exchange) -> Verdict:
        if self.readings is None or is_plain(exchange.path):
            return self.together.match(exchange) or self.default
        return self.judge_odd(exchange)

    def judge_odd(self, exchange: Exchange) -> Verdict:
        """Of a path that has several readings."""
        assert self.readings is not None
        if len(exchange.path) > MOST_READ:
            return _UNREAD
        if self.denies is not None:
            verdict = _match_any(self.denies, exchange, self.readings)
            if verdict is not None:
                return verdict
        found = self.allows.match(exchange) if self.allows is not None else None
        return found or self.default

    def compile(self) -> Authorize:
        """`judge`, for each call. What may have the calls of a path is remembered: most are asked for again."""
        candidates_of, odd, default = self.together.candidates, self.judge_odd, self.default.reply
        is_read = self.readings is not None
        known: dict[bytes, tuple[Candidate[Verdict], ...]] = {}

        def authorize(exchange: Exchange) -> Reply | None:
            path = exchange.path
            candidates = known.get(path)
            if candidates is None:
                if is_read and (not path.translate(PLAIN).isdigit() or path.partition(b"//")[1]) and not is_plain(path):
                    return odd(exchange).reply
                candidates = candidates_of(path)
                if len(path) <= _LONGEST:
                    if len(known) >= _REMEMBERED:
                        known.clear()
                    known[path] = candidates
            for candidate in candidates:
                test = candidate.test
                if test is None or test(exchange):
                    return candidate.plan.reply
            return default

        return authorize


_TOO_LONG: Final = f"a path that others may read otherwise is judged up to {MOST_READ} bytes"
_UNREAD: Final = Verdict(
    "AccessPolicy",
    _TOO_LONG,
    passes=False,
    reply=Reply(414, "uri_too_long", "UAEX", _TOO_LONG, policy="AccessPolicy"),
)


def _match_any(denies: HostRoutes[Verdict], exchange: Exchange, readings: Readings) -> Verdict | None:
    path = exchange.path
    try:
        for exchange.path in readings.of(path):
            verdict = denies.match(exchange)
            if verdict is not None:
                return verdict
    finally:
        exchange.path = path
    return None


@dataclass(slots=True, frozen=True)
class Gate:
    """enforced: None where nobody says anything. audited: the same with what only audits, None where nothing does.

    tell: told of each call that audited would refuse.
    """

    enforced: Rules | None
    audited: Rules | None
    tell: Callable[[Verdict], None]

    def compile(self) -> Authorize:
        if self.audited is None:
            assert self.enforced is not None
            return self.enforced.compile()
        return self._audit

    def _audit(self, exchange: Exchange) -> Reply | None:
        if self.enforced is not None:
            verdict = self.enforced.judge(exchange)
            if verdict.reply is not None:
                return verdict.reply
        assert self.audited is not None
        verdict = self.audited.judge(exchange)
        if verdict.reply is not None:
            self.tell(verdict)
        return None

    def step(self) -> AccessStep:
        return AccessStep(self.compile(), self.forecast)

    def forecast(self, exchange: Exchange) -> Sequence[Forecast]:
        """For whoever explains a call; nothing is counted."""
        told: list[Forecast] = []
        if self.enforced is not None:
            verdict = self.enforced.judge(exchange)
            said = "pass" if verdict.reply is None else "refuse"
            told.append(
                Forecast(said, f"{verdict.says}; the caller is {caller(exchange)}", verdict.document, verdict.reply)
            )
        if self.audited is not None and not (told and told[0].reply is not None):
            verdict = self.audited.judge(exchange)
            if verdict.reply is not None:
                told.append(Forecast("pass", f"{verdict.says}; would be refused, but it only audits", verdict.document))
        return told


def caller(exchange: Exchange) -> str:
    """In words."""
    principal = exchange.principal
    return f"{'anonymous' if principal is None else principal.name} at {exchange.peer}"


class Guard:
    """Asked of the service that is about to be called, where that is not settled before: of several destinations, of
    one that stands in for another, of a path that was rewritten.

    asked: by the cluster's name and the namespace and name of the endpoint's service.
    """

    __slots__ = ("_asked", "_gates")

    def __init__(self, asked: Mapping[tuple[str, str, str], Sequence[AccessStep]]) -> None:
        self._asked = asked
        self._gates = {key: _each_of([step.run for step in steps]) for key, steps in asked.items()}

    def refusal(self, exchange: Exchange, cluster: str, endpoint: tuple[str, str, str]) -> Reply | None:
        """endpoint: its key."""
        authorize = self._gates.get((cluster, endpoint[0], endpoint[1]))
        return None if authorize is None else authorize(exchange)

    def forecast(self, exchange: Exchange, cluster: str, service: tuple[str, str]) -> Sequence[Forecast]:
        """For whoever explains a call, up to the first refusal; nothing is counted. service: namespace and name."""
        told: list[Forecast] = []
        for step in self._asked.get((cluster, *service), ()):
            told += step.forecast(exchange)
            if any(each.reply is not None for each in told):
                break
        return told


def _each_of(gates: Sequence[Authorize]) -> Authorize:
    """The first refusal."""
    if len(gates) == 1:
        return gates[0]

    def authorize(exchange: Exchange) -> Reply | None:
        return next((reply for gate in gates if (reply := gate(exchange)) is not None), None)

    return authorize
