"""What a supervisor reports of its host to the registry: what runs, what does not, and who answered."""

from itertools import islice
from typing import TYPE_CHECKING, Final

from gateway.feed.reporter import Answering, Report
from gateway.settings import own_version
from meshway.snapshot import INSTANCE

if TYPE_CHECKING:
    from gateway.supervisor.supervisor import Supervisor
    from gateway.supervisor.worker_process import InstanceKey

# Of one report, which the registry takes up to 1 MiB.
EVIDENCE_ROWS: Final = 2_000
MOST_REFUSED: Final = 500
MOST_EJECTED: Final = 1_000
MOST_IN_FLIGHT: Final = 5_000  # services
MOST_CERTIFICATES: Final = 1_000
MOST_TEXT: Final = 300


class Reports:
    """answered: instances that gave good answers since the last report."""

    def __init__(self, host: "Supervisor") -> None:
        self._host = host
        self.answered: set[InstanceKey] = set()

    def take(self) -> list[Report]:
        """All there is to say now; evidence beyond what one body holds goes in further reports."""
        evidence = self._take_evidence()
        return [self._report(evidence[at : at + EVIDENCE_ROWS]) for at in range(0, len(evidence) or 1, EVIDENCE_ROWS)]

    def _take_evidence(self) -> list[Answering]:
        """What the registry knows as an instance; endpoints of a document have no lease."""
        answered, entries = sorted(self.answered), self._host.held.entries
        self.answered.clear()
        known = [key for key in answered if (INSTANCE, key[0], f"{key[1]}/{key[2]}") in entries]
        return [Answering(*key) for key in known]

    def _report(self, evidence: list[Answering]) -> Report:
        host = self._host
        in_force = host.transitions.in_force()
        ejected = [each.endpoint for each in in_force if each.kind in ("ejected", "check_failed")]
        failing = [each.endpoint for each in in_force if each.kind == "failing"]
        opened = [each.cluster for each in in_force if each.kind == "breaker_opened"]
        return Report(
            node=host.settings.node_name,
            version=own_version(),
            zone=host.settings.zone,
            workers=len(host.slots.running),
            edge=url_elsewhere(host.addresses.edge, host.settings.bind, host.follower.local_host),
            mesh=url_elsewhere(host.addresses.mesh, host.settings.bind, host.follower.local_host),
            revision=host.slots.revision,
            refused=host.refused()[:MOST_REFUSED],
            evidence=evidence,
            ejected=["/".join(key) for key in dict.fromkeys(ejected[:MOST_EJECTED]) if key is not None],
            failing=["/".join(key) for key in dict.fromkeys(failing[:MOST_EJECTED]) if key is not None],
            mass_removal_guard=len(host.guard.kept),
            limits_alone=host.assigning.lost[:MOST_TEXT],
            open_breakers=opened[:MOST_EJECTED],
            in_flight=dict(islice(host.differences.in_flight().items(), MOST_IN_FLIGHT)),
            certificates=host.certificates.shown()[:MOST_CERTIFICATES],
        )


def url_elsewhere(url: str, bind: str, local_host: str) -> str:
    """A listener's URL for other hosts; "" while it listens everywhere and this host's address is not known yet.

    url: as this host reaches it. local_host: by which it reaches the registry, and others it.
    """
    if bind not in ("0.0.0.0", "::"):  # noqa: S104 - read, not bound
        return url
    if not local_host:
        return ""
    host = f"[{local_host}]" if ":" in local_host else local_host
    return f"http://{host}:{url.rpartition(':')[2]}"
