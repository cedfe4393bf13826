"""What is carried otherwise than by HTTP, as people see and write it: a TcpRoute written as a form, and its service;
forms of other kinds; and what a cache did in a call's detail."""

import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_connection

import pytest
from playwright.sync_api import Browser, expect

from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

DOCUMENTS = """
apiVersion: meshway/v1
kind: Listener
metadata: {name: db, namespace: mesh}
spec: {port: %d, protocol: tcp}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: news}
spec:
  hosts: [news.example]
  rules: [{destinations: [{service: news}], cache: {}}]
"""


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class News(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"news")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Into no test's output."""


@pytest.fixture(scope="module")
def port() -> int:
    """Of the Listener of bytes."""
    return free_port()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Mesh]:
    """`db`, which speaks something else than HTTP, and `news`, whose answers may be kept."""
    servers = [EchoServer(("127.0.0.1", 0), Echo), ThreadingHTTPServer(("127.0.0.1", 0), News)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        for name, server in zip(("db", "news"), servers, strict=True):
            mesh.register(name, f"{name}-1", server.server_address[1], ttl_s=3600)
        mesh.apply(DOCUMENTS % port)
        yield mesh
    finally:
        mesh.close()
        for server in servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def tab(shop: Mesh, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, shop.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def echoes(port: int) -> bool:
    try:
        with create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"select 1")
            return connection.recv(8) == b"select 1"
    except OSError:
        return False


def test_a_route_of_connections_is_written_as_a_form_and_seen_at_its_service(
    shop: Mesh, port: int, tab: Tab, browser: Browser
) -> None:
    shop.client.delete(f"{shop.registry}/v1/namespaces/default/tcp-routes/db")  # of a run before
    page = tab.page
    tab.open("/policies/TcpRoute/default/+")
    page.get_by_text("Form", exact=True).click()
    page.get_by_label("name", exact=True).first.fill("db")
    page.get_by_label("listeners", exact=True).fill("db")
    page.get_by_label("service", exact=True).fill("db")
    assert tab.axe() == []
    page.get_by_role("button", name="Show the difference").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("region", name="Since it was published")).to_be_visible()
    wait_until(lambda: echoes(port), 20, what="bytes there and back")

    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Page, service or revision").fill("tcpr")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="db → db")).to_be_visible()
    tab.open("/services/default/db")
    expect(page.get_by_text("It carries bytes, not HTTP")).to_be_visible()
    expect(page.get_by_text("Speaks: TCP")).to_be_visible()
    expect(page.get_by_role("region", name="Steps to the first call")).to_contain_text("routed from the edge ✓")
    signals = page.get_by_role("region", name="Signals")
    expect(signals).to_contain_text(re.compile(r"Connections.*Bytes in.*Bytes out", re.DOTALL), timeout=20_000)
    expect(signals).not_to_contain_text("p95")
    page.get_by_role("tab", name="Charts").click()
    expect(page.get_by_role("img", name="Bytes: Bytes in")).to_be_visible()
    page.get_by_role("tab", name="Routes and policies").click()
    expect(page.get_by_role("listitem").filter(has_text="TcpRoute")).to_contain_text("default/db")
    other = open_tab(browser, shop.registry, dark=True, language="zh-CN")
    tab.open("/map?namespace=default&level=services")
    expect(page.locator(".map-label").filter(has_text="TCP")).to_be_visible()
    expect(page.get_by_text("A line is marked where more than plain HTTP is spoken")).to_be_visible()
    for path in ("/services/default/db", "/policies/TcpRoute", "/map?namespace=default&level=services"):
        other.open(path)
        expect(other.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (path, other.axe(), other.faults) == (path, [], [])
    other.page.context.close()


def test_what_is_written_can_be_written_as_a_form(tab: Tab) -> None:
    page = tab.page
    for address, block, field in (
        ("/policies/UdpRoute/default/+", None, "max_sessions"),
        ("/policies/DescriptorSet/default/+", None, "data"),
        ("/policies/Listener/mesh/+", None, "protocol"),
        ("/policies/Route/default/news", "websocket", "max_message"),
        ("/policies/Route/default/news", "transcode", "descriptors"),
    ):
        tab.open(address)
        page.get_by_text("Form", exact=True).click()
        if block is not None:
            page.get_by_label("Add a block to spec.rules[0]", exact=True).select_option(block)
        expect(page.get_by_label(field, exact=True).first).to_be_visible()
    assert tab.axe() == []


def test_what_a_cache_did_is_told_of_its_call(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry)
    page = tab.page
    tab.open("/requests?live=true&filter=cache:hit")
    row = page.locator("tr[data-row]")

    def is_there() -> bool:
        assert shop.client.get(f"{shop.edge}/today", headers={"Host": "news.example"}).text == "news"
        return row.count() > 0

    wait_until(is_there, 30, what="a hit on the page")
    page.locator("h1").click()
    page.keyboard.press("p")
    row.first.get_by_role("link").first.click()
    region = page.get_by_role("region", name=re.compile("^GET news.example"))
    expect(region).to_contain_text(re.compile(r"Cache\s*hit"))
    assert tab.axe() == []
    page.context.close()
