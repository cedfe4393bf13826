"""The public suite of tests for HTTP caches (cache-tests.fyi), as it is, against a rule that keeps answers. Wants node,
npm and git; `make interop`.

What it calls required must hold, but for what is listed here with its reason. What it calls optimal saves work where a
cache may; what of that is not done is told in docs/internals/caching.md.
"""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.parts.changes import document, running
from tests.parts.compiled import compiled_gateway
from tests.parts.conditions import until
from tests.parts.ports import free_port

SUITE: Final = "https://github.com/http-tests/cache-tests"
FETCH_S: Final = 120
RUN_S: Final = 300
# All that are final and mean something by themselves: the suite asks for many.
STATUSES: Final = [
    200,
    203,
    204,
    299,
    301,
    302,
    303,
    307,
    308,
    400,
    403,
    404,
    405,
    410,
    414,
    450,
    451,
    500,
    501,
    503,
    599,
]
OTHERWISE: Final = {
    "headers-store-Set-Cookie": "what sets a cookie is one caller's: it is not kept",
    "headers-store-Transfer-Encoding": "the gateway refuses a coding that is none (RFC 9112 §6.1)",
    "cdn-max-age-0-expires": "CDN-Cache-Control (RFC 9213) is for the CDN before us; likewise all of these",
    "cdn-max-age-long-cc-max-age": "",
    "cdn-private": "",
    "cdn-no-cache": "",
    "cdn-no-store-cc-fresh": "",
    "cdn-fresh-cc-nostore": "",
}
# Prints which required tests there are, and how each has ended: true, or what was wrong; nothing: not for this kind.
RUNNER: Final = """
import { runTests, getResults } from './test-engine/client/runner.mjs'
import tests from './tests/index.mjs'
await runTests(tests, false, process.env.BASE)
const results = getResults(), told = {}
for (const suite of tests) for (const test of suite.tests)
  if ((test.kind || 'required') === 'required' && test.id in results) told[test.id] = results[test.id]
console.log(JSON.stringify(told))
"""

pytestmark = pytest.mark.interop


async def test_all_that_the_public_suite_requires_holds(tmp_path: Path) -> None:
    for tool in ("node", "npm", "git"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
    folder = tmp_path / "suite"
    cloning = ["git", "clone", "-q", "--depth", "1", SUITE, str(folder)]
    cloned = subprocess.run(cloning, check=False, timeout=FETCH_S, capture_output=True, text=True)
    if cloned.returncode:
        pytest.skip(f"{SUITE} cannot be had: {cloned.stderr.strip().splitlines()[-1:]}")
    wanted = ["npm", "install", "--no-save", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "undici@7"]
    subprocess.run(wanted, cwd=folder, check=True, timeout=FETCH_S, capture_output=True)
    (folder / "run.mjs").write_text(RUNNER)
    port = free_port()
    settings = {
        "npm_config_port": str(port),
        "npm_config_protocol": "http",
        "npm_config_pidfile": str(tmp_path / "pid"),
    }
    origin = subprocess.Popen(["node", "test-engine/server/server.mjs"], cwd=folder, env=os.environ | settings)
    try:
        await until(lambda: _answers(port), what="the suite's own server", within_s=30.0)
        rule = {"destinations": [{"service": "origin"}], "cache": {"max_ttl": "8784h", "statuses": STATUSES}}
        route = document("Route", "r", {"hosts": ["*"], "rules": [rule]})
        async with compiled_gateway(running("origin", "1", port=port), route) as gateway:
            ran = await asyncio.create_subprocess_exec(
                "node", "--no-warnings", "run.mjs", cwd=folder, stdout=subprocess.PIPE,
                env=os.environ | {"BASE": f"http://127.0.0.1:{gateway.port}"},
            )  # fmt: skip
            out, _ = await asyncio.wait_for(ran.communicate(), RUN_S)
    finally:
        origin.terminate()
        origin.wait(timeout=10)
    told = json.loads(out.splitlines()[-1])
    assert sum(result is True for result in told.values()) > 140
    assert {name: result for name, result in told.items() if result is not True and name not in OTHERWISE} == {}


def _answers(port: int) -> bool:
    return subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/"], check=False, capture_output=True).returncode == 0
