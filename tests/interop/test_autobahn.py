"""The Autobahn test suite, as it is: its fuzzing client against a service of the `websockets` library through a mesh
whose rule reads the frames; what is not OK there is asked of the service directly, and must not be better. Wants
Python 2.7 with pip, for which alone the suite is written; `make interop`, with `-s` for the figures.

Its 517 cases are four tests, each of parts that two clients run side by side. AUTOBAHN_CASES=12.1.1,12.2.* takes only
those of each test; AUTOBAHN_DIRECT=1 asks for all directly as well.
"""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import pytest

from tests.parts.conditions import until
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process, python

FOLDER: Final = ROOT / "build" / "autobahn"
SUITE: Final = "autobahntestsuite==25.10.1"
# Masks and UTF-8 by machine code; by Python, messages of 128 KiB took a hundred times as long, and the suite hours.
ACCELERATED: Final = "autobahn[accelerate]==0.10.9"
VIRTUALENV: Final = "virtualenv==20.15.1"  # the last one that makes environments of Python 2.7
INSTALL_S: Final = 600
AT_ONCE: Final = 2  # clients; a client and its service take turns, so one alone leaves a core idle
PART_S: Final = 1_800  # of the largest by far: a thousand messages a case, which both ends compress
DIRECT, THROUGH = "direct", "gateway"
# From good to bad. Not strict, and as good to the suite, is who ends a connection at a fault before what came ahead was
# answered: this service's library does, as chance has it, on either way. The gateway does not (test_websocket.py).
RANKS: Final = {"OK": 0, "NON-STRICT": 0, "INFORMATIONAL": 0, "UNIMPLEMENTED": 1}
WORST: Final = 2
Told = dict[str, dict[str, Any]]  # by case

# A test's parts, each the run of one client, and how many cases they are: fewer would say that it broke off.
CHAPTERS: Final[dict[str, tuple[tuple[tuple[str, ...], ...], int]]] = {
    "frames, texts and closing": ((("1.*", "2.*", "3.*", "4.*", "5.*"), ("6.*",), ("7.*", "10.*")), 247),
    "limits and speed": ((("9.1.*", "9.2.*", "9.3.*", "9.4.*"), ("9.5.*", "9.6.*", "9.7.*", "9.8.*")), 54),
    "compression": (tuple((f"12.{number}.*",) for number in range(1, 6)), 90),
    "parameters of compression": (tuple((f"13.{number}.*",) for number in range(1, 8)), 126),
}

pytestmark = [pytest.mark.interop, pytest.mark.timeout(INSTALL_S + 4 * PART_S)]


def old_pythons() -> Iterator[str]:
    """Places of interpreters of Python 2.7 that have pip."""
    named = [found for name in ("pypy2.7", "pypy2", "pypy", "python2.7", "python2") if (found := shutil.which(name))]
    for place in (*named, *map(str, sorted(Path.home().glob(".pyenv/versions/*2.7*/bin/python")))):
        asked = "import sys, pip; sys.exit(sys.version_info[:2] != (2, 7))"
        if subprocess.run([place, "-c", asked], capture_output=True, check=False, timeout=30).returncode == 0:
            yield place


