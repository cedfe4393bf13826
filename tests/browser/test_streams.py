"""What is carried otherwise than by HTTP, as people see and write it: a TcpRoute written as a form, and its service;
sessions of datagrams on the map, while they last and when they have ended;
forms of other kinds; and what a cache did in a call's detail."""

import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, SOCK_DGRAM, create_connection, socket
from typing import Any

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
spec: {port: %(db)d, protocol: tcp}
---
apiVersion: meshway/v1
kind: Listener
metadata: {name: world, namespace: mesh}
spec: {port: %(world)d, protocol: udp}
---
apiVersion: meshway/v1
kind: UdpRoute
metadata: {name: world}
spec: {listeners: [world], idle: 2s, destinations: [{service: world}]}
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


class EchoDatagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, answering = self.request
        answering.sendto(data, self.client_address)


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
def ports() -> dict[str, int]:
    """Of the Listeners of bytes and of datagrams."""
    return {"db": free_port(), "world": free_port()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> Iterator[Mesh]:
    """`db` and `world`, which speak something else than HTTP, and `news`, whose answers may be kept."""
    here = ("127.0.0.1", 0)
    servers = [
        EchoServer(here, Echo),
        socketserver.UDPServer(here, EchoDatagram),
        ThreadingHTTPServer(here, News),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        for name, server in zip(("db", "world", "news"), servers, strict=True):
            mesh.register(name, f"{name}-1", server.server_address[1], ttl_s=3600)
        mesh.apply(DOCUMENTS % ports)
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
    shop: Mesh, ports: dict[str, int], tab: Tab, browser: Browser
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
    wait_until(lambda: echoes(ports["db"]), 20, what="bytes there and back")

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


def test_a_session_of_datagrams_is_on_the_map_while_it_lasts_and_when_it_has_ended(
    shop: Mesh, ports: dict[str, int], tab: Tab
) -> None:
    card = tab.page.locator(".map-card").filter(has_text="world")
    with socket(AF_INET, SOCK_DGRAM) as player:
        player.settimeout(10)

        def is_open() -> bool:
            """Asked on and on: it is silent nowhere long enough to end."""
            player.sendto(b"north", ("127.0.0.1", ports["world"]))
            assert player.recv(16) == b"north"
            return told(shop, "nodes", id="default/world").get("open_now") == 1

        wait_until(is_open, 20, every_s=0.2, what="a session that lasts")
        tab.open("/map?namespace=default&level=services")
        open_card = card.filter(has_text="1 open")
        wait_until(lambda: is_open() and open_card.count() == 1, 20, every_s=0.2, what="the session on its card")
    wait_until(lambda: told(shop, "edges", target="default/world"), 20, every_s=0.2, what="the session's end")
    wait_until(lambda: not told(shop, "nodes", id="default/world").get("open_now"), 20, every_s=0.2, what="the gauge")
    tab.reload()
    expect(tab.page.locator(".map-label").filter(has_text="UDP")).to_be_visible()
    expect(card).to_contain_text("1/1 inst.")
    expect(card).not_to_contain_text("open")


def told(shop: Mesh, what: str, **wanted: str) -> dict[str, Any]:
    """The first node or edge of the map with these members; none: {}."""
    topology = shop.client.get(f"{shop.registry}/v1/insight/topology").json()
    return next((one for one in topology[what] if wanted.items() <= one.items()), {})


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
