"""Outside clients as who keeps them sees them: a key from its making to its end, with calls of a real edge."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

GUARDED = """
apiVersion: meshway/v1
kind: Route
metadata: {name: books}
spec: {hosts: [books.example], rules: [{respond: {status: 200, body: here}}]}
---
apiVersion: meshway/v1
kind: Authentication
metadata: {name: partners}
spec: {targets: [{route: books}], methods: [{api_key: {}}]}
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: daily}
spec: {targets: [{route: books}], key: [consumer], quota: {limit: 50, per: day}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        mesh.apply(GUARDED)
        yield mesh
    finally:
        mesh.close()


@pytest.fixture
def tab(shop: Mesh, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, shop.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def status_of(mesh: Mesh, key: str) -> int:
    return mesh.client.get(mesh.edge + "/", headers={"Host": "books.example", "X-API-Key": key}).status_code


def given(tab: Tab) -> str:
    """The key that is shown now, this once."""
    key = tab.page.get_by_role("region", name="API key", exact=True).inner_text().strip()
    tab.page.get_by_role("button", name="I have kept it").click()
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    return key


def row_of(tab: Tab, key: str) -> Locator:
    return tab.page.get_by_role("row").filter(has_text=f"mw_{key[3:11]}_")


def confirmed(tab: Tab, action: str) -> None:
    tab.page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_a_key_is_made_used_rotated_and_revoked_and_its_consumer_suspended(shop: Mesh, tab: Tab) -> None:
    page, acme = tab.page, f"acme-{secrets.token_hex(3)}"
    tab.open("/consumers")
    page.get_by_role("button", name="New consumer").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Name", exact=True).fill(acme)
    page.get_by_role("button", name="Make the consumer").click()
    expect(page.get_by_role("heading", name=f"default / {acme}")).to_be_visible()

    page.get_by_role("button", name="New key").click()
    page.get_by_role("button", name="Make the key").click()
    first = given(tab)
    assert first not in page.content()
    wait_until(lambda: status_of(shop, first) == 200, 20, what="the first key at the edge")
    assert status_of(shop, first[:-1] + "_") == 401
    expect(row_of(tab, first)).to_contain_text("live")
    expect(row_of(tab, first).get_by_role("cell").nth(4)).not_to_have_text("0")  # its calls were reported
    expect(page.get_by_role("listitem").filter(has_text="default/daily")).to_contain_text("50 / day")
    assert tab.axe() == []

    page.get_by_role("button", name=f"Rotate {first[3:11]}").click()
    page.get_by_role("button", name="Make the key").click()
    second = given(tab)
    wait_until(lambda: status_of(shop, second) == 200, 20, what="the second key at the edge")
    assert status_of(shop, first) == 200, "both go on in the overlap"
    expect(row_of(tab, first).get_by_role("cell").nth(5)).not_to_have_text("never")
    page.get_by_role("button", name=f"Revoke {first[3:11]}").click()
    confirmed(tab, "Revoke")
    expect(row_of(tab, first)).to_have_count(0)
    wait_until(lambda: status_of(shop, first) == 401, 20, what="the end of the first key")

    page.get_by_role("button", name="Suspend", exact=True).click()
    confirmed(tab, "Suspend")
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    wait_until(lambda: status_of(shop, second) == 403, 20, what="the suspension at the edge")
    page.get_by_role("button", name="Resume", exact=True).click()
    confirmed(tab, "Resume")
    wait_until(lambda: status_of(shop, second) == 200, 20, what="the end of the suspension")

    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Consumers").click()
    row = page.get_by_role("row").filter(has_text=acme)
    expect(row).to_contain_text("let in")
    expect(row.get_by_role("cell").nth(6)).not_to_have_text("0")  # refused while it was suspended
    assert tab.axe() == []


@pytest.mark.parametrize(("dark", "language"), [pytest.param(True, "zh-CN", marks=pytest.mark.soak), (False, "en-GB")])
def test_its_pages_are_whole_in_both_themes_and_languages(
    shop: Mesh, browser: Browser, dark: bool, language: str
) -> None:
    shop.apply("{apiVersion: meshway/v1, kind: Consumer, metadata: {name: quiet}, spec: {}}")
    tab = open_tab(browser, shop.registry, dark=dark, language=language)
    for path in ("/consumers", "/consumers/default/quiet"):
        tab.open(path)
        expect(tab.page.get_by_text("quiet").first).to_be_visible()
        assert tab.axe() == [], path
    tab.page.context.close()
    assert tab.faults == []
