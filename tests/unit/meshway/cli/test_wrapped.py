"""A program that does not listen where it was said to is told, and stopped."""

import signal
import socket
import sys
from collections.abc import Iterator

import pytest

from meshway.cli import wrapped
from meshway.cli.session import Session
from meshway.cli.wrapped import Wrapped, run_registered
from meshway.client.registration import describe
from meshway.client.settings import MeshSettings
from meshway.client.sharing import join_share
from tests.parts.ports import free_port

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDS_WELL = (
    "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); print('up', flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(port: int, *command: str, protocol: str = "http") -> int:
    settings = MeshSettings(registry="http://127.0.0.1:1")
    wanted = describe(settings, "wrongport", port, address="127.0.0.1", protocol=protocol)
    return run_registered(Session(), settings, wanted, Wrapped(command, port))


@pytest.mark.parametrize("command", [("sleep", "60"), (sys.executable, "-c", ENDS_WELL)])
def test_a_port_that_never_opens_is_told_soon_and_ends_the_program_at_last(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wrapped, "_WARNS_AFTER_S", 0.5)
    monkeypatch.setattr(wrapped, "_LISTENS_WITHIN_S", 2.0)
    port = free_port()
    assert run(port, *command) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"! nothing answers on port {port} yet, so default/wrongport is not registered: --port is where the program "
        "listens; it is stopped after 2 s",
        f"✗ the program did not listen on port {port} within 2 s, and is stopped",
    ]


def test_a_program_that_ends_at_once_is_told_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(free_port(), sys.executable, "-c", "raise SystemExit(3)") == 3
    assert capsys.readouterr().err == "! the program ended before it listened, exit code 3\n"


def test_a_second_copy_of_an_instance_says_that_the_first_one_has_the_lease(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    first = join_share(f"http://127.0.0.1:1 {describe(MeshSettings(), 'wrongport', port, protocol='udp').name}")
    try:
        assert first.hold()
        assert run(port, "sleep", "1", protocol="udp") == 0
    finally:
        first.leave()
    assert capsys.readouterr().err.splitlines() == [
        f"! default/wrongport/wrongport-{socket.gethostname()}-{port} is registered by another process here; this one "
        "does when that one ends"
    ]


def test_a_program_of_datagrams_is_not_asked_whether_it_listens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wrapped, "_LISTENS_WITHIN_S", 0.5)
    assert (
        run(free_port(), sys.executable, "-c", "import time; time.sleep(1.5); raise SystemExit(3)", protocol="udp") == 3
    )
    assert "did not listen" not in capsys.readouterr().err
