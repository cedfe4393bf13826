"""A Unix socket is bound and reached wherever its folder is."""

import socket
from pathlib import Path

import pytest

from meshway.socket_path import short_path


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("depth", [1, 3])
def test_a_socket_is_bound_and_reached_below_a_long_folder_too(tmp_path: Path, depth: int) -> None:
    path = tmp_path.joinpath(*["f" * 60] * depth) / "s.sock"
    path.parent.mkdir(parents=True)
    before = open_files()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as caller:
        with short_path(path) as name:
            server.bind(name)
        server.listen()
        assert path.is_socket()
        with short_path(path) as name:
            caller.connect(name)
        answering, _ = server.accept()
        with answering:
            answering.sendall(b"here")
        assert caller.recv(10) == b"here"
    assert open_files() == before


def test_a_short_one_is_used_as_it_is() -> None:
    with short_path(Path("/run/meshway/gateway.sock")) as name:
        assert name == "/run/meshway/gateway.sock"
