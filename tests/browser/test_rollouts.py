"""A new version as who rolls it out sees it: how far it is, how good, and what he does about it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh
from tests.parts.processes import Process, python

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

SERVICE = """
apiVersion: meshway/v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {subsets: [{name: v1, match: {version: v1}}, {name: v2, match: {version: v2}}]}
"""
ROLLOUT = """
---
apiVersion: meshway/v1
kind: Route
metadata: {name: NAME, namespace: shop}
spec:
  hosts: [NAME.example]
  rules:
    - name: all
      destinations: [{service: reviews, subset: v1, weight: 100}, {service: reviews, subset: v2, weight: 0}]
---
apiVersion: meshway/v1
kind: Rollout
metadata: {name: NAME, namespace: shop}
spec:
  route: NAME
  rule: all
  stable: {service: reviews, subset: v1}
  canary: {service: reviews, subset: v2}
  steps: [{weight_percent: 50, hold: 1h}, {weight_percent: 75, hold: 1h}]
  judge: {minimum_requests: 100000}
"""
CALLS = 40


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A Rollout of a service, whose one program serves both versions."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "page").write_text("here")
    mesh = Mesh(folder)
    program = Process(
        python("-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", str(folder)), folder / "s.out"
    )
    try:
        wait_until(lambda: " port " in program.text(), what="a port")
        port = int(program.text().partition(" port ")[2].split()[0])
        for version in ("v1", "v2"):
            mesh.register("reviews", version, port, namespace="shop", version=version, ttl_s=3600)
        mesh.apply(SERVICE + ROLLOUT.replace("NAME", "seen"))
        wait_until(lambda: phase(mesh, "seen") == "running", 20, what="the first step")
        yield mesh
    finally:
        program.stop()
        mesh.close()


@pytest.fixture
def tab(shop: Mesh, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, shop.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


@pytest.fixture
def steered(shop: Mesh) -> str:
    """Another of its own for who steers it: what is promoted stays so, also for who is asked again."""
    name = f"steered-{secrets.token_hex(3)}"
    shop.apply(ROLLOUT.replace("NAME", name))
    wait_until(lambda: phase(shop, name) == "running", 20, what="the first step")
    return name


def phase(mesh: Mesh, name: str) -> str:
    return str(mesh.client.get(f"{mesh.registry}/v1/rollouts/shop/{name}").json()["phase"])


def weights(mesh: Mesh, name: str) -> list[int]:
    route = mesh.client.get(f"{mesh.registry}/v1/namespaces/shop/routes/{name}").json()
    return [each.get("weight", 1) for each in route["spec"]["rules"][0]["destinations"]]


def do(tab: Tab, action: str, reason: str = "") -> None:
    tab.page.get_by_role("button", name=action, exact=True).click()
    dialog = tab.page.get_by_role("dialog")
    if reason:
        dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=action, exact=True).click()
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_the_list_leads_to_one_which_shows_what_is_measured(shop: Mesh, tab: Tab) -> None:
    tab.open("/rollouts")
    row = tab.page.get_by_role("row").filter(has_text="seen")
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("50%")
    row.get_by_role("link", name="seen").click()
    expect(tab.page.get_by_role("heading", name="shop / seen")).to_be_visible()
    steps = tab.page.get_by_role("region", name="Steps").get_by_role("row")
    expect(steps.nth(1)).to_contain_text("not enough data")
    expect(steps.nth(2)).to_contain_text("ahead")

    def called() -> bool:
        """Calls count from the first whole 10 s of the step on, and gateways tell of them every 2 s."""
        for _ in range(CALLS):
            assert shop.client.get(f"{shop.edge}/page", headers={"Host": "seen.example"}).status_code == 200
        told = shop.client.get(f"{shop.registry}/v1/rollouts/shop/seen").json()
        measures = told["steps"][0]["measures"]
        return bool(min(measures["canary"]["calls"], measures["control"]["calls"]) > 0)

    wait_until(called, 40, every_s=0.5, what="measures")
    expect(steps.nth(1)).to_contain_text("of 100,000 needed", timeout=15_000)
    expect(steps.nth(1)).to_contain_text("control", timeout=15_000)
    expect(steps.nth(1)).to_contain_text("allowed +1 points")
    expect(tab.page.get_by_role("listitem").filter(has_text="begun")).to_contain_text("by itself")


@pytest.mark.soak
def test_it_is_held_skipped_and_promoted_as_one_says(shop: Mesh, steered: str, tab: Tab) -> None:
    tab.open(f"/rollouts/shop/{steered}")
    do(tab, "Hold", "the pager is mine")
    held = tab.page.get_by_role("listitem").filter(has_text="held")
    expect(held).to_contain_text("the pager is mine")
    expect(held).to_contain_text("by loopback")
    expect(tab.page.get_by_role("button", name="Hold", exact=True)).to_have_count(0)
    assert weights(shop, steered) == [0, 50, 50]
    do(tab, "Skip step")
    expect(tab.page.get_by_role("listitem").filter(has_text="step skipped")).to_contain_text("75% to the canary")
    assert weights(shop, steered) == [0, 25, 75]
    do(tab, "Promote")
    expect(tab.page.get_by_text("promoted by hand", exact=True)).to_be_visible()
    expect(tab.page.get_by_role("button", name="Abort", exact=True)).to_have_count(0)
    assert weights(shop, steered) == [0, 100]


def test_it_is_aborted_and_who_looked_at_an_older_state_is_told(shop: Mesh, steered: str, tab: Tab) -> None:
    tab.open(f"/rollouts/shop/{steered}")
    tab.page.get_by_role("button", name="Promote", exact=True).click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("All calls go to shop/reviews#v2")
    expect(dialog.get_by_label("Reason")).to_be_visible()
    tab.page.route(f"**/v1/rollouts/shop/{steered}", lambda route: route.abort())  # this page learns of nothing
    answer = shop.client.post(f"{shop.registry}/v1/rollouts/shop/{steered}/abort", json={"reason": "elsewhere"})
    assert answer.status_code == 200, answer.text
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(dialog).to_contain_text("look at it again")
    assert weights(shop, steered) == [100, 0]
    tab.page.unroute(f"**/v1/rollouts/shop/{steered}")
    tab.faults.clear()  # what was cut off on purpose, and the refusal
    tab.reload()
    expect(tab.page.get_by_text("elsewhere", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("dark", "language", "width"),
    [(False, "en-GB", 390), pytest.param(True, "zh-CN", 1440, marks=pytest.mark.soak)],
)
def test_both_pages_are_accessible_and_fit_a_phone(
    shop: Mesh, steered: str, browser: Browser, dark: bool, language: str, width: int
) -> None:
    ended = shop.client.post(f"{shop.registry}/v1/rollouts/shop/{steered}/promote", json={})
    assert ended.status_code == 200, ended.text
    tab = open_tab(browser, shop.registry, dark=dark, language=language, width=width)
    for path in ("/rollouts", "/rollouts/shop/seen", f"/rollouts/shop/{steered}", "/rollouts?namespace=nothing"):
        tab.open(path)
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (path, tab.axe()) == (path, [])
        assert (path, tab.faults) == (path, [])
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    tab.page.context.close()
