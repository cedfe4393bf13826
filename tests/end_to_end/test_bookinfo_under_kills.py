"""bookinfo under load while its reviews die, freeze, come and go, and the gateway reloads.

What may fail: a POST already sent to an instance that was killed or stopped. Nothing else, and nothing at all by drain,
add or reload. A dead instance gets no attempt from 2 s after a kill and 5 s after a stop.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from tests.parts.bookinfo import Bookinfo
from tests.parts.load import Call, Load
from tests.parts.mesh import Mesh

# As the shop's policies have it: the page gets three attempts of 8 s. Who leaves before says nothing of the gateway:
# where that one process has little of the machine, the page takes seconds.
PATIENCE_S = 3 * 8.0 + 2.0
PORTS = {"GET": "/productpage", "POST": "/reviews/0"}


@dataclass
class Outage:
    """One instance away, in wall-clock seconds. quiet_from_s: from when on it must get no attempt."""

    instance: str
    began_s: float
    quiet_after_s: float
    answered_again_s: float = field(default=float("inf"))


def requests_of(number: int) -> tuple[str, str, bytes]:
    """Nine GETs of the page for one POST of a review."""
    request_id = f"bookinfo-{number:08d}"
    fields = f"Host: bookinfo.example\r\nx-request-id: {request_id}\r\n"
    if number % 10:
        return "GET", request_id, f"GET /productpage HTTP/1.1\r\n{fields}\r\n".encode()
    body = b'{"text": "fine"}'
    head = (
        f"POST /api/reviews/0 HTTP/1.1\r\n{fields}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return "POST", request_id, head.encode() + body


# The page is one process of some 20 ms of CPU a call: on an eighth of a core 64 callers wait for 10 s, and attempts run
# out of their 8.
@pytest.mark.parametrize(("seconds", "callers"), [(24.0, 16), pytest.param(60.0, 64, marks=pytest.mark.soak)])
def test_only_posts_sent_to_a_dying_instance_may_fail(
    start_mesh: Callable[..., Mesh], seconds: float, callers: int
) -> None:
    mesh = start_mesh(2)
    bookinfo = Bookinfo(mesh)
    try:
        bookinfo.start()
        outages: list[Outage] = []
        traces: dict[str, str] = {}
        load = Load(int(mesh.edge.rpartition(":")[2]), callers, requests_of, timeout_s=PATIENCE_S)
        load.on_lost = lambda call: traces.update({call.request_id: who_had(call, mesh)})
        finished = threading.Event()
        disturbance = threading.Thread(target=disturb, args=(bookinfo, mesh, outages, seconds, finished))
        disturbance.start()
        asyncio.run(load.for_seconds(seconds))
        finished.set()
        disturbance.join(60)
    finally:
        bookinfo.close()
    log = list(mesh.access_log())
    assert len(load.calls) > 100
    judge_failures(load.failures, outages, traces)
    judge_attempts(log, outages)


def disturb(bookinfo: Bookinfo, mesh: Mesh, outages: list[Outage], seconds: float, finished: threading.Event) -> None:
    """Kill, stop, continue, add, drain and reload, spread over the run; each ends before the next begins."""
    step_s = seconds / 8
    killed = bookinfo.pick("reviews", "v2")
    finished.wait(step_s)
    outages.append(Outage(killed.identity, time.time(), 2.0))
    killed.send(signal.SIGKILL)
    finished.wait(step_s)
    os.kill(mesh.pid("gateway"), signal.SIGHUP)
    finished.wait(step_s)
    added = bookinfo.add("reviews", "v2")
    finished.wait(step_s)
    stopped = bookinfo.pick("reviews", "v3")
    outages.append(Outage(stopped.identity, time.time(), 5.0))
    stopped.send(signal.SIGSTOP)
    finished.wait(max(step_s, 7.0))
    outages[-1].answered_again_s = time.time()
    stopped.send(signal.SIGCONT)
    finished.wait(step_s)
    os.kill(mesh.pid("gateway"), signal.SIGHUP)
    added.drain()


def who_had(call: Call, mesh: Mesh) -> str:
    """Of a call without an answer: both ends of its connection, with their processes and what
    waits in them, what of it the gateway has logged so far, and what it complained of."""
    show = shutil.which("ss")
    sockets = subprocess.run([show, "-tnpH"], capture_output=True, text=True, check=False).stdout if show else ""
    ends = [line for line in sockets.splitlines() if f":{call.port} " in line]
    logged = [str(line) for line in mesh.access_log() if line.get("request_id") == call.request_id]
    return "\n".join([f"at {time.time():.3f}", *ends, *logged, mesh.process.text()[-1500:]])


def judge_failures(failures: list[Call], outages: list[Outage], traces: dict[str, str]) -> None:
    """traces: of calls without an answer, by their ids."""

    def is_allowed(call: Call) -> bool:
        during = any(o.began_s - 2.0 <= call.started_s <= o.began_s + o.quiet_after_s for o in outages)
        return call.method == "POST" and during

    forbidden = [call for call in failures if not is_allowed(call)]
    told = "\n".join(f"{call}\n{traces.get(call.request_id, '')}" for call in forbidden)
    assert not forbidden, f"{len(forbidden)} of {len(failures)} failures are not allowed; {outages}:\n{told}"


def judge_attempts(log: list[dict[str, Any]], outages: list[Outage]) -> None:
    """No attempt began on a dead instance after its grace; a line's time is when the call ended."""
    late = []
    for line in log:
        started_s = datetime.fromisoformat(line["time"]).timestamp() - line["duration_ms"] / 1000.0
        for attempt in line.get("attempts_detail") or [{"instance": line["instance"], "began_ms": 0.0}]:
            began_s = started_s + attempt["began_ms"] / 1000.0
            for outage in outages:
                quiet_from_s = outage.began_s + outage.quiet_after_s
                if attempt["instance"] == outage.instance and quiet_from_s < began_s < outage.answered_again_s:
                    late.append((outage.quiet_after_s, began_s - outage.began_s, line))
    assert late == []
