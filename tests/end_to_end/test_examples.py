"""The examples do what their pages say, beside `meshway up`."""

import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.parts.bookinfo import Bookinfo
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process, python

HELLO = ROOT / "examples" / "hello-service"


@pytest.mark.parametrize("way", ["wrapped", "fastapi"])
def test_hello_joins_answers_inside_and_outside_and_leaves(
    start_mesh: Callable[..., Mesh], tmp_path: Path, way: str
) -> None:
    mesh, port = start_mesh(1), free_port()
    command = python(str(HELLO / "hello_fastapi.py"))
    if way == "wrapped":
        register = ["-m", "meshway.cli.main", "register", "hello", "--port", str(port), "--"]
        command = python(*register, *python(str(HELLO / "hello.py")))
    environment = {"MESHWAY_URL": mesh.registry, "MESHWAY_GATEWAY": mesh.mesh, "PORT": str(port)}
    hello = Process(command, tmp_path / "hello.out", environment)
    try:
        wait_until(lambda: mesh.call("hello").text == "Hello, World!\n", 20, what="an answer on the mesh")
        assert mesh.client.get(f"{mesh.edge}/hello").status_code == 404
        mesh.apply((HELLO / "route.yaml").read_text())
        assert mesh.client.get(f"{mesh.edge}/hello").text == "Hello, World!\n"
        hello.send(signal.SIGTERM)
        hello.popen.wait(20)
        items = mesh.client.get(f"{mesh.registry}/v1/namespaces/default/services/hello/instances").json()["items"]
        assert items == []
    finally:
        hello.stop()


def test_the_book_shop_shows_who_answered_and_what_is_missing(start_mesh: Callable[..., Mesh]) -> None:
    mesh = start_mesh(1)
    shop = Bookinfo(mesh)

    def page(**headers: str) -> httpx.Response:
        return mesh.client.get(f"{mesh.edge}/productpage", headers=headers)

    try:
        shop.start()
        answers = [page() for _ in range(40)]
        assert {answer.headers["x-bookinfo-reviews"] for answer in answers} == {"v2", "v3"}
        assert all('class="stars ' in answer.text and answer.headers["x-bookinfo-errors"] == "0" for answer in answers)
        assert {'class="stars red"' in answer.text for answer in answers} == {True, False}
        plain = page(**{"end-user": "jason"})
        assert plain.headers["x-bookinfo-reviews"] == "v1"
        assert "★" not in plain.text
        assert mesh.client.get(f"{mesh.edge}/static/shop.css").status_code == 200
        assert mesh.client.get(f"{mesh.edge}/api/details/2").json()["title"] == "Flatland"
        rated = mesh.client.post(f"{mesh.edge}/api/ratings/2", json={"reviewer": "Emmy", "stars": 1})
        assert rated.status_code == 201

        shop.pick("ratings", "v1").drain()
        lost = page()
        assert (lost.status_code, lost.headers["x-bookinfo-errors"]) == (200, "1")
        assert "Ratings are not available" in lost.text
        shop.pick("details", "v1").drain()
        lost = page()
        assert (lost.status_code, lost.headers["x-bookinfo-errors"]) == (200, "2")
        assert "Details are not available" in lost.text
    finally:
        shop.close()
