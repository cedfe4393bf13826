"""Changes before they are published, as people make them: a limit that is written as a form and seen to hold, taken
back; and two who write the same change, of whom neither may approve it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

PASSWORD = "plenty of horses and batteries"
BOOKS = """\
apiVersion: meshway/v1
kind: Route
metadata: {name: books}
spec: {hosts: [books.example], rules: [{destinations: [{service: books}]}]}
"""
LIMIT = """\
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: search, namespace: default}
spec: {targets: [{service: books}], token_bucket: {rate: 50/s, burst: 10}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        mesh.register("books", "books-1", 9081, ttl_s=3600)
        mesh.apply(BOOKS)
        yield mesh
    finally:
        mesh.close()


def test_a_limit_is_written_as_a_form_published_seen_to_hold_and_taken_back(shop: Mesh, browser: Browser) -> None:
    def status() -> int:
        return shop.client.get(f"{shop.edge}/cart", headers={"Host": "books.example"}).status_code

    shop.client.delete(f"{shop.registry}/v1/namespaces/default/rate-limits/calm")  # of a run before
    wait_until(lambda: status() != 429, 20, what="no limit")
    tab = open_tab(browser, shop.registry)
    page = tab.page
    tab.open("/policies/RateLimit/default/+")
    page.get_by_text("Form", exact=True).click()
    page.get_by_label("name", exact=True).first.fill("calm")
    page.get_by_label("rate", exact=True).fill("1/m")
    assert tab.axe() == []
    page.get_by_text("YAML", exact=True).click()
    expect(page.get_by_label("RateLimit as YAML")).to_have_value(re.compile(r"name: calm[\s\S]*rate: 1/m"))
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_role("region", name="What would change")).to_contain_text("RateLimit default/calm")
    expect(page.get_by_role("region", name="Whom it touches")).to_contain_text("default/books")
    assert status() != 429
    assert tab.axe() == []
    page.get_by_label("Message for the history").fill("noon was slow")
    page.get_by_role("button", name="Publish").click()
    watched = page.get_by_role("region", name="Since it was published")
    expect(watched).to_contain_text("1 of 1 gateways run it")
    wait_until(lambda: status() == 429, 20, what="the limit")
    assert tab.axe() == []
    address = page.url
    other = open_tab(browser, shop.registry, dark=True, language="zh-CN")
    for path in (address.removeprefix(shop.registry), "/policies/RateLimit/default/calm", "/changes"):
        other.open(path)
        expect(other.page.locator("[aria-busy=true]")).to_have_count(0)
        if path.startswith("/policies"):
            other.page.get_by_text("表单", exact=True).click()
        assert (path, other.axe(), other.faults) == (path, [], [])
    other.page.context.close()
    tab.open("/changes")
    expect(page.get_by_role("row").filter(has_text="noon was slow").first).to_be_visible()
    page.goto(address)

    page.get_by_role("button", name="Take back…").click()
    expect(page.get_by_role("heading", name=re.compile("Take back"))).to_be_visible()
    expect(page.get_by_role("region", name="What would change")).to_contain_text("deleted")
    page.get_by_role("button", name="Publish").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Deletes RateLimit default/calm")
    if dialog.get_by_role("textbox").count():  # its calls of the last minutes are told by now
        dialog.get_by_role("textbox").fill("calm")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("region", name="Since it was published")).to_be_visible()
    wait_until(lambda: status() != 429, 20, what="the limit being gone")
    assert tab.faults == []
    page.context.close()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Mesh]:
    """Where everybody signs in."""
    mesh = Mesh(tmp_path, 1, "--auth")
    try:
        yield mesh
    finally:
        mesh.close()


