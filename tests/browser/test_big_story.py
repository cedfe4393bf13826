"""A day with the console: what people come for, one thing after the other, on a shop that is read all the time."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.parts.busy_shop import BusyShop
from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.planes import Registry

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

ORDERS = """apiVersion: meshway/v1
kind: Route
metadata:
  name: orders
  namespace: default
spec:
  hosts: [orders.example]
  rules: [{destinations: [{service: orders}]}]
"""
MOST_TABS = 150
# Minutes of a browser beside a whole shop: with the long runs.
day = pytest.mark.soak


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusyShop]:
    shop = BusyShop(tmp_path_factory.mktemp("shop"))
    try:
        shop.start()
        yield shop
    finally:
        shop.close()


@pytest.fixture
def tab(shop: BusyShop, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, shop.mesh.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def split(shop: BusyShop, route: str, rule: int) -> list[int]:
    path = f"{shop.mesh.registry}/v1/namespaces/bookinfo/routes/{route}"
    spec = shop.mesh.client.get(path).json()["spec"]
    return [each.get("weight", 1) for each in spec["rules"][rule]["destinations"]]


def difference_of(tab: Tab) -> Locator:
    """The difference of what stands in the editor."""
    tab.page.get_by_role("button", name="Show the difference").click()
    difference = tab.page.get_by_role("region", name="What would change")
    expect(difference).to_be_visible()
    return difference


@pytest.fixture
def no_orders(shop: BusyShop) -> Iterator[None]:
    """What the test makes is not there before it, nor when it is run anew."""
    yield
    base = f"{shop.mesh.registry}/v1/namespaces/default"
    shop.mesh.client.delete(f"{base}/routes/orders")
    for each in shop.mesh.client.get(f"{base}/services/orders/instances").json().get("items", ()):
        shop.mesh.client.delete(f"{base}/services/orders/instances/{each['id']}")


@day
@pytest.mark.usefixtures("no_orders")
def test_a_service_is_registered_by_the_form_and_published_at_the_edge(shop: BusyShop, tab: Tab) -> None:
    tab.open("/services")
    tab.page.get_by_role("link", name="Register a service").click()
    tab.page.get_by_label("Service", exact=False).fill("orders")
    tab.page.get_by_label("Port").fill(str(shop.bookinfo.pick("details", "v1").port))
    tab.page.get_by_role("button", name="Register", exact=True).click()
    tab.page.get_by_role("link", name="Look at it").click()
    expect(tab.page.get_by_role("heading", name="default / orders")).to_be_visible()
    tab.open("/policies/Route/default/+")
    tab.page.get_by_label("Route as YAML").fill(ORDERS)
    difference = difference_of(tab)
    expect(difference).to_contain_text("Route default/orders created")
    tab.page.get_by_role("button", name="Publish").click()
    expect(tab.page.get_by_role("region", name="Since it was published")).to_be_visible()
    mesh = shop.mesh
    headers = {"Host": "orders.example"}
    url = f"{mesh.edge}/details/0"
    wait_until(lambda: mesh.client.get(url, headers=headers).status_code == 200, 30, what="the new Route")


@day
def test_traffic_shifts_on_the_map_and_back_again(shop: BusyShop, tab: Tab) -> None:
    before = shop.mesh.client.get(f"{shop.mesh.registry}/v1/revisions?limit=1").json()["items"][0]["revision"]
    assert split(shop, "reviews", 1) == [50, 50]
    tab.open("/policies/Route/bookinfo/reviews")
    text = tab.page.get_by_label("Route as YAML")
    text.fill(moved(text.input_value()))
    difference = difference_of(tab)
    expect(difference.get_by_role("row").filter(has_text="destinations[0].weight")).to_contain_text("10")
    tab.page.get_by_role("button", name="Publish").click()
    wait_until(lambda: split(shop, "reviews", 1) == [10, 90], 30, what="the new split")
    tab.open("/map?namespace=bookinfo&window_s=10")
    reviews = tab.page.locator(".map-card").filter(has=tab.page.get_by_text("reviews", exact=True))
    reviews.click()
    side = tab.page.get_by_role("region", name="What is picked")
    expect(side).to_contain_text("v2 10%, v3 90%", timeout=60_000)

    tab.open(f"/changes/{before}")
    tab.page.get_by_role("button", name="Go back to it").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("bookinfo/reviews")
    if dialog.get_by_role("textbox").count():  # something is deleted by it
        dialog.get_by_role("textbox").fill(f"r{before}")
    dialog.get_by_role("button", name="Go back to it").click()
    wait_until(lambda: split(shop, "reviews", 1) == [50, 50], 30, what="the split of before")
    tab.open("/map?namespace=bookinfo&window_s=10")
    reviews.click()
    expect(side).to_contain_text("v2 50%, v3 50%", timeout=60_000)


def moved(text: str) -> str:
    """Of the document as the editor shows it: the weights of the last rule's two destinations."""
    head, first, rest = text.rpartition("weight: 50")
    start, other, between = head.rpartition("weight: 50")
    assert first
    assert other
    return f"{start}weight: 10{between}weight: 90{rest}"


