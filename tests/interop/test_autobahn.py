"""The Autobahn test suite, as it is: its fuzzing client against a service of the `websockets` library, directly and
through a gateway whose rule reads the frames. No case may end worse than directly. Wants Python 2.7 with pip, for which
alone the suite is written; `make interop`, with `-s` for the table.

AUTOBAHN_CASES=9.*,12.1.* runs some of them.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.parts.changes import document, running
from tests.parts.compiled import compiled_gateway
from tests.parts.processes import ROOT

FOLDER: Final = ROOT / "build" / "autobahn"
SUITE: Final = "autobahntestsuite==25.10.1"
VIRTUALENV: Final = "virtualenv==20.15.1"  # the last one that makes environments of Python 2.7
INSTALL_S: Final = 600
RUN_S: Final = 5_400  # most of it for the cases of compression, a thousand messages each
CASES: Final = 517  # of the suite; fewer would say that it broke off
DIRECT, THROUGH = "direct", "gateway"
# From good to bad. Not strict, and as good to the suite, is who ends a connection at a fault before what came ahead of
# it was answered: between caller, gateway and service the two race, and directly as well.
RANKS: Final = {"OK": 0, "NON-STRICT": 0, "INFORMATIONAL": 0, "UNIMPLEMENTED": 1}
WORST: Final = 2
KINDS: Final = {
    "1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragments", "6": "UTF-8",
    "7": "closing", "9": "limits and speed", "10": "automatic fragments", "12": "compression", "13": "its parameters",
}  # fmt: skip

pytestmark = [pytest.mark.interop, pytest.mark.timeout(INSTALL_S + RUN_S)]


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):  # most cases end by a fault
        async for message in connection:
            await connection.send(message)


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
            [str(made / "bin" / "pip"), "install", *quiet, SUITE],
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


async def outcomes(ports: dict[str, int], folder: Path) -> dict[str, dict[str, Any]]:
    """By agent and case."""
    cases = os.environ.get("AUTOBAHN_CASES", "*").split(",")
    servers = [{"agent": agent, "url": f"ws://127.0.0.1:{port}"} for agent, port in ports.items()]
    spec = {"outdir": str(folder / "told"), "servers": servers, "cases": cases, "exclude-cases": []}
    (folder / "spec.json").write_text(json.dumps(spec | {"exclude-agent-cases": {}}))
    ran = await asyncio.create_subprocess_exec(
        wstest(), "-m", "fuzzingclient", "-s", str(folder / "spec.json"), cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(ran.communicate(), RUN_S)
    finally:
        if ran.returncode is None:
            ran.kill()
            await ran.wait()
    assert ran.returncode == 0, out[-2_000:].decode(errors="replace")
    told: dict[str, dict[str, Any]] = json.loads((folder / "told" / "index.json").read_text())
    return told


def rank(case: dict[str, Any]) -> int:
    return max(RANKS.get(case[what], WORST) for what in ("behavior", "behaviorClose"))


def table(told: dict[str, dict[str, Any]]) -> str:
    """A line for each of the suite's chapters: how many cases, and how they ended on either way."""
    lines = [f"{'':24}{'cases':>6}  {'direct':40}gateway"]
    for chapter, name in KINDS.items():
        ended = {
            agent: Counter(one["behavior"] for case, one in cases.items() if case.split(".")[0] == chapter)
            for agent, cases in told.items()
        }
        counts = [", ".join(f"{count} {how}" for how, count in ended[one].most_common()) for one in (DIRECT, THROUGH)]
        if any(counts):
            lines.append(f"{chapter:>3} {name:20}{ended[DIRECT].total():>6}  {counts[0]:40}{counts[1]}")
    return "\n".join(lines)


async def test_no_case_of_the_suite_ends_worse_than_directly(tmp_path: Path) -> None:
    wstest()
    async with serve(echo, "127.0.0.1", 0, max_size=None, ping_interval=None) as service:
        port = service.sockets[0].getsockname()[1]
        rule = {"destinations": [{"service": "chat"}], "websocket": {"max_frame": "64MiB", "max_message": "64MiB"}}
        route = document("Route", "r", {"hosts": ["*"], "rules": [rule]})
        async with compiled_gateway(running("chat", "1", port=port), route) as gateway:
            told = await outcomes({DIRECT: port, THROUGH: gateway.port}, tmp_path)
    print("\n" + table(told))
    direct, through = told[DIRECT], told[THROUGH]
    assert direct.keys() == through.keys()
    assert len(direct) >= CASES or "AUTOBAHN_CASES" in os.environ
    worse = {case: (direct[case], through[case]) for case in direct if rank(through[case]) > rank(direct[case])}
    assert worse == {}
