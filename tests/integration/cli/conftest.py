"""One real registry for the module; each test has a namespace of its own."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.parts.command import Ended, meshway
from tests.parts.planes import Registry

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    running = Registry(tmp_path_factory.mktemp("registry"))
    yield running
    running.close()


@pytest.fixture
def namespace() -> str:
    return f"shop-{next(_NUMBERS)}"


@pytest.fixture
def run(registry: Registry, namespace: str, tmp_path: Path) -> Callable[..., Ended]:
    """The command in the test's own folder, speaking to the registry about the test's own namespace."""

    def run(*arguments: str, stdin: str = "") -> Ended:
        env = {
            "MESHWAY_URL": registry.url,
            "MESHWAY_NAMESPACE": namespace,
            "PYTHONPATH": str(Path(__file__).parents[3]),
        }
        return meshway(*arguments, stdin=stdin, env=env, cwd=tmp_path)

    return run
