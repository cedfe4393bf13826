"""The built console as answers."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from meshway.model.kinds import BY_PLURAL
from registry.console.assets import PAGES, Console
from registry.machine.request import Reply, Request
from registry.rights.caller import NOBODY
from tests.parts.heads import head_of

SOURCES = Path(__file__).parents[4] / "admin_ui" / "src"
ROUTES, DOCUMENTS = SOURCES / "routes.tsx", SOURCES / "api" / "documents.ts"
SCRIPT = b"console.log(1)\n" * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build beside a file that is none of it."""
    (tmp_path / "secret.txt").write_text("not yours")
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><div id=root></div>")
    (built / "assets" / "main-1a2b.js").write_bytes(SCRIPT)
    (built / "assets" / "main-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (built / "assets" / "main-1a2b.js.br").write_bytes(b"as if by brotli")
    (built / ".stamp").write_text("of the build")
    (built / ".vite").mkdir()
    (built / ".vite" / "manifest.json").write_text("{}")
    (built / "assets" / "link.js").symlink_to(tmp_path / "secret.txt")
    return built


def ask(console: Console, path: str, *lines: str) -> Reply:
    request = Request(
        head_of("host: localhost", *lines, start=f"GET {path} HTTP/1.1"),
        b"",
        method="GET",
        path=path,
        segments=tuple(path.split("/")[1:]),
        query="",
        peer="127.0.0.1",
        caller=NOBODY,
    )
    return console.answer(request)


@pytest.mark.parametrize("path", ["/", "/services", "/services/shop/reviews", "/policies/Route/shop/a.b", "/setup"])
def test_every_page_is_the_index_and_is_kept_by_nobody(folder: Path, path: str) -> None:
    console = Console(folder)
    assert console.serves(path)
    reply = ask(console, path)
    assert reply.status == 200
    assert reply.body.startswith(b"<!doctype html>")
    assert b"cache-control: no-store\r\n" in reply.headers
    assert b"default-src 'none'; script-src 'self';" in reply.headers
    assert b"frame-ancestors 'none'" in reply.headers


def test_an_asset_is_kept_for_good(folder: Path) -> None:
    reply = ask(Console(folder), "/assets/main-1a2b.js")
    assert reply.body == SCRIPT
    assert reply.content_type == b"text/javascript; charset=utf-8"
    assert b"immutable" in reply.headers
    assert b"nosniff" in reply.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", b"br"),
        ("gzip;q=1.0, br;q=0", b"gzip"),
        ("br;q=0.000, gzip;q=0.5", b"gzip"),
        ("identity", b""),
        ("", b""),
    ],
)
def test_the_coding_is_the_best_that_the_browser_takes(folder: Path, accepted: str, coding: bytes) -> None:
    reply = ask(Console(folder), "/assets/main-1a2b.js", f"accept-encoding: {accepted}")
    assert (b"content-encoding: %b\r\n" % coding in reply.headers) == bool(coding)
    assert b"content-encoding" not in reply.headers or coding
    assert b"vary: accept-encoding\r\n" in reply.headers


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.txt", "/assets/..\\..\\secret.txt", "/../secret.txt", "//secret.txt", "/assets/",
        "/assets/none.js", "/.stamp",
        "/.vite/manifest.json", "/assets/link.js", "/v1/services", "/openapi.json", "/metrics", "/nacos/v1/x",
        "/eureka/apps", "/assets/main-1a2b.js/", "/index.html/..", "/servicesx", "services",
    ],
)  # fmt: skip
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    assert not Console(folder).serves(path)


@pytest.mark.parametrize("console", [Console(None), Console(Path("/nowhere"))])
def test_without_a_build_the_page_says_how_to_get_one(console: Console) -> None:
    reply = ask(console, "/services")
    assert reply.status == 503
    assert b"make install" in reply.body
    assert not console.serves("/assets/main.js")


def test_a_build_that_comes_later_is_found(folder: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    console = Console(later)
    assert ask(console, "/").status == 503
    folder.rename(later)
    assert ask(console, "/").status == 200
    assert console.serves("/assets/main-1a2b.js")


def test_a_build_made_anew_meanwhile_is_shown_from_the_next_page_on(folder: Path) -> None:
    console = Console(folder)
    assert ask(console, "/").status == 200
    (folder / "index.html").write_text("<!doctype html>new")
    (folder / "assets" / "main-1a2b.js").rename(folder / "assets" / "main-3c4d.js")
    assert ask(console, "/assets/main-1a2b.js").status == 503
    assert ask(console, "/").body == b"<!doctype html>new"
    assert ask(console, "/assets/main-3c4d.js").body == SCRIPT


def test_the_pages_are_those_of_the_console() -> None:
    paths = re.findall(r"path: '/([^']*)'", ROUTES.read_text())
    assert {path.partition("/")[0] for path in paths} == PAGES | {""}


def test_the_console_knows_every_kind_by_its_plural() -> None:
    block = DOCUMENTS.read_text().partition("PLURALS = {")[2].partition("}")[0]
    assert {plural: kind for kind, plural in re.findall(r"(\w+): '([\w-]+)'", block)} == BY_PLURAL
