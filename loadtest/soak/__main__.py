"""Every protocol at once, at 70 % of the machine, for half an hour, while everything that may happen does.

Run: python -m loadtest.soak [--seconds 1800] [--trouble-every 25]; `make soak-mixed`. A registry and two gateways of
two workers on this machine. A revision is applied each second. In turn, at the gateway `troubled`: a reload, a worker
that is killed, another supervisor that takes over, the gateway killed; and the registry killed. It fails where a call
fails that the design does not give up (0 at `steady`, and at `troubled` what was not on a killed process), where memory
of `steady` drifts by 2 % after it has settled (of a run of a quarter of an hour or more), or where descriptors are
left open there that are none of its connections.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

from loadtest.soak import report
from loadtest.soak.callers import PROTOCOLS, Pace, Tally, for_ever
from loadtest.soak.descriptors import Descriptors, count_for_ever
from loadtest.soak.mesh import Mesh
from loadtest.soak.trouble import STEADY, TROUBLED
from loadtest.soak.watching import Watched, watch
from meshway.tasks import spawn

BUSY: Final = 0.7
REVISION_S: Final = 1.0
FIRST_PAUSE_S: Final = 0.05


async def soak(seconds: float, trouble_every_s: float, folder: Path, seed: int) -> int:
    """Prints what came of it. The number of what is not as it should be."""
    async with Mesh(folder, seed) as mesh:
        pace, busy = Pace(FIRST_PAUSE_S), list[float]()
        watched = {name: Watched(name, lambda name=name: _root(mesh, name)) for name in (STEADY, TROUBLED)}  # type: ignore[misc]
        watched["registry"] = Watched("registry", lambda: mesh.registry.process.pid)
        counted = {name: Descriptors(each.root, mesh.asked(name)) for name, each in watched.items()}
        tallies, callers = list[Tally](), []
        for gateway, listeners in mesh.listeners.items():
            for protocol, (act, count, listener) in PROTOCOLS.items():
                if listener not in listeners:
                    continue
                tally = Tally(protocol, gateway)
                tallies.append(tally)
                callers += [for_ever(act, tally, pace, listeners[listener]) for _ in range(count)]
        calling = [spawn(each, name="caller") for each in callers]
        others = [
            spawn(mesh.apply_for_ever(REVISION_S), name="apply"),
            spawn(mesh.trouble_for_ever(trouble_every_s), name="trouble"),
        ]
        watching = spawn(watch(list(watched.values()), pace, BUSY, busy), name="watch")
        counting = spawn(count_for_ever(counted.values(), mesh.port_names, pace.stopping), name="count descriptors")
        await asyncio.sleep(seconds)
        for task in others:
            task.cancel()
        pace.stopping.set()
        done, _ = await asyncio.wait([*calling, watching, counting, *others], timeout=60.0)
        broken = [task.exception() for task in done if not task.cancelled() and task.exception() is not None]
        return _report(
            mesh, tallies, watched, counted, busy, seconds, [f"the soak itself broke: {error!r}" for error in broken]
        )


def _root(mesh: Mesh, name: str) -> int:
    process = mesh.gateways[name].process
    assert process is not None
    return process.pid


def _report(
    mesh: Mesh,
    tallies: list[Tally],
    watched: dict[str, Watched],
    counted: dict[str, Descriptors],
    busy: list[float],
    seconds: float,
    wrong: list[str],
) -> int:
    """wrong: what is so already."""
    parts = (
        report.of_run(seconds, busy, mesh.applied, mesh.unapplied, mesh.troubles),
        report.of_callers(tallies, mesh.troubles, wrong),
        report.of_memory(watched, seconds, wrong),
        report.of_descriptors(counted, seconds, wrong),
    )
    for part in parts:
        print("\n".join(part) + "\n")
    report.verdict(wrong, print)
    return len(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1_800.0)
    parser.add_argument("--trouble-every", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(soak(options.seconds, options.trouble_every, Path(folder), options.seed))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
