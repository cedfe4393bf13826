"""The web console as people use it: against a real mesh, in a real browser, nothing stands in for anything."""

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

BOOKS = """
apiVersion: meshway/v1
kind: Route
metadata: {name: books}
spec:
  hosts: [books.example]
  rules: [{destinations: [{service: books}], retry: {max_retries: 2}}]
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: books}
spec: {targets: [{service: books}], token_bucket: {rate: 100/s}}
---
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: all, namespace: default}
spec: {timeouts: {attempt: 2s}}
"""
PAGES = (
    "/", "/services", "/services/default/books", "/services/register", "/routes", "/policies/RateLimit",
    "/policies/Route/default/books", "/policies/TrafficPolicy/default/+", "/changes", "/explain", "/gateways",
    "/certificates", "/alerts", "/audit", "/settings", "/setup", "/services/a/b/nothing-here", "/map", "/requests",
    "/rollouts", "/consumers",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Two services; books with a Route and policies of its own and of its namespace."""
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        mesh.register("books", "books-1", 9081, version="v1", ttl_s=3600)
        mesh.register("books", "books-2", 9082, version="v2", ttl_s=3600)
        mesh.register("cart", "cart-1", 9083, namespace="shop", ttl_s=3600)
        mesh.apply(BOOKS)
        assert mesh.client.post(f"{mesh.registry}/v1/identity/authority", json={}).status_code == 201
        yield mesh
    finally:
        mesh.close()


@pytest.fixture
def tab(shop: Mesh, browser: Browser) -> Iterator[Tab]:
    """Nothing may go wrong in it, whatever the test does."""
    tab = open_tab(browser, shop.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def ip_list(cidr: str) -> str:
    return f"apiVersion: meshway/v1\nkind: IpList\nmetadata: {{name: moving}}\nspec: {{entries: [{{cidr: {cidr}}}]}}"


def row(page: Page, text: str) -> str:
    return page.get_by_role("row").filter(has_text=text).inner_text()


@pytest.mark.parametrize(
    ("dark", "language"),
    [
        pytest.param(False, "en-GB", id="light-en"),
        pytest.param(True, "zh-CN", id="dark-zh"),
        pytest.param(True, "en-GB", id="dark-en", marks=pytest.mark.soak),
        pytest.param(False, "zh-CN", id="light-zh", marks=pytest.mark.soak),
    ],
)
def test_every_page_opens_without_a_fault_and_is_accessible(
    shop: Mesh, browser: Browser, dark: bool, language: str
) -> None:
    tab = open_tab(browser, shop.registry, dark=dark, language=language)
    for path in PAGES:
        tab.open(path)
        tab.page.wait_for_load_state("load")
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (path, tab.axe()) == (path, [])
        assert (path, tab.faults) == (path, [])
    assert tab.page.locator("html").get_attribute("lang") == ("en" if language == "en-GB" else language)
    tab.page.context.close()


@pytest.mark.parametrize("path", ["/", "/services/default/books", "/policies/Route/default/books", "/changes"])
def test_a_page_fits_a_phone(shop: Mesh, browser: Browser, path: str) -> None:
    tab = open_tab(browser, shop.registry, width=390)
    tab.open(path)
    expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    tab.page.context.close()


def test_a_service_shows_what_applies_to_it(tab: Tab) -> None:
    tab.open("/services")
    tab.page.get_by_role("link", name="books").click()
    expect(tab.page.get_by_role("heading", name="default / books")).to_be_visible()
    assert re.search(r"books-1.*127.0.0.1:9081.*v1.*passing", row(tab.page, "books-1"), re.S)
    tab.page.get_by_role("tab", name="Routes and policies").click()
    panel = tab.page.get_by_role("tabpanel")
    expect(panel.get_by_text("by rule 0")).to_be_visible()
    policies = panel.get_by_role("listitem").filter(has_text=re.compile("RateLimit|TrafficPolicy"))
    expect(policies).to_have_text(
        [re.compile("RateLimit default/books own"), re.compile("TrafficPolicy default/all inh")]
    )


def test_calls_that_fail_are_seen_at_their_service(shop: Mesh, tab: Tab) -> None:
    for _ in range(5):  # nothing listens where cart says it does
        assert shop.call("cart", namespace="shop").status_code == 502
    tab.open("/services/shop/cart")
    signals = tab.page.get_by_role("region", name="Signals")
    expect(signals).to_contain_text(re.compile(r"Errors\s*100%"))
    tab.page.get_by_label("Window").select_option("1 hour")
    expect(signals.get_by_role("img", name="Trend Errors")).to_be_visible()
    assert "window_s=3600" in tab.page.url
    assert tab.axe() == []
    tab.page.get_by_role("navigation").get_by_role("link", name="Services").click()
    expect(tab.page.get_by_role("row").filter(has_text="cart")).to_contain_text("100%")


def test_a_service_is_registered_by_the_form(shop: Mesh, tab: Tab) -> None:
    tab.open("/services")
    tab.page.get_by_role("link", name="Register a service").click()
    tab.page.get_by_label("Service", exact=False).fill("orders")
    tab.page.get_by_label("Port").fill("9191")
    tab.page.get_by_label("Version").fill("v7")
    expect(tab.page.get_by_role("region", name="CLI")).to_contain_text("meshway register orders")
    tab.page.get_by_role("button", name="Register", exact=True).click()
    tab.page.get_by_role("link", name="Look at it").click()
    expect(tab.page.get_by_role("row").filter(has_text="127.0.0.1:9191")).to_contain_text("v7")
    items = shop.client.get(f"{shop.registry}/v1/namespaces/default/services/orders/instances").json()["items"]
    assert [(one["port"], one["version"]) for one in items] == [(9191, "v7")]


def test_a_refused_registration_says_which_field_is_wrong(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry)
    tab.open("/services/register")
    tab.page.get_by_label("Service", exact=False).fill("Not A Name")
    tab.page.get_by_role("button", name="Register", exact=True).click()
    expect(tab.page.get_by_role("alert")).to_contain_text("service")
    tab.page.context.close()


def test_an_instance_is_drained_weighed_and_taken_out(shop: Mesh, tab: Tab) -> None:
    place = f"{shop.registry}/v1/namespaces/default/services/pets/instances/pets-1"
    shop.client.delete(place)  # a run before may have left it draining
    shop.register("pets", "pets-1", 9301, ttl_s=3600)
    tab.open("/services/default/pets")
    tab.page.get_by_role("button", name="Drain").click()
    expect(tab.page.get_by_role("row").filter(has_text="pets-1")).to_contain_text("draining")
    assert shop.client.get(place).json()["status"] == "draining"
    tab.page.get_by_role("button", name="Resume").click()
    expect(tab.page.get_by_role("row").filter(has_text="pets-1")).to_contain_text("passing")
    tab.page.get_by_role("button", name="More for pets-1").click()
    tab.page.get_by_role("menuitem", name="Set weight").click()
    tab.page.get_by_label("Weight of pets-1").fill("40")
    tab.page.get_by_role("button", name="Save weight").click()
    wait_until(lambda: shop.client.get(place).json()["weight"] == 40, 20, what="the weight")
    tab.page.get_by_role("button", name="More for pets-1").click()
    tab.page.get_by_role("menuitem", name="Deregister").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("back at its next heartbeat")
    go = dialog.get_by_role("button", name="Deregister")
    expect(go).to_be_disabled()
    dialog.get_by_label("Type pets-1").fill("pets-1")
    go.click()
    expect(tab.page.get_by_text("It has no instances.")).to_be_visible()
    assert shop.client.get(place).status_code == 404


def test_what_others_register_appears_by_itself(shop: Mesh, tab: Tab) -> None:
    tab.open("/services")
    expect(tab.page.get_by_text("Live")).to_be_visible()
    shop.register("newcomer", "newcomer-1", 9400, ttl_s=3600)
    expect(tab.page.get_by_role("link", name="newcomer")).to_be_visible()


def test_a_policy_is_published_after_its_difference_was_shown_and_taken_back(shop: Mesh, tab: Tab) -> None:
    shop.apply(
        "apiVersion: meshway/v1\nkind: RateLimit\nmetadata: {name: tight}\n"
        "spec: {targets: [{service: books}], token_bucket: {rate: 50/s}}\n"
    )
    path = f"{shop.registry}/v1/namespaces/default/rate-limits/tight"
    before = shop.client.get(path).json()["metadata"]["revision"]
    tab.open("/policies/RateLimit/default/tight")
    text = tab.page.get_by_label("RateLimit as YAML")
    text.fill(text.input_value().replace("50/s", "7/s"))
    tab.page.get_by_role("button", name="Show the difference").click()
    difference = tab.page.get_by_role("region", name="What would change")
    expect(difference.get_by_role("row").filter(has_text="token_bucket")).to_contain_text("7/s")
    assert shop.client.get(path).json()["spec"]["token_bucket"]["rate"] == "50/s"
    tab.page.get_by_role("button", name="Publish").click()
    wait_until(lambda: "7" in str(shop.client.get(path).json()["spec"]["token_bucket"]["rate"]), 20, what="publishing")

    tab.open(f"/changes/{before}")
    tab.page.get_by_role("button", name="Go back to it").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog.get_by_role("row").filter(has_text="token_bucket")).to_contain_text("50/s")
    if dialog.get_by_role("textbox").count():  # something is deleted by it
        dialog.get_by_role("textbox").fill(f"r{before}")
    dialog.get_by_role("button", name="Go back to it").click()
    expect(tab.page.get_by_text(f"All documents are as at r{before} again")).to_be_visible()
    assert shop.client.get(path).json()["spec"]["token_bucket"]["rate"] == "50/s"


def test_a_change_is_rehearsed_before_it_is_published(shop: Mesh, tab: Tab) -> None:
    for _ in range(3):
        shop.client.get(f"{shop.edge}/cart", headers={"Host": "books.example"})
    tab.open("/policies/Route/default/books")
    text = tab.page.get_by_label("Route as YAML")
    text.fill(text.input_value().replace("- books.example", "- other.example"))
    tab.page.get_by_role("button", name="Show the difference").click()
    expect(tab.page.get_by_role("region", name="What would change")).to_contain_text("other.example")
    tab.page.get_by_role("button", name="Rehearse the last hour").click()
    rehearsal = tab.page.get_by_role("region", name="Rehearsal").first
    expect(rehearsal).to_contain_text("calls were run")
    expect(rehearsal.get_by_role("row").filter(has_text="books.example/cart")).to_contain_text("404")
    assert tab.axe() == []
    routes = shop.client.get(f"{shop.registry}/v1/namespaces/default/routes/books").json()
    assert routes["spec"]["hosts"] == ["books.example"]


def test_a_new_document_is_written_with_suggestions(shop: Mesh, tab: Tab) -> None:
    path = f"{shop.registry}/v1/namespaces/default/traffic-policies/quick"
    shop.client.delete(path)  # of a run before: what is there already would leave nothing to publish
    tab.open("/policies/TrafficPolicy/default/+")
    text = tab.page.get_by_label("TrafficPolicy as YAML")
    start = "apiVersion: meshway/v1\nkind: TrafficPolicy\nmetadata:\n  name: quick\n  namespace: default\nspec:\n  "
    text.fill(start + "targets:\n  - service: books\n  ")
    text.press("End")
    text.press_sequentially("timeo")
    expect(tab.page.get_by_role("option", name="timeouts:")).to_be_visible()
    text.press("Enter")
    text.press_sequentially("{attempt: 1s}")
    tab.page.get_by_role("button", name="Show the difference").click()
    tab.page.get_by_role("button", name="Publish").click()
    expect(tab.page.get_by_role("region", name="Since it was published")).to_be_visible()
    spec = shop.client.get(path).json()["spec"]
    assert spec["timeouts"] == {"attempt": "1s"}


def test_a_wrong_field_is_told_with_its_line(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry)
    tab.open("/policies/Route/default/books")
    text = tab.page.get_by_label("Route as YAML")
    text.fill(text.input_value().replace("max_retries: 2", "max_retrys: 2"))
    tab.page.get_by_role("button", name="Show the difference").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("max_retries")
    expect(tab.page.get_by_role("button", name="Publish")).to_have_count(0)
    text.fill("kind: [")
    expect(tab.page.get_by_text(re.compile(r"Line \d+:"))).to_be_visible()
    expect(tab.page.get_by_role("button", name="Show the difference")).to_be_disabled()
    tab.page.context.close()


def test_a_document_that_moved_meanwhile_is_not_written_over(shop: Mesh, browser: Browser) -> None:
    shop.apply(
        "apiVersion: meshway/v1\nkind: IpList\nmetadata: {name: moving}\nspec: {entries: [{cidr: 192.0.2.0/24}]}"
    )
    tab = open_tab(browser, shop.registry)
    tab.open("/policies/IpList/default/moving")
    text = tab.page.get_by_label("IpList as YAML")
    text.fill(text.input_value().replace("192.0.2.0", "198.51.100.0"))
    shop.apply(
        "apiVersion: meshway/v1\nkind: IpList\nmetadata: {name: moving}\nspec: {entries: [{cidr: 203.0.113.0/24}]}"
    )
    expect(tab.page.get_by_text("Somebody else published")).to_be_visible()
    tab.page.get_by_role("button", name="Show the difference").click()
    expect(tab.page.get_by_text("Somebody else published")).to_be_visible()
    stored = shop.client.get(f"{shop.registry}/v1/namespaces/default/ip-lists/moving").json()
    assert stored["spec"]["entries"] == [{"cidr": "203.0.113.0/24"}]
    tab.page.get_by_role("button", name="Show theirs").click()
    expect(text).to_have_value(re.compile("203.0.113.0"))
    tab.page.context.close()


def test_a_call_is_explained(tab: Tab) -> None:
    tab.open("/explain")
    tab.page.get_by_label("URL").fill("http://books.example/cart")
    tab.page.get_by_role("button", name="Explain", exact=True).click()
    expect(tab.page.get_by_role("region", name="Verdict")).to_contain_text("It goes to default/books")
    expect(tab.page.get_by_role("link", name="RateLimit default/books")).to_be_visible()
    tab.page.get_by_label("URL").fill("http://nobody.example/")
    tab.page.get_by_role("button", name="Explain", exact=True).click()
    expect(tab.page.get_by_role("region", name="Verdict")).to_contain_text("The gateway answers 404")
    assert tab.axe() == []


def test_a_token_is_shown_once_works_and_is_revoked(shop: Mesh, tab: Tab) -> None:
    reader = f"reader-{secrets.token_hex(3)}"  # the last run may have left one
    tab.open("/settings")
    tab.page.get_by_role("tab", name="Tokens").click()
    tab.page.get_by_role("button", name="New token").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name", exact=True).fill(reader)
    dialog.get_by_role("button", name="Make the token").click()
    shown = dialog.get_by_role("region", name="Token")
    expect(shown).to_contain_text("mwt_")
    token = shown.inner_text().strip()
    session = f"{shop.registry}/v1/session"
    assert (
        shop.client.get(session, headers={"Authorization": f"Bearer {token}"}).json()["principal"] == f"token:{reader}"
    )
    dialog.get_by_role("button", name="I have kept it").click()
    expect(tab.page.get_by_text(token)).to_have_count(0)
    tab.page.get_by_role("button", name=f"Revoke {reader}").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(tab.page.get_by_role("row").filter(has_text=reader)).to_contain_text("revoked")
    assert shop.client.get(session, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_keys_lead_through_the_console(tab: Tab) -> None:
    tab.open("/")
    page = tab.page
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Page, service or revision").fill("cart")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="shop / cart")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="cart")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("cart")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("row").filter(has_text="cart").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="shop / cart")).to_be_visible()


def test_language_and_theme_are_chosen_and_kept(tab: Tab) -> None:
    tab.open("/")
    tab.page.get_by_role("button", name="loopback").click()
    tab.page.get_by_role("menuitemradio", name="简体中文").click()
    expect(tab.page.get_by_role("heading", name="总览")).to_be_visible()
    tab.page.get_by_role("menuitemradio", name="深色").click()
    tab.reload()
    expect(tab.page.get_by_role("heading", name="总览")).to_be_visible()
    assert tab.page.locator("html").get_attribute("data-mantine-color-scheme") == "dark"


def test_the_namespace_is_chosen_once_for_all_pages(tab: Tab) -> None:
    tab.open("/services")
    tab.page.get_by_label("Namespace").select_option("shop")
    expect(tab.page.get_by_role("link", name="books")).to_have_count(0)
    expect(tab.page.get_by_role("link", name="cart")).to_be_visible()
    tab.page.get_by_role("navigation").get_by_role("link", name="Routes").click()
    expect(tab.page.get_by_text("There is no Route in shop.")).to_be_visible()
    assert "namespace=shop" in tab.page.url


def test_values_stay_while_the_registry_is_away_and_come_back(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry)
    tab.open("/services/default/books")
    expect(tab.page.get_by_role("row").filter(has_text="books-1")).to_be_visible()
    tab.page.context.set_offline(True)
    shop.register("books", "books-3", 9084, ttl_s=3600)  # the stream of an open connection is cut by its end only
    tab.page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(tab.page.get_by_role("row").filter(has_text="books-1")).to_be_visible()
    tab.page.context.set_offline(False)
    tab.page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(tab.page.get_by_role("row").filter(has_text="books-3")).to_be_visible()
    tab.page.context.close()
