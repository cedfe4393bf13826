"""What calls say of services, as people look at it: against a real mesh that carries calls."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The book shop with readers, and `till`, whose only instance is not there: all its calls fail."""
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    bookinfo = Bookinfo(mesh)
    try:
        bookinfo.start()
        mesh.register("till", "till-1", free_port(), ttl_s=3600)
        for _ in range(CALLS):
            assert mesh.client.get(f"{mesh.edge}/productpage").status_code == 200
            assert mesh.call("till").status_code >= 500
        wait_until(lambda: calls_of(mesh, "till") >= CALLS, 60, what="the gateway's report")
        wait_until(lambda: calls_of(mesh, "details") >= CALLS, 60, what="the gateway's report")
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


def signals(mesh: Mesh) -> dict[str, Any]:
    items = mesh.client.get(f"{mesh.registry}/v1/insight/services").json()["items"]
    return {one["name"]: one for one in items}


def calls_of(mesh: Mesh, service: str) -> int:
    found = signals(mesh).get(service)
    return int(found["figures"]["calls"]) if found else 0


def signal(page: Page, name: str) -> Any:
    return page.locator(".signal").filter(has=page.get_by_text(name, exact=True))


def test_the_overview_names_what_is_not_well_and_leads_to_it(tab: Tab) -> None:
    tab.open("/")
    expect(signal(tab.page, "Rate")).to_contain_text("/s")
    expect(signal(tab.page, "Errors")).to_contain_text("%")
    expect(signal(tab.page, "p95")).to_contain_text("ms")
    expect(signal(tab.page, "Rate").get_by_role("img", name="Trend Rate")).to_be_visible()
    unwell = tab.page.get_by_role("listitem").filter(has_text="default/till")
    expect(unwell).to_contain_text(re.compile("failing.*of calls fail"))
    unwell.get_by_role("link").click()
    expect(tab.page.get_by_role("heading", name="default / till")).to_be_visible()
    expect(signal(tab.page, "Errors")).to_contain_text("100%")


def test_the_list_of_services_is_sorted_by_their_numbers(tab: Tab) -> None:
    tab.open("/services")
    row = tab.page.get_by_role("row").filter(has=tab.page.get_by_role("link", name="till", exact=True))
    expect(row).to_contain_text(re.compile(r"failing.*\d/s.*100%", re.S))
    expect(row.get_by_role("img", name="Rate default/till")).to_be_visible()
    tab.page.get_by_role("button", name="Errors").click()
    tab.page.get_by_role("button", name="Errors").click()
    expect(tab.page.get_by_role("row").nth(1)).to_contain_text("till")


def test_a_service_has_charts_with_a_table_and_its_callers(tab: Tab) -> None:
    tab.open("/services/bookinfo/details")
    tab.page.get_by_role("tab", name="Charts").click()
    expect(tab.page.get_by_role("img", name=re.compile("^Latency: p50 from .* ms"))).to_be_visible()
    expect(tab.page.locator(".uplot canvas")).to_have_count(3)
    tab.page.get_by_text("As a table").first.click()
    table = tab.page.get_by_role("region", name="Latency").get_by_role("table")
    expect(table.get_by_role("cell").filter(has_text=re.compile(r"\d ms")).first).to_be_visible()
    callers = tab.page.get_by_role("region", name="Callers")
    expect(callers.get_by_role("row").nth(1)).to_contain_text(re.compile(r"\d/s"))


def test_time_is_in_the_address_and_goes_along(tab: Tab) -> None:
    tab.open(f"/services/default/till?at={PAST}&window_s=3600")
    expect(tab.page.get_by_role("region", name="Signals")).to_contain_text("No calls in this time.")
    expect(tab.page.get_by_text("The numbers are those of")).to_contain_text("2023")
    expect(tab.page.get_by_label("Window")).to_have_value("3600")
    tab.page.get_by_role("navigation").get_by_role("link", name="Overview").click()
    expect(tab.page.get_by_text("The numbers are those of")).to_be_visible()
    tab.page.get_by_role("button", name="Back to live").click()
    expect(signal(tab.page, "Rate")).to_be_visible()
    assert "at=" not in tab.page.url
    assert "window_s=3600" in tab.page.url
    before = time.time()
    tab.page.keyboard.press("[")
    expect(tab.page.get_by_text("The numbers are those of")).to_be_visible()
    at = int(re.search(r"at=(\d+)", tab.page.url)[1])  # type: ignore[index]
    assert before - 3_601 <= at <= time.time() - 3_599
    wait_until(lambda: time.time() > before + 2, 10, what="a present that is another")
    tab.page.keyboard.press("]")
    expect(tab.page.get_by_text("until now")).to_be_visible()


@pytest.mark.soak
@pytest.mark.parametrize(("dark", "language"), [(False, "en-GB"), (True, "zh-CN")])
def test_pages_with_numbers_are_accessible_and_fit_a_phone(
    shop: Mesh, browser: Browser, dark: bool, language: str
) -> None:
    tab = open_tab(browser, shop.registry, dark=dark, language=language)
    for path in ("/", "/services", "/services/default/till", f"/services/default/till?at={PAST}"):
        tab.open(path)
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (path, tab.axe()) == (path, [])
    tab.open("/services/bookinfo/details")
    tab.page.get_by_role("tab").nth(1).click()
    expect(tab.page.locator(".uplot canvas")).to_have_count(3)
    tab.page.locator("summary").first.click()
    assert tab.axe() == []
    tab.page.set_viewport_size({"width": 390, "height": 800})
    expect(tab.page.locator(".uplot canvas")).to_have_count(3)
    wait_until(
        lambda: tab.page.evaluate("document.documentElement.scrollWidth") <= 390, 10, what="a page that fits a phone"
    )
    assert tab.faults == []
    tab.page.context.close()
