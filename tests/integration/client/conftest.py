"""A real registry, and services on the SDK beside it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.planes import Registry
from tests.parts.processes import Process
from tests.parts.sdk_services import start_service

Start = Callable[..., tuple[Process, int]]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    running = Registry(tmp_path)
    yield running
    running.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(registry_url, kind, workers, port); all are ended after the test."""
    started: list[Process] = []

    def run(registry_url: str, kind: str = "asgi", workers: int = 1, port: int = 0) -> tuple[Process, int]:
        process, port = start_service(tmp_path, registry_url, kind, workers, port)
        started.append(process)
        return process, port

    yield run
    for process in started:
        process.stop(10)
