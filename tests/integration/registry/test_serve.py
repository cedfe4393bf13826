"""The registry as a process."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from registry.door import bind, refuse_open_door, url_of
from registry.server import Server, nothing
from registry.settings import RegistrySettings, StartRefused
from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.registry import running_registry

SERVE = """
import sys, socket
from pathlib import Path
from registry.app import serve
from registry.settings import RegistrySettings
sock = socket.socket(fileno=int(sys.argv[2])) if len(sys.argv) > 2 else None
settings = RegistrySettings(data_dir=Path(sys.argv[1]), trusts_loopback=True, port=0)
serve(settings, sock=sock, ready=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


def _start(folder: Path, sock: socket.socket | None = None) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-c", SERVE, str(folder)]
    descriptors = ()
    if sock is not None:
        command.append(str(sock.fileno()))
        descriptors = (sock.fileno(),)  # type: ignore[assignment]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=descriptors)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_it_says_when_it_is_ready_and_sigterm_stops_it_cleanly_with_a_watcher_open(tmp_path: Path) -> None:
    process, url = _start(tmp_path)
    try:
        with httpx.stream("GET", f"{url}/v1/watch", timeout=5) as watch:
            assert watch.status_code == 200
            assert httpx.get(f"{url}/v1/health/ready").json() == {"status": "ready", "missing": []}
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            assert process.stdout.readline() == "stopped\n"
            assert process.wait(5) == 0
            assert time.monotonic() - begun < 3
    finally:
        process.kill()
        process.wait()


def test_the_command_says_once_where_it_answers_in_the_gateways_format(tmp_path: Path) -> None:
    running = Registry(tmp_path)
    try:
        wait_until(lambda: running.process.text() != "", 5, what="a line")
        (line,) = running.process.text().splitlines()
    finally:
        running.close()
    stamp, _, said = line.partition(" registry INFO ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", stamp), line
    assert said.startswith(
        f"answers at {running.url}, store SQLite in {running.data}, leases in memory, names by DNS "
    ), line


async def test_one_that_stops_says_so_to_whoever_chooses_among_registries(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as running:
        server = Server(uvicorn.Config(app=nothing), running.core, None, ready=lambda: None)
        server._stop()
        answer = await running.call("GET", "/v1/health/ready")
        assert (answer.status, answer.json) == (503, {"status": "stopping", "missing": []})
        assert (await running.call("GET", "/v1/health/live")).status == 200


def test_a_given_socket_keeps_its_port_over_a_restart_and_nothing_answered_is_lost(tmp_path: Path) -> None:
    with bind(RegistrySettings(data_dir=tmp_path, port=0)) as sock:
        for at in range(2):
            process, url = _start(tmp_path, sock)
            try:
                assert url == url_of(sock)
                place = f"{url}/v1/namespaces/default/services/a/instances"
                assert httpx.put(f"{place}/a-{at}", json={"port": 80}).status_code == 201
                assert len(httpx.get(place).json()["items"]) == at + 1
            finally:
                process.kill()
                process.wait()


def test_a_second_registry_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    process, _ = _start(tmp_path)
    try:
        second = subprocess.run(
            [sys.executable, "-c", SERVE, str(tmp_path)], check=False, capture_output=True, text=True, timeout=20
        )
        assert second.returncode != 0
        assert str(process.pid) in second.stderr
    finally:
        process.terminate()
        wait_until(lambda: process.poll() is not None)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1"])
def test_a_bind_that_others_reach_must_be_meant(address: str, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="--insecure"):
        refuse_open_door(RegistrySettings(data_dir=tmp_path, bind=address))
    refuse_open_door(RegistrySettings(data_dir=tmp_path, bind=address, insecure=True))
    for own in ("127.0.0.1", "::1", "localhost"):
        refuse_open_door(RegistrySettings(data_dir=tmp_path, bind=own))


def test_a_taken_port_and_a_name_to_bind_are_refused_in_one_line(tmp_path: Path) -> None:
    with bind(RegistrySettings(data_dir=tmp_path, port=0)) as sock:
        sock.listen()
        with pytest.raises(StartRefused, match="cannot listen"):
            bind(RegistrySettings(data_dir=tmp_path, port=sock.getsockname()[1]))
    with pytest.raises(StartRefused, match="no address"):
        bind(RegistrySettings(data_dir=tmp_path, bind="registry.example"))
