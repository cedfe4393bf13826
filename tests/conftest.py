"""How much hypothesis tries, who is asked twice, and the servers that tests share.

Hypothesis tries little by default, much under `make fuzz` (--hypothesis-profile=long).
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from gateway.hot_path import COMPILED, INTERPRETED, hot_path, of_this_process
from tests.parts.postgres import Postgres, running_postgres
from tests.parts.valkey import Valkey

# The blob printed with a failure repeats it; times are not judged, as machines are shared.
settings.register_profile("default", print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("default"), max_examples=20_000)
settings.load_profile("default")

# Every registry that a test starts takes a free port for DNS; many run side by side.
os.environ.setdefault("MESHWAY_DNS_PORT", "0")


# Of real parts and processes, which share their cores with whatever else the machine does.
_ASKED_AGAIN = {"integration", "end_to_end", "browser"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lane", choices=("alone", "beside"), help="only tests marked alone, or only the others")
    parser.addoption("--hot-path", choices=(COMPILED, INTERPRETED), help="refuse to test the other kind of code")


def pytest_configure(config: pytest.Config) -> None:
    wanted, runs = config.getoption("--hot-path"), of_this_process().word
    if wanted not in (None, runs):
        raise pytest.UsageError(f"the hot path is {runs} here")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Picks the lane; and a test that failed is asked once more, but for those that say otherwise (CONTRIBUTING.md)."""
    if lane := config.getoption("--lane"):
        taken: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            (taken if (item.get_closest_marker("alone") is not None) == (lane == "alone") else left).append(item)
        items[:] = taken
        config.hook.pytest_deselected(items=left)
    for item in items:
        suite = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        if suite in _ASKED_AGAIN and item.get_closest_marker("flaky") is None:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was tested, and why a test was asked again: its second answer says nothing of it."""
    terminalreporter.write_line(
        f"hot path: {of_this_process().word} in tests, {hot_path().word} in gateways they start"
    )
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_line(f"asked again, {report.when}: {report.nodeid}")
        terminalreporter.write_line("\n".join(report.longreprtext.splitlines()[-15:]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of a process that only need databases; who stops or kills it starts one of his own."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """An empty database for each test."""
    return postgres.new_database()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.close()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """An empty one for each test; who stops or kills it starts one of his own."""
    valkey_server.flush()
    return valkey_server
