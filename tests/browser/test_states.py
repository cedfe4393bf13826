"""What pages look like when nothing may be changed, and what a person has chosen for them."""

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

PAGES = ("/", "/services", "/consumers", "/changes", "/certificates", "/settings")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh whose registry is read-only; a service has registered all the same."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "MESHWAY_READ_ONLY", "true")
        mesh = Mesh(tmp_path_factory.mktemp("frozen"))
    try:
        mesh.register("books", "books-1", 9081, ttl_s=3600)
        yield mesh
    finally:
        mesh.close()


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("free"))
    try:
        mesh.register("books", "books-1", 9081, ttl_s=3600)
        yield mesh
    finally:
        mesh.close()


def opened(browser: Browser, mesh: Mesh) -> Tab:
    return open_tab(browser, mesh.registry)


def closed(tab: Tab) -> None:
    tab.page.context.close()
    # Without an authority its state is asked for in vain.
    assert [one for one in tab.faults if "409" not in one] == []


def test_a_read_only_registry_is_badged_and_offers_no_action(frozen: Mesh, browser: Browser) -> None:
    tab = opened(browser, frozen)
    page = tab.page
    for path in PAGES:
        tab.open(path)
        expect(page.get_by_text("Read-only", exact=True)).to_be_visible()
        expect(page.get_by_text("nothing can be changed now")).to_be_visible()
        for action in ("Register a service", "New consumer", "Make the authority", "New token", "New user"):
            expect(page.get_by_role("button", name=action)).to_have_count(0)
            expect(page.get_by_role("link", name=action)).to_have_count(0)
        assert tab.axe() == [], path
    tab.open("/services/default/books")
    expect(page.get_by_role("row").filter(has_text="books-1")).to_contain_text("passing")
    expect(page.get_by_role("button", name="Drain")).to_have_count(0)
    tab.open("/policies/TrafficPolicy/default/+")
    page.get_by_role("button", name="Show the difference").hover()
    closed(tab)


def test_in_the_past_actions_are_off_with_the_reason_and_back_in_the_present(free: Mesh, browser: Browser) -> None:
    tab = opened(browser, free)
    page = tab.page
    tab.open("/services?at=1700000000")
    bar = page.get_by_role("status").filter(has_text="Actions are off until you are back")
    expect(bar).to_contain_text("2023")
    expect(page.get_by_role("link", name="Register a service")).to_have_count(0)
    assert tab.axe() == []
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Consumers").click()
    expect(bar).to_be_visible()  # the moment goes along
    expect(page.get_by_role("button", name="New consumer")).to_have_count(0)
    tab.open("/services/register?at=1700000000")
    page.get_by_role("button", name="Register", exact=False).first.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("Actions are off")
    bar.get_by_role("button", name="Back to live").click()
    expect(bar).to_have_count(0)
    tab.open("/services")
    expect(page.get_by_role("link", name="Register a service")).to_be_visible()
    closed(tab)


def test_settings_tell_of_roles_rights_namespaces_and_the_registry(free: Mesh, browser: Browser) -> None:
    tab = opened(browser, free)
    page = tab.page
    tab.open("/settings")
    page.get_by_role("tab", name="Roles").click()
    matrix = page.get_by_role("region", name="What each role may")
    expect(matrix.get_by_role("row").filter(has_text="documents:write")).to_contain_text("yes")
    assert tab.axe() == []
    page.get_by_role("tab", name="Namespaces").click()
    expect(page.get_by_role("row").filter(has_text="default")).to_contain_text("end as they run out")
    assert tab.axe() == []
    page.get_by_role("tab", name="Mesh").click()
    expect(page.get_by_text("Apache-2.0")).to_be_visible()
    expect(page.get_by_text("SQLite")).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Back up now").click()
    assert re.fullmatch(r"meshway-r\d+\.backup", downloading.value.suggested_filename)
    assert downloading.value.path().read_bytes()[:2] == b"\x1f\x8b"
    assert tab.axe() == []
    page.get_by_role("tab", name="My rights").click()
    page.get_by_label("Who").fill("nobody-here")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Not found")
    tab.faults.clear()
    page.get_by_role("tab", name="Preferences").click()
    page.get_by_label("Rows of tables").select_option("compact")
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.get_by_label("Language").select_option("zh-CN")
    expect(page.get_by_role("heading", name="设置")).to_be_visible()
    assert tab.axe() == []
    closed(tab)
