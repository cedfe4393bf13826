"""The map as people use it: who calls whom, where it hurts, and how it was; against a real mesh that carries calls."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.parts.bookinfo import Bookinfo
from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

CALLS = 40
# Long before anything was called.
PAST = 1_700_000_000
SPLIT = """
apiVersion: meshway/v1
kind: Route
metadata: {{name: reviews, namespace: bookinfo}}
spec:
  listeners: [mesh]
  hosts: [reviews]
  rules:
    - destinations:
        - {{service: reviews, subset: v1, weight: {v1}}}
        - {{service: reviews, subset: v3, weight: {v3}}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The book shop with readers, and `till`, whose only instance is not there: all its calls fail."""
    mesh = Mesh(tmp_path_factory.mktemp("shop"), 1, "--dns-port", "0")
    bookinfo = Bookinfo(mesh)
    try:
        bookinfo.start()
        mesh.register("till", "till-1", free_port(), ttl_s=3600)
        read(mesh, CALLS)
        for _ in range(CALLS):
            assert mesh.call("till", "/pay").status_code >= 500
        wait_until(lambda: calls_of(mesh, "default/till") >= CALLS, 60, what="the gateway's report")
        wait_until(lambda: calls_of(mesh, "bookinfo/reviews") >= CALLS, 60, what="the gateway's report")
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


def read(mesh: Mesh, times: int) -> None:
    for _ in range(times):
        assert mesh.client.get(f"{mesh.edge}/productpage").status_code == 200


def topology(mesh: Mesh, **query: Any) -> dict[str, Any]:
    answer = mesh.client.get(f"{mesh.registry}/v1/insight/topology", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def calls_of(mesh: Mesh, service: str) -> int:
    nodes = {node["id"]: node for node in topology(mesh)["nodes"]}
    return int(nodes[service]["figures"]["calls"]) if service in nodes else 0


def card(tab: Tab, name: str) -> Locator:
    return tab.page.locator(".map-card").filter(has=tab.page.get_by_text(name, exact=True))


def cards(tab: Tab) -> list[str]:
    expect(tab.page.locator(".map-card").first).to_be_visible()
    return sorted(tab.page.locator(".map-card b").all_inner_texts())


def test_the_failing_service_is_found_on_the_map_and_its_cause_behind_it(tab: Tab) -> None:
    tab.open("/")
    tab.page.get_by_role("navigation").get_by_role("link", name="Map").click()
    till = card(tab, "till")
    expect(till).to_have_attribute("data-health", "bad")
    expect(card(tab, "details")).to_have_attribute("data-health", "ok")
    till.click()
    side = tab.page.get_by_role("region", name="What is picked")
    expect(side).to_contain_text("100% of calls fail")
    expect(side.get_by_role("img", name=re.compile("Errors"))).to_be_visible()
    cause = side.get_by_role("listitem").filter(has_text="GET /pay").first
    expect(cause).to_contain_text(re.compile(r"50\d"))
    cause.get_by_role("link").click()
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text("Request")
    expect(tab.page.get_by_role("main")).to_contain_text("default/till")


def test_an_edge_shows_its_numbers_its_policies_and_the_way_to_its_calls(tab: Tab) -> None:
    tab.open("/map?level=services")
    calls = tab.page.get_by_role("region", name="Calls between them")
    calls.get_by_role("button", name="unknown caller → bookinfo/reviews").click()
    side = tab.page.get_by_role("region", name="What is picked")
    expect(side.get_by_role("img", name=re.compile("these calls.*all calls of bookinfo.reviews"))).to_have_count(3)
    expect(side.get_by_role("link", name="bookinfo/shop").first).to_be_visible()
    expect(side.get_by_role("link", name="Tap")).to_have_attribute("href", re.compile("live=true"))
    expect(tab.page.locator(".map-call[data-picked]")).to_have_count(1)
    assert "pick=" in tab.page.url
    tab.reload()
    expect(side).to_contain_text("bookinfo/reviews")
    side.get_by_role("button", name="bookinfo/reviews").click()
    side.get_by_role("button", name="Around reviews").click()
    expect(tab.page.get_by_role("button", name="Focus")).to_have_attribute("aria-pressed", "true")
    expect(tab.page.locator(".map-card")).to_have_count(2)


def test_an_instance_is_drained_beside_the_map_and_called_again(shop: Mesh, tab: Tab) -> None:
    tab.open("/map?level=services")
    card(tab, "till").click()
    side = tab.page.get_by_role("region", name="What is picked")
    path = f"{shop.registry}/v1/namespaces/default/services/till/instances"
    (one,) = shop.client.get(path).json()["items"]
    side.get_by_role("button", name=f"Drain {one['id']}").click()
    resume = side.get_by_role("button", name=f"Resume {one['id']}")
    expect(resume).to_be_visible()
    assert shop.client.get(path).json()["items"][0]["status"] == "draining"
    resume.click()
    expect(side.get_by_role("button", name=f"Drain {one['id']}")).to_be_visible()


def test_no_line_is_drawn_over_what_stands_on_another(tab: Tab) -> None:
    tab.open("/map?level=services")
    expect(tab.page.locator(".map-label text").first).to_be_visible()
    order = "all => all.map(each => each.classList[0])"
    drawn = tab.page.locator(".map-call, .map-label").evaluate_all(order)
    assert {"map-call", "map-label"} == set(drawn)
    assert drawn == sorted(drawn), "what comes later is drawn above"


@pytest.mark.soak
def test_traffic_shifts_on_the_map_after_a_split_is_published(shop: Mesh, tab: Tab) -> None:
    tab.open("/map?namespace=bookinfo&window_s=10")
    shop.apply(SPLIT.format(v1=100, v3=0))
    reviews = card(tab, "reviews")

    def shifted(text: str) -> None:
        """Readers read until the card says so: it asks every ten seconds, and gateways report every two."""
        deadline = time.monotonic() + 90
        while text not in (reviews.inner_text() if reviews.is_visible() else ""):
            assert time.monotonic() < deadline, reviews.inner_text()
            read(shop, 5)

    shifted("v1 100%")
    shop.apply(SPLIT.format(v1=25, v3=75))
    shifted("v3 ")
    reviews.click()
    side = tab.page.get_by_role("region", name="What is picked")
    expect(side).to_contain_text("bookinfo/reviews to v1 25%, v3 75%")


def test_time_travel_shows_the_past_and_what_is_different(shop: Mesh, tab: Tab) -> None:
    tab.open("/map?level=services&namespace=bookinfo")
    expect(card(tab, "reviews")).to_be_visible()
    slider = tab.page.get_by_role("slider", name="Moment within 48 hours")
    slider.focus()
    tab.page.keyboard.press("Home")
    expect(tab.page.get_by_text("The numbers are those of")).to_be_visible()
    assert int(re.search(r"at=(\d+)", tab.page.url)[1]) < time.time() - 47 * 3600  # type: ignore[index]
    expect(tab.page.locator(".map-call")).to_have_count(0)
    play = tab.page.get_by_role("button", name="Play ×60")
    play.click()
    before = tab.page.url
    expect(tab.page).not_to_have_url(before)
    tab.page.get_by_role("button", name="Stop").click()
    tab.page.get_by_role("button", name="Back to live").click()
    expect(tab.page.locator(".map-call")).not_to_have_count(0)  # a level line has no height, and so is none to be seen
    tab.page.get_by_label("Compare with").select_option("an hour before")
    new = tab.page.get_by_role("region", name="Calls between them").get_by_role("row").filter(has_text="new")
    expect(new.filter(has_text="productpage")).to_have_count(1)
    expect(tab.page.locator(".map-label text").filter(has_text="+ new").first).to_be_visible()
    newest = tab.page.get_by_label("Jump to a change").locator("option").nth(1)
    assert re.fullmatch(r"r\d+(, r\d+)*", newest.inner_text())  # those of one moment stand together


def test_filters_are_in_the_address_and_the_table_has_the_same_rows(tab: Tab) -> None:
    tab.open("/map?level=services")
    expect(tab.page.locator(".map-card")).to_have_count(7)
    nodes = tab.page.get_by_role("region", name="Services and callers")
    shown = [name.rpartition("/")[2] for name in nodes.get_by_role("row").get_by_role("button").all_inner_texts()]
    titles = ["Name", "Health", "Rate", "Errors", "p95"]
    assert sorted(name for name in shown if name not in titles) == cards(tab)
    edges = tab.page.get_by_role("region", name="Calls between them").get_by_role("row")
    expect(edges).to_have_count(1 + tab.page.locator(".map-call").count())
    tab.page.get_by_label("only with trouble").check()
    expect(tab.page.locator(".map-card")).to_have_count(2)
    assert "unwell=true" in tab.page.url
    tab.page.get_by_label("only with trouble").uncheck()
    tab.page.get_by_label("Name", exact=True).fill("nothing-like-it")
    expect(tab.page.get_by_text("Nothing matches.")).to_be_visible()
    tab.page.get_by_role("button", name="Clear filter").click()
    expect(tab.page.locator(".map-card")).to_have_count(7)
    tab.page.get_by_label("Calls", exact=True).select_option("from outside")
    expect(tab.page.locator(".map-label").filter(has_text="%")).to_have_count(5)
    tab.page.get_by_label("On edges").select_option("bytes a second")
    expect(tab.page.locator(".map-label text").first).to_contain_text("B/s")
    tab.page.get_by_label("table only").check()
    expect(tab.page.locator(".map-card")).to_have_count(0)
    expect(nodes.get_by_role("row").filter(has_text="till")).to_contain_text("100% of calls fail")


@pytest.mark.soak
def test_numbers_that_change_move_no_card(shop: Mesh, tab: Tab) -> None:
    tab.open("/map?level=services")
    expect(tab.page.locator(".map-card")).to_have_count(7)
    places = "nodes => nodes.map(node => node.style.transform)"
    before = tab.page.locator(".react-flow__node").evaluate_all(places)
    label = tab.page.locator(".map-label text").first
    said = label.text_content() or ""
    read(shop, CALLS)
    expect(label).not_to_have_text(said)
    assert tab.page.locator(".react-flow__node").evaluate_all(places) == before


@pytest.mark.soak
def test_the_overview_is_drawn_by_a_worker_and_answers_the_pointer(tab: Tab) -> None:
    tab.open("/map?level=overview&text=till")
    board = tab.page.locator(".map-overview")
    expect(board).to_have_attribute("data-drawn", "2")
    box = board.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    for across in range(int(box["x"]) + 20, int(box["x"] + box["width"]), 60):
        tab.page.mouse.move(across, middle)
        if tab.page.get_by_text("default/till, failing").count():
            tab.page.mouse.click(across, middle)
            break
    expect(tab.page.get_by_role("region", name="What is picked")).to_contain_text("default/till")
    moved = tab.page.locator(".map-overview canvas").evaluate("canvas => getComputedStyle(canvas).transform")
    tab.page.mouse.move(box["x"] + 40, box["y"] + 40)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 140, box["y"] + 80, steps=5)
    expect(tab.page.locator(".map-overview canvas")).not_to_have_css("transform", moved)  # drawn with the next frame
    tab.page.mouse.up()


@pytest.mark.soak
@pytest.mark.parametrize(("dark", "language"), [(False, "en-GB"), (True, "zh-CN")])
def test_the_map_is_accessible_and_fits_a_phone(shop: Mesh, browser: Browser, dark: bool, language: str) -> None:
    tab = open_tab(browser, shop.registry, dark=dark, language=language)
    for query in ("level=services&pick=default%2Ftill", "level=namespaces", "level=overview", f"at={PAST}"):
        tab.open(f"/map?{query}")
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (query, tab.axe()) == (query, [])
    tab.open("/map?level=focus&focus=bookinfo%2Freviews&before=1700000000")
    expect(tab.page.locator(".map-card").first).to_be_visible()
    assert tab.axe() == []
    tab.page.set_viewport_size({"width": 390, "height": 800})
    wait_until(
        lambda: tab.page.evaluate("document.documentElement.scrollWidth") <= 390, 10, what="a page that fits a phone"
    )
    assert tab.faults == []
    tab.page.context.close()
