"""`python -m loadtest.console` (`make budgets`): the console's budgets with a large mesh, into docs/console/budgets.md.

A registry of its own, the simulator beside it, and a real Chromium. Ends with 1 where a budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from loadtest.console import cost, pages
from loadtest.console.figures import MB, Figure, growth_of, median_of, table
from tests.parts.conditions import wait_until
from tests.parts.console import missing, running_browser
from tests.parts.planes import Registry
from tests.parts.processes import ROOT, Process, python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

RESULTS: Final = ROOT / "docs" / "console" / "budgets.md"
SERVICES, INSTANCES, EDGES = 500, 5_000, 3_000
# One service more, all of whose instances stand in one table.
LONG_TABLE: Final = 5_000
CONSOLES: Final = 20
PAINT_S, FILTER_MS, HEAP_MB, GROWTH, TASK_MS = 1.5, 100.0, 150.0, 10.0, 50.0
# Of one core, in percent, beside what the registry takes without a console.
ONE_COST, ALL_COST = 3.0, 20.0
_ROW: Final = "main table tbody tr[data-row]"
_TEXT: Final = """\
# What the console costs

Written by `make budgets` (`python -m loadtest.console`): {services} services, {instances:,} instances and {edges:,}
edges of the simulator, two simulated gateways, one registry on SQLite, Chromium {version} at 1440 × 900, two cores for
all of it; load {load:.1f} at the end.

{table}

- *First useful paint*: from the navigation to the frame that shows the numbers of all calls, with an empty cache, the
  processor slowed down four times.
- *Keystroke to paint*: from the key to the frame that shows what is left of {rows:,} rows.
- *An hour of live data*: 1,800 events of signals of all services, one a frame; behind each fifth of them garbage was
  collected and the heap looked at.
- *Longest task*: of the page's main thread while the map is looked at, its beginning left out; panning is judged by
  `tests/browser/test_map_budget.py`.
- *Cost of open consoles*: CPU time of the registry, of one core, while so many read the live stream and ask again for
  what the overview asks again for. That twenty cost about what one does is held by
  `tests/integration/registry/test_console_cost.py`, by rows that are added.
"""


@contextlib.contextmanager
def large_mesh(folder: Path) -> Iterator[Registry]:
    """Long enough that windows hold numbers."""
    registry = Registry(folder, "--dns-port", "0")
    with contextlib.ExitStack() as stack:
        stack.callback(registry.close)
        for name, sizes in (
            ("sim", (SERVICES, INSTANCES, EDGES)),
            ("long", (1, LONG_TABLE, 1)),
        ):
            command = python("-m", "loadtest.simulator", "--registry", registry.url, "--prefix", name)
            for flag, size in zip(("--services", "--instances", "--edges"), sizes, strict=True):
                command += [flag, str(size)]
            simulator = Process(command, folder / f"{name}.out")
            # By its lease it ends with the registry; waiting for 5,000 deregistrations is of no use.
            stack.callback(simulator.kill)
        wait_until(lambda: _edges(registry) > EDGES * 0.9, 120, what="the edges of the simulated mesh")
        yield registry


def _edges(registry: Registry) -> int:
    with contextlib.suppress(httpx.TransportError):
        answer = registry.client.get("/v1/insight/topology?level=services")
        return len(answer.json()["edges"]) if answer.status_code == 200 else 0
    return 0


def measure(browser: Browser, registry: Registry, *, runs: int, seconds: float) -> Iterator[Figure]:
    url = registry.url
    for path, name in (("/", "overview"), ("/services", "services")):
        shown = ".signal" if path == "/" else _ROW
        times = [pages.first_paint_s(browser, url + path, shown) for _ in range(runs)]
        yield median_of(f"first useful paint, {name}, 4 × slower", times, PAINT_S, "s")
    # Of texts that leave fewer rows with each key.
    for path, rows, text in (
        ("/services/long-01/accounts", LONG_TABLE, "4999"),
        ("/services", SERVICES + 1, "pro"),
    ):
        times = pages.filter_ms(browser, url + path, rows, text)
        yield median_of(f"keystroke to paint, {rows:,} rows", times, FILTER_MS, "ms")
    for path, shown in (("/services", _ROW), ("/", ".signal")):
        course = pages.hour(browser, url + path, shown)
        yield Figure(f"heap after an hour of live data, {path}", course.heap[-1] / MB, HEAP_MB, "MB")
        yield Figure("– growth over its second half", growth_of(course.heap) * 100, GROWTH, "%")
    longest = pages.longest_task_ms(browser, url + "/map?namespace=sim-01", ".map-card", seconds)
    yield Figure("longest task of the live map of a namespace", longest, TASK_MS, "ms")
    yield from costs(browser, registry, seconds)


def costs(browser: Browser, registry: Registry, seconds: float) -> Iterator[Figure]:
    asked = cost.asked_again(pages.requests_of(browser, registry.url + "/", ".signal", 20.0), 20.0)
    pid = registry.process.pid
    # In a thread: what drives the browser keeps an event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        found = [
            thread.submit(asyncio.run, cost.cost_of(registry.url, pid, consoles, asked, seconds)).result()
            for consoles in (0, 1, CONSOLES)
        ]
    none = found[0]
    yield Figure("registry without a console", none.cpu * 100, None, "% of a core")
    for one, bound in zip(found[1:], (ONE_COST, ALL_COST), strict=True):
        note = f"{one.bytes_s / 1e3 / one.consoles:,.0f} kB/s each by the stream"
        yield Figure(f"{_count(one.consoles)} beside that", (one.cpu - none.cpu) * 100, bound, "% of a core", note)


def _count(consoles: int) -> str:
    return "– one open console" if consoles == 1 else f"– {consoles} open consoles"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtest.console", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each first paint")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each look at the registry's cost")
    parser.add_argument("--costs", action="store_true", help="print what open consoles cost the registry, and no more")
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, large_mesh(Path(folder)) as registry, running_browser() as browser:
        measured = (
            costs(browser, registry, options.seconds)
            if options.costs
            else measure(browser, registry, runs=options.runs, seconds=options.seconds)
        )
        for figure in measured:
            print(table([figure]).splitlines()[-1], flush=True)
            figures.append(figure)
        version = browser.version
    if not (options.no_write or options.costs):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(
            _TEXT.format(
                services=SERVICES,
                instances=INSTANCES,
                edges=EDGES,
                rows=LONG_TABLE,
                version=version,
                load=os.getloadavg()[0],
                table=table(figures),
            )
        )
    raise SystemExit(0 if all(one.is_met for one in figures) else 1)


if __name__ == "__main__":
    main()