def call(tab: Tab, method: str, path: str, body: Any = None) -> Any:
    """With the session of the tab, as a page of ours calls."""
    session = tab.page.context.request.get(f"{tab.base}/v1/session").json()
    answer = tab.page.context.request.fetch(
        tab.base + path,
        method=method,
        data=body,
        headers={"Meshway-CSRF": session["csrf"], "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.ok, (method, path, answer.status, answer.text())
    return answer.json()


def set_up(tab: Tab, link: str, name: str) -> None:
    tab.page.goto(tab.base + link)
    tab.page.get_by_label("Name", exact=False).first.fill(name)
    tab.page.get_by_label("New password").fill(PASSWORD)
    tab.page.get_by_label("The same again").fill(PASSWORD)
    tab.page.get_by_role("button", name="Set the password").click()
    expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    tab.faults.clear()  # before anybody is signed in the session is asked for in vain


def test_two_write_a_change_and_a_third_approves_it(strict: Mesh, browser: Browser) -> None:
    tabs = [open_tab(browser, strict.registry) for _ in range(3)]
    lin, pat, kim = tabs
    wait_until(lambda: "/setup#" in strict.process.text(), 30, what="the link of the first admin")
    set_up(lin, re.findall(r"/setup#\S+", strict.process.text())[0], "admin")
    for name, tab in (("pat", pat), ("kim", kim)):
        made = call(lin, "POST", "/v1/users", {"name": name})
        call(lin, "POST", "/v1/bindings", {"subject": name, "role": "editor", "namespace": "*"})
        set_up(tab, "/setup#" + made["link"]["token"], name)
    call(lin, "PUT", "/v1/namespaces/default/services/books/instances/books-1", {"port": 9081, "ttl_s": 3600})
    call(lin, "PUT", "/v1/namespaces/default/rate-limits/search", spec_of(50, 10))
    call(lin, "PUT", "/v1/namespaces/mesh/namespaces/default", {"spec": {"approvals": 1}})

    lin.open("/policies/RateLimit/default/search")
    write(lin, "50/s", "40/s # noon")
    expect(lin.page.get_by_role("region", name="Publish this change")).to_contain_text("1 people must approve")
    lin.page.get_by_role("link", name="Edit", exact=True).click()
    expect(lin.page.get_by_label("RateLimit as YAML")).to_have_value(re.compile("40/s # noon"))

    pat.open("/policies/RateLimit/default/search")
    expect(pat.page.get_by_text("user:admin is changing this document, too")).to_be_visible()
    pat.page.get_by_role("link", name=re.compile("go on in")).click()
    write(pat, "burst: 10", "burst: 20")
    expect(pat.page.get_by_role("region", name="About this change")).to_contain_text("user:admin, user:pat")

    text = lin.page.get_by_label("RateLimit as YAML")
    text.fill(text.input_value().replace("40/s", "30/s"))
    lin.page.get_by_role("button", name="Show the difference").click()
    expect(lin.page.get_by_role("alert").first).to_contain_text("Somebody else wrote this change meanwhile")
    lin.faults.clear()  # the 412 that said so
    address = re.sub(r"\?.*", "", pat.page.url)

    pat.page.get_by_role("button", name="Ask for review").click()
    expect(pat.page.get_by_role("region", name="Review")).to_contain_text("Waits for somebody else")
    lin.page.goto(address)
    expect(lin.page.get_by_role("region", name="Review")).to_contain_text("Waits for somebody else")
    expect(lin.page.get_by_role("button", name="Publish")).to_be_disabled()
    kim.page.goto(address)
    kim.page.get_by_label("A word to the author").fill("measured it")
    assert kim.axe() == []
    kim.page.get_by_role("button", name="Approve").click()
    expect(kim.page.get_by_role("region", name="Review")).to_contain_text("measured it")
    lin.page.reload()
    lin.page.get_by_role("button", name="Publish").click()
    expect(lin.page.get_by_role("region", name="Since it was published")).to_be_visible()
    assert call(lin, "GET", "/v1/namespaces/default/rate-limits/search")["spec"] == spec_of(40, 20)["spec"]
    for tab in tabs:
        assert tab.faults == []
        tab.page.context.close()


@pytest.mark.soak
def test_a_draft_that_others_overtook_is_put_together_with_theirs(shop: Mesh, browser: Browser) -> None:
    shop.apply(LIMIT)
    tab = open_tab(browser, shop.registry)
    tab.open("/policies/RateLimit/default/search")
    write(tab, "50/s", "40/s # noon")
    expect(tab.page.get_by_role("button", name="Publish")).to_be_enabled()
    shop.apply(LIMIT.replace("burst: 10", "burst: 20"))
    moved = tab.page.get_by_role("region", name="Somebody else published this meanwhile")
    tab.page.reload()
    expect(moved).to_contain_text("RateLimit default/search")
    expect(tab.page.get_by_role("button", name="Publish")).to_be_disabled()
    assert tab.axe() == []
    moved.get_by_role("button", name="Put both together").click()
    expect(moved).to_have_count(0)
    shop.apply(LIMIT.replace("burst: 10", "burst: 20").replace("50/s", "60/s"))
    tab.page.reload()
    expect(moved.get_by_text("theirs: 60/s")).to_be_visible()
    moved.get_by_text("mine: 40/s").click()
    moved.get_by_role("button", name="Put both together").click()
    expect(moved).to_have_count(0)
    tab.page.get_by_role("button", name="Publish").click()
    expect(tab.page.get_by_role("region", name="Since it was published")).to_be_visible()
    published = shop.client.get(f"{shop.registry}/v1/namespaces/default/rate-limits/search").json()
    assert published["spec"]["token_bucket"] == {"rate": "40/s", "burst": 20}
    assert tab.faults == []
    tab.page.context.close()


@pytest.mark.soak
def test_what_git_keeps_is_read_until_an_admin_takes_it_over_and_rows_have_their_actions(
    shop: Mesh, browser: Browser
) -> None:
    shop.apply(LIMIT)
    labels = "{name: kept, labels: {managed_by: git}, annotations: {source_url: 'https://git.example/limits'}}"
    shop.apply(LIMIT.replace("{name: search, namespace: default}", labels))
    tab = open_tab(browser, shop.registry)
    tab.open("/policies/RateLimit/default/kept")
    expect(tab.page.get_by_role("link", name="https://git.example/limits")).to_be_visible()
    expect(tab.page.get_by_label("RateLimit as YAML")).not_to_be_editable()
    assert tab.axe() == []
    tab.page.get_by_role("button", name="Edit it all the same").click()
    expect(tab.page.get_by_label("RateLimit as YAML")).to_be_editable()
    tab.open("/policies/RateLimit")
    tab.page.get_by_role("link", name="Duplicate kept").click()
    expect(tab.page.get_by_label("RateLimit as YAML")).to_have_value(re.compile(r"rate: 50/s"))
    tab.open("/policies/RateLimit")
    expect(tab.page.get_by_role("button", name="Delete kept")).to_have_count(0)
    tab.page.get_by_role("button", name="Delete search").click()
    expect(tab.page.get_by_role("region", name="What would change")).to_contain_text("deleted")
    assert shop.client.get(f"{shop.registry}/v1/namespaces/default/rate-limits/search").status_code == 200
    assert tab.faults == []
    tab.page.context.close()


def spec_of(rate: int, burst: int) -> dict[str, Any]:
    return {"spec": {"targets": [{"service": "books"}], "token_bucket": {"rate": f"{rate}/s", "burst": burst}}}


def write(tab: Tab, old: str, new: str) -> None:
    """In the text, and on to its difference."""
    text = tab.page.get_by_label("RateLimit as YAML")
    expect(text).to_have_value(re.compile(re.escape(old)))
    text.fill(text.input_value().replace(old, new))
    tab.page.get_by_role("button", name="Show the difference").click()
    expect(tab.page.get_by_role("region", name="What would change")).to_be_visible()