def wstest() -> str:
    """The suite's command, installed once and kept."""
    command = FOLDER / "venv" / "bin" / "wstest"
    if not command.exists():
        python = next(old_pythons(), None)
        if python is None:
            pytest.skip("no Python 2.7 with pip on this machine, which the Autobahn test suite is written in")
        FOLDER.mkdir(parents=True, exist_ok=True)
        boot, made = FOLDER / "boot", FOLDER / "venv"
        quiet = ["--disable-pip-version-check", "-q"]
        steps = (
            [python, "-m", "pip", "install", *quiet, "--target", str(boot), "--upgrade", VIRTUALENV],
            [python, "-m", "virtualenv", "-q", str(made)],
            [str(made / "bin" / "pip"), "install", *quiet, SUITE, ACCELERATED],
        )
        for step in steps:
            done = subprocess.run(
                step,
                env=os.environ | {"PYTHONPATH": str(boot) if step[0] == python and "virtualenv" in step else ""},
                capture_output=True, text=True, check=False, timeout=INSTALL_S,
            )  # fmt: skip
            if done.returncode:
                pytest.skip(f"the Autobahn test suite cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return str(command)


async def run(cases: tuple[str, ...], agent: str, port: int, folder: Path) -> Told:
    """One client's run, to its end."""
    folder.mkdir()
    servers = [{"agent": agent, "url": f"ws://127.0.0.1:{port}"}]
    spec = {"outdir": str(folder), "servers": servers, "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    (folder / "spec.json").write_text(json.dumps(spec))
    ran = await asyncio.create_subprocess_exec(
        wstest(), "-m", "fuzzingclient", "-s", str(folder / "spec.json"), cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(ran.communicate(), PART_S)
    finally:
        if ran.returncode is None:
            ran.kill()
            await ran.wait()
    assert ran.returncode == 0, out[-2_000:].decode(errors="replace")
    told: Told = json.loads((folder / "index.json").read_text())[agent]
    return told


async def outcomes(parts: list[tuple[str, ...]], agent: str, port: int, folder: Path) -> Told:
    free = asyncio.Semaphore(AT_ONCE)
    began = time.monotonic()

    async def of(number: int, cases: tuple[str, ...]) -> Told:
        async with free:
            return await run(cases, agent, port, folder / f"{agent}-{number}")

    told: Told = {}
    for each in await asyncio.gather(*(of(number, cases) for number, cases in enumerate(parts))):
        told |= each
    print(f"\n{agent}: {table(told)}, in {time.monotonic() - began:.0f} s")
    return told


def table(told: Told) -> str:
    """How they ended, and how long the slowest took."""
    ended = Counter(case["behavior"] for case in told.values())
    slowest = sorted(told, key=lambda case: -told[case]["duration"])[:3]
    counts = ", ".join(f"{count} {how}" for how, count in ended.most_common())
    return f"{len(told)} cases: {counts}; " + ", ".join(f"{each} {told[each]['duration']} ms" for each in slowest)


def rank(case: dict[str, Any]) -> int:
    return max(RANKS.get(case[what], WORST) for what in ("behavior", "behaviorClose"))


def wanted(parts: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    """AUTOBAHN_CASES of these parts, each a part of its own; without it all."""
    asked = os.environ.get("AUTOBAHN_CASES")
    if asked is None:
        return list(parts)
    chapters = [pattern for part in parts for pattern in part]
    return [(each,) for each in asked.split(",") if any(fnmatchcase(each, pattern) for pattern in chapters)]


@asynccontextmanager
async def places(folder: Path) -> AsyncIterator[dict[str, int]]:
    """Ports by agent."""
    port = free_port()
    fragments = {"WEBSOCKETS_MAX_FRAGMENTS": "100000"}  # of a message, by cases of 9; else 4,096
    service = Process(python("-m", "tests.parts.websocket_echo", str(port)), folder / "service.out", env=fragments)
    try:
        await until(lambda: "ready" in service.text(), 30.0, what="the service")
        mesh = await asyncio.to_thread(Mesh, folder, 1, "--dns-port", "0")
        try:
            await asyncio.to_thread(mesh.apply, DOCUMENTS % port)
            yield {DIRECT: port, THROUGH: int(mesh.edge.rpartition(":")[2])}
        finally:
            await asyncio.to_thread(mesh.close)
    finally:
        service.stop()


DOCUMENTS: Final = """
apiVersion: meshway/v1
kind: Service
metadata: {name: chat}
spec: {type: static, endpoints: [{address: 127.0.0.1, port: %d}]}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: all}
spec: {rules: [{destinations: [{service: chat}], websocket: {max_frame: 64MiB, max_message: 64MiB}}]}
"""


@pytest.mark.parametrize("chapter", CHAPTERS)
async def test_no_case_of_the_suite_ends_worse_than_directly(tmp_path: Path, chapter: str) -> None:
    wstest()
    parts, count = CHAPTERS[chapter]
    cases = wanted(parts)
    if not cases:
        pytest.skip("AUTOBAHN_CASES wants none of them")
    async with places(tmp_path) as ports:
        through = await outcomes(cases, THROUGH, ports[THROUGH], tmp_path)
        assert "AUTOBAHN_CASES" in os.environ or len(through) == count
        doubted = tuple(case for case, how in through.items() if rank(how))
        if "AUTOBAHN_DIRECT" not in os.environ:
            cases = [doubted] if doubted else []
        direct = await outcomes(cases, DIRECT, ports[DIRECT], tmp_path) if cases else {}
    differing = {case: (through[case], direct[case]) for case in doubted if rank(through[case]) != rank(direct[case])}
    for case, (ours, its) in differing.items():
        print(f"{case}: {ours['behavior']}/{ours['behaviorClose']}, {its['behavior']}/{its['behaviorClose']} directly")
    assert {case: both for case, both in differing.items() if rank(both[0]) > rank(both[1])} == {}
