"""A mesh a test, and instances that end with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.instances import EchoInstance
from tests.parts.mesh import Mesh


@pytest.fixture
def start_mesh(tmp_path: Path) -> Iterator[Callable[..., Mesh]]:
    running: list[Mesh] = []

    def start(workers: int = 1, *arguments: str) -> Mesh:
        running.append(Mesh(tmp_path, workers, *arguments))
        return running[-1]

    yield start
    for mesh in running:
        mesh.close()


@pytest.fixture
def start_echo(tmp_path: Path) -> Iterator[Callable[..., EchoInstance]]:
    running: list[EchoInstance] = []

    def start(identity: str, port: int = 0) -> EchoInstance:
        running.append(EchoInstance(tmp_path, identity, port))
        return running[-1]

    yield start
    for instance in running:
        instance.kill()