@day
def test_an_alert_leads_to_a_failing_call_and_its_trace(tab: Tab) -> None:
    tab.open("/alerts")
    tab.page.get_by_role("button", name="till-fails", exact=True).click()
    detail = tab.page.get_by_role("region", name="Alert till-fails")
    detail.get_by_role("link", name="Its calls").click()
    expect(tab.page.get_by_role("heading", name="Requests")).to_be_visible()
    tab.page.locator("tr[data-row]").filter(has_text="/pay").nth(5).get_by_role("link").first.click()
    expect(tab.page.get_by_role("heading", name="Trace")).to_be_visible()
    expect(tab.page.get_by_role("main")).to_contain_text("default/till")
    expect(tab.page.locator(".span-bar").first).to_be_visible()


@day
def test_a_rollout_is_cancelled(shop: BusyShop, tab: Tab) -> None:
    tab.open("/rollouts")
    tab.page.get_by_role("link", name="reviews-v3").click()
    expect(tab.page.get_by_role("heading", name="bookinfo / reviews-v3")).to_be_visible()
    tab.page.get_by_role("button", name="Abort", exact=True).click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the shop is full")
    dialog.get_by_role("button", name="Abort", exact=True).click()
    expect(tab.page.get_by_role("listitem").filter(has_text="the shop is full")).to_be_visible()
    wait_until(lambda: split(shop, "ratings", 0) == [100, 0], 30, what="the weights of before")


@day
def test_all_of_it_goes_by_keyboard_alone(shop: BusyShop, tab: Tab) -> None:
    """No pointer, and nothing is focused but by keys."""
    tab.open("/")
    page = tab.page
    press(page, "g", "s")
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    expect(page.locator("main [data-filter]")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("till")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    reach(page, page.locator("tr[data-row]"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="default / till")).to_be_visible()
    press(page, "g", "q")
    expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    reach(page, page.locator("tr[data-row]").first)
    press(page, "j", "k", "Enter")
    expect(page.get_by_role("heading", name="Requests", level=1)).to_have_count(0)
    jump(page, "explain")
    reach(page, page.get_by_label("URL"))
    page.keyboard.press("Control+a")
    page.keyboard.type("http://bookinfo.example/productpage")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("It goes to bookinfo/productpage")
    jump(page, "rollouts")
    expect(page.get_by_role("heading", name="Rollouts")).to_be_visible()


def jump(page: Page, text: str) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Page, service or revision")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def reach(page: Page, wanted: Locator) -> None:
    """By Tab alone, as often as it takes; the focus is seen on the way."""
    expect(wanted).to_be_visible()
    for _ in range(MOST_TABS):
        if wanted.evaluate("one => one === document.activeElement"):
            assert wanted.evaluate("one => getComputedStyle(one).outlineStyle !== 'none' || one.matches(':focus')")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached by {MOST_TABS} tabs")


def test_a_registry_that_is_killed_leaves_stale_values_and_comes_back_live(tmp_path: Path, browser: Browser) -> None:
    registry = Registry(tmp_path, "--dns-port", "0")
    try:
        registry.register("books", "books-1", 9, ttl_s=3600)
        tab = open_tab(browser, registry.url)
        tab.open("/services")
        live = tab.page.get_by_role("banner").get_by_text(re.compile("Live$"))
        expect(live).to_be_visible()
        registry.process.send(signal.SIGKILL)
        registry.process.popen.wait(20)
        expect(live).to_have_count(0)
        expect(tab.page.get_by_role("link", name="books")).to_be_visible()
        began = time.monotonic()
        expect(tab.page.get_by_role("banner")).to_contain_text(re.compile(r"\d+ s"), timeout=60_000)
        assert time.monotonic() - began < 60
        registry.start()
        registry.register("cart", "cart-1", 9, ttl_s=3600)
        expect(live).to_be_visible(timeout=60_000)
        expect(tab.page.get_by_role("link", name="cart")).to_be_visible()
        expect(tab.page.get_by_role("link", name="books")).to_be_visible()
        tab.page.context.close()
    finally:
        registry.close()
