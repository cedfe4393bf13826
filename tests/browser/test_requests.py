"""Single calls as people look for them: those kept and those that end now, of a real mesh."""

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.parts.bookinfo import Bookinfo
from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

EVERY_TRACE = """
apiVersion: meshway/v1
kind: Telemetry
metadata: {name: all, namespace: mesh}
spec: {traces: {head_percent: 100}}
"""
CHAT = """
apiVersion: meshway/v1
kind: Route
metadata: {name: chat}
spec:
  hosts: [127.0.0.1]
  rules: [{destinations: [{service: chat}], websocket: {}}]
---
apiVersion: meshway/v1
kind: AccessLog
metadata: {name: chat}
spec: {targets: [{service: chat}], keep: {rest_percent: 100}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The book shop, and `till`, whose only instance is not there: its calls fail, and are kept."""
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    bookinfo = Bookinfo(mesh)
    try:
        bookinfo.start()
        mesh.register("till", "till-1", free_port(), ttl_s=3600)
        for number in range(3):
            assert mesh.call("till", f"/pay/{number}").status_code >= 500
        wait_until(lambda: len(kept(mesh, "service:till")) == 3, 60, what="the gateway's word of its calls")
        yield mesh
    finally:
        bookinfo.close()
        mesh.close()


@pytest.fixture
def tab(shop: Mesh, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, shop.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def kept(mesh: Mesh, filter_: str) -> list[dict[str, Any]]:
    answer = mesh.client.get(f"{mesh.registry}/v1/requests", params={"filter": filter_})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def rows(tab: Tab) -> Locator:
    return tab.page.locator("tr[data-row]")


def test_kept_calls_are_narrowed_by_what_is_seen_and_opened(shop: Mesh, tab: Tab) -> None:
    tab.open("/requests")
    row = rows(tab).filter(has_text="/pay/1")
    expect(row).to_contain_text(re.compile(r"50\d"))
    row.get_by_role("button", name="default/till").click()
    expect(tab.page.get_by_label("Filter of calls")).to_have_value("service:default/till")
    expect(rows(tab)).to_have_count(3)
    bar = tab.page.get_by_label("Filter of calls")
    bar.fill("service:default/till path:/pay/2")
    bar.press("Enter")
    expect(rows(tab)).to_have_count(1)
    tab.reload()
    expect(rows(tab)).to_have_count(1)
    rows(tab).focus()
    tab.page.keyboard.press("Enter")
    call = kept(shop, "service:till path:/pay/2")[0]
    expect(tab.page.get_by_role("heading", name=call["request_id"], level=1)).to_be_visible()
    expect(tab.page.get_by_role("link", name="default/till")).to_be_visible()
    region = tab.page.get_by_role("region", name=re.compile("^GET till"))
    expect(region).to_contain_text(call["principal"] or call["peer"])


def test_a_filter_that_fits_nothing_or_cannot_be_read_says_so(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry)
    tab.open("/requests?filter=service:nothing")
    expect(tab.page.get_by_text("No kept call fits the filter.")).to_be_visible()
    bar = tab.page.get_by_label("Filter of calls")
    bar.fill("servise:till")
    bar.press("Enter")
    expect(tab.page.get_by_role("alert")).to_contain_text("service")
    tab.page.get_by_role("button", name="Clear filter").click()
    expect(rows(tab).first).to_be_visible()
    tab.page.context.close()


def test_calls_appear_as_they_end_until_it_is_paused(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry)
    tab.open("/requests")
    tab.page.get_by_text("Live", exact=True).last.click()
    expect(tab.page.get_by_text("Waiting for a call to end.")).to_be_visible()
    call_until(shop, "/first", rows(tab).filter(has_text="/first").first)
    assert "live=true" in tab.page.url
    tab.page.locator("h1").click()
    tab.page.keyboard.press("p")
    expect(tab.page.get_by_text("Paused")).to_be_visible()
    call_until(shop, "/second", tab.page.get_by_text(re.compile(r"^[1-9]\d* new$")))
    expect(rows(tab).filter(has_text="/second")).to_have_count(0)
    tab.page.get_by_role("button", name="Go on").click()
    expect(rows(tab).filter(has_text="/second").first).to_be_visible()
    rows(tab).filter(has_text="/second").first.get_by_role("link").first.click()
    expect(tab.page.get_by_role("region", name=re.compile("^GET till.*second$"))).to_be_visible()
    spans_or_none = tab.page.locator(".span-bar").or_(tab.page.get_by_text("No spans of this trace"))
    expect(spans_or_none.first).to_be_visible()
    tab.page.context.close()
    assert tab.faults == []


def call_until(shop: Mesh, path: str, place: Locator) -> None:
    """A stream that has just been opened need not be asked of the gateway yet."""

    def is_there() -> bool:
        shop.call("till", path)
        return place.count() > 0

    wait_until(is_there, 30, what=f"{path} on the page")


def test_a_call_shows_its_trace_through_the_services(shop: Mesh, tab: Tab) -> None:
    shop.apply(EVERY_TRACE)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "x-request-id": "seen-by-its-trace"}
    shop.call("till", "/pay/traced", headers=sent)
    wait_until(lambda: spans(shop, trace) >= 1, 60, what="spans")
    found = kept(shop, f"trace:{trace}")
    assert found, "a failed call is kept"
    tab.open(f"/requests/{found[0]['request_id']}")
    table = tab.page.get_by_role("region", name="Trace")
    expect(table.locator(".span-bar")).to_have_count(spans(shop, trace))
    table.locator("summary").first.click()
    expect(table.get_by_role("definition").first).to_be_visible()
    assert tab.axe() == []


