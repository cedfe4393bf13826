"""What a service of gRPC tells of itself by reflection, asked by grpcurl through the gateway. Wants Go;
`make interop`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.test_http2 import built, documents
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process, python

REFLECTION: Final = "grpcio-reflection==1.85.1"
INSTALL_S: Final = 120
ASK_S: Final = 30
SERVICE: Final = "shop.v1.Shop"

pytestmark = pytest.mark.interop


def reflection() -> Path:
    """Where its package is, beside our own ones."""
    folder = ROOT / "build" / REFLECTION
    if not folder.exists():
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), REFLECTION]
        made = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if made.returncode:
            pytest.skip(f"{REFLECTION} cannot be installed: {made.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[int]:
    """Its port."""
    port = free_port()
    path = os.pathsep.join((str(ROOT), str(reflection())))
    process = Process(
        python("-m", "tests.parts.reflected_shop", str(port)), tmp_path / "shop.out", env={"PYTHONPATH": path}
    )
    wait_until(lambda: "ready" in process.text() or not process.is_running(), 30, what="the service")
    try:
        assert process.is_running(), process.text()
        yield port
    finally:
        process.stop()


def test_grpcurl_lists_describes_and_calls_what_it_has_not_known(tmp_path: Path, shop: int) -> None:
    grpcurl = built("github.com/fullstorydev/grpcurl/cmd/grpcurl@latest", "grpcurl")
    mesh = Mesh(tmp_path, 1, "--dns-port", "0")

    def asked(listener: str, *words: str) -> str:
        address, options = listener.rpartition("/")[2], [word for word in words if word.startswith("-d=")]
        others = [word for word in words if not word.startswith("-d=")]
        command = [str(grpcurl), "-plaintext", "-authority", "behind.default.mesh", *options, address, *others]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        mesh.apply(documents(shop, "http2"))
        for listener in (mesh.edge, mesh.mesh):
            assert SERVICE in asked(listener, "list").split()
            assert f"{SERVICE}.GetBook" in asked(listener, "list", SERVICE).split()
            described = asked(listener, "describe", SERVICE)
            assert "rpc ListBooks ( .shop.v1.GetBook ) returns ( stream .shop.v1.Book )" in described
            got = json.loads(asked(listener, '-d={"name": "shelves/1/books/2"}', f"{SERVICE}/GetBook"))
            assert (got["name"], got["title"], got["kind"]) == ("shelves/1/books/2", "Dune", "NOVEL")
            listed = asked(listener, '-d={"name": "shelves/1"}', f"{SERVICE}/ListBooks")
            assert listed.count('"shelves/1/books/') == 3
    finally:
        mesh.close()
