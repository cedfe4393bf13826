"""`meshway logs` as a person runs it."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs, resource_of
from tests.parts.command import Ended
from tests.parts.planes import Registry
from tests.parts.processes import ROOT

Run = Callable[..., Ended]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def ship(registry: Registry, namespace: str, *texts: str, service: str = "pay", severity: int = 9) -> None:
    now_ns = time.time_ns()
    records = [LogRecord(now_ns + at * 1_000, text, severity, trace_id=TRACE) for at, text in enumerate(texts)]
    body = export_logs([LogsOfResource(resource_of(service, namespace, "p-1"), [LogsOfScope("app", records)])])
    answer = registry.client.post("/v1/logs", content=body, headers={"content-type": "application/x-protobuf"})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def shipped(registry: Registry, namespace: str) -> None:
    ship(registry, namespace, "listening", "card declined", severity=9)
    ship(registry, namespace, "store is away", service="cart", severity=17)
    ship(registry, f"{namespace}-other", "of another namespace")


@pytest.mark.usefixtures("shipped")
def test_lines_are_shown_the_youngest_last_and_by_what_is_asked_for(run: Run, namespace: str) -> None:
    heading, *rows = run("logs").out.splitlines()
    assert heading.split() == ["TIME", "SEVERITY", "SERVICE", "TEXT"]
    assert [re.split(r" {2,}", row)[-1] for row in rows] == ["listening", "card declined", "store is away"]
    assert "error" in rows[-1]
    (only,) = run("logs", "pay", "--grep", "declin*", "-o", "jsonl").out.splitlines()
    assert json.loads(only)["service"] == f"{namespace}/pay"
    assert len(run("logs", "--severity", "warn").out.splitlines()) == 2
    assert len(run("logs", f"{namespace}/cart").out.splitlines()) == 2
    assert run("logs", "pay", "--limit", "1").out.splitlines()[-1].endswith("card declined")
    assert "of another namespace" in run("logs", "--trace", TRACE, "--since", "5m").out
    assert run("logs", "nobody").err.startswith("no kept line fits")
    refused = run("logs", "--grep", '"open')
    assert (refused.code, "a quote is not closed" in refused.err) == (6, True)
    assert run("logs", "--since", "soon").code == 2


def test_what_a_terminal_would_obey_is_shown_and_not_obeyed(run: Run, registry: Registry, namespace: str) -> None:
    ship(registry, namespace, "bell \x07 and \x1b[2J")
    assert "bell \\x07 and \\x1b[2J" in run("logs").out


def test_lines_are_followed_until_one_has_seen_enough(registry: Registry, namespace: str) -> None:
    command = [sys.executable, "-m", "meshway.cli.main", "logs", "pay", "-f", "-o", "jsonl"]
    command += ["--registry", registry.url, "-n", namespace]
    numbers, is_seen = count(), threading.Event()

    def ship_on() -> None:
        """From when on it follows nobody is told."""
        while not is_seen.wait(0.1):
            ship(registry, namespace, f"line {next(numbers)}")

    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as following,
        ThreadPoolExecutor(1) as shipping,
    ):
        assert following.stdout is not None
        shipped = shipping.submit(ship_on)
        try:
            first = json.loads(following.stdout.readline())
            second = json.loads(following.stdout.readline())
        finally:
            is_seen.set()
            following.send_signal(signal.SIGINT)
        shipped.result(10)
        following.wait(10)
    assert int(second["text"].split()[1]) == int(first["text"].split()[1]) + 1