def test_a_websocket_shows_what_was_said_and_how_it_ended(shop: Mesh, tab: Tab) -> None:
    with serve(echo, "127.0.0.1", 0) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        shop.register("chat", "chat-1", service.socket.getsockname()[1], ttl_s=3600)
        shop.apply(CHAT)
        with connect(shop.edge.replace("http:", "ws:") + "/talk") as session:
            for said in ("hello", "who is there?"):
                session.send(said)
                assert session.recv(10) == said
            session.close(4000)
        wait_until(lambda: bool(kept(shop, "service:chat")), 60, what="the session's line")
        service.shutdown()
    tab.open("/requests?filter=service:chat")
    row = rows(tab).filter(has_text="/talk")
    expect(row).to_contain_text("GET · WebSocket")
    row.get_by_role("link").first.click()
    region = tab.page.get_by_role("region", name=re.compile("^GET 127.0.0.1"))
    expect(region).to_contain_text("edge · HTTP/1.1 · WebSocket")
    expect(region).to_contain_text(re.compile(r"Messages in / out\s*2 / 2\s*Close code\s*4000"))
    expect(region).to_contain_text(re.compile(r"Bytes in / out\s*[1-9]\d* / [1-9]"))
    assert tab.axe() == []
    tab.open("/map?namespace=default&level=services")
    expect(tab.page.locator(".map-label").filter(has_text="HTTP · WebSocket")).to_be_visible()


def echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):  # by a code that says more than 1000
        for message in connection:
            connection.send(message)


def spans(mesh: Mesh, trace: str) -> int:
    answer = mesh.client.get(f"{mesh.registry}/v1/traces/{trace}")
    return len(answer.json()["spans"]) if answer.status_code == 200 else 0


@pytest.mark.soak
@pytest.mark.parametrize(("dark", "language"), [(False, "en-GB"), (True, "zh-CN")])
def test_its_pages_are_accessible_and_fit_a_phone(shop: Mesh, browser: Browser, dark: bool, language: str) -> None:
    tab = open_tab(browser, shop.registry, dark=dark, language=language, width=390)
    one = kept(shop, "service:till")[0]["request_id"]
    for path in ("/requests", "/requests?filter=service:nothing", "/requests?live=true", f"/requests/{one}"):
        tab.open(path)
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (path, tab.axe()) == (path, [])
        assert (path, tab.page.evaluate("document.documentElement.scrollWidth") <= 390) == (path, True)
    assert tab.faults == []
    tab.page.context.close()
