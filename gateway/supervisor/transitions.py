"""What the host's workers and its health checker have found out and still holds: told to every new worker."""

from collections.abc import Callable

from gateway.upstream.transition import Transition, service_of

Subject = tuple[str, str]
# A pair of kinds for each thing that can be so or not: the second ends the first.
_ENDED_BY = {"returned": "ejected", "check_passed": "check_failed", "breaker_closed": "breaker_opened"}


class Transitions:
    """now: monotonic seconds, the clock of `until_s`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._in_force: dict[Subject, Transition] = {}

    def take(self, transition: Transition) -> None:
        name = "/".join(transition.endpoint) if transition.endpoint is not None else transition.cluster
        began = _ENDED_BY.get(transition.kind)
        if began is not None:
            self._in_force.pop((began, name), None)
        elif transition.kind in _ENDED_BY.values() or transition.kind == "failing":
            self._in_force[(transition.kind, name)] = transition

    def end_breakers(self, service: str) -> list[str]:
        """The clusters of the service whose breaker was open. service: `shop/reviews`."""
        opened = [each.cluster for each in self.in_force() if each.kind == "breaker_opened"]
        found = [cluster for cluster in opened if service_of(cluster) == service]
        for cluster in found:
            self.take(Transition(kind="breaker_closed", cluster=cluster))
        return found

    def in_force(self) -> list[Transition]:
        """What time has ended is forgotten here."""
        now = self._now()
        for subject, transition in list(self._in_force.items()):
            if transition.kind != "check_failed" and transition.until_s <= now:
                del self._in_force[subject]
        return list(self._in_force.values())
