"""One version of a service is slow: who has only the console finds which, and ends its calls, without failed ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh
from tests.parts.sick_services import Sick, SickServices

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

DOCUMENTS = """
apiVersion: meshway/v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {subsets: [{name: v1, match: {version: v1}}, {name: v2, match: {version: v2}}, {name: v3, match: {version: v3}}]}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: reviews, namespace: shop}
spec:
  listeners: [mesh]
  hosts: [reviews]
  rules:
    - name: stars
      destinations: [{service: reviews, subset: v2, weight: 50}, {service: reviews, subset: v3, weight: 50}]
"""
SLOW_S = 0.6
CALLS = 24


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SickServices]:
    """v1, v2, and v3, which takes its time."""
    services = SickServices(tmp_path_factory.mktemp("reviews"), "reviews", Sick(), Sick(), Sick(wait_s=SLOW_S))
    yield services
    services.stop()


@pytest.fixture(scope="module")
def shop(services: SickServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        mesh.apply(DOCUMENTS)
        for number, port in enumerate(services.ports, 1):
            mesh.register("reviews", f"reviews-{number}", port, "shop", version=f"v{number}", ttl_s=3600)
        for _ in range(CALLS):
            assert mesh.call("reviews", namespace="shop").status_code == 200
        wait_until(lambda: sum(calls_by_version(mesh)) >= CALLS, 60, what="the gateway's report")
        yield mesh
    finally:
        mesh.close()


@pytest.fixture(params=["en-GB", "zh-CN"])
def tab(shop: Mesh, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Tab]:
    tab = open_tab(browser, shop.registry, language=request.param)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def calls_by_version(mesh: Mesh) -> list[int]:
    answer = mesh.client.get(f"{mesh.registry}/v1/insight/versions?service=shop/reviews&versions=v1,v2,v3")
    found: dict[str, Any] = answer.json()
    return [figures["calls"] for figures in found["figures"]] if answer.status_code == 200 else []


def counts(services: SickServices) -> list[int]:
    """Calls that each version got. In a thread of its own: the browser's keeps an event loop running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(services.counts).result(30)


def latency_ms(told: Locator) -> float:
    """p95, as a line or a row of a version tells it: what is counted in milliseconds last."""
    return float(re.findall(r"([\d.,]+)\s?(?:ms|毫秒)", told.inner_text())[-1].replace(",", ""))


@pytest.mark.soak
def test_the_page_of_a_service_says_which_version_is_slow_and_where_its_calls_part(tab: Tab) -> None:
    tab.open("/services/shop/reviews")
    versions = tab.page.get_by_role("region", name=re.compile("^(By version|按版本)$"))
    rows = {name: versions.get_by_role("row").filter(has_text=name) for name in ("v1", "v2", "v3")}
    expect(rows["v3"]).to_contain_text(re.compile("ms|毫秒"))
    assert latency_ms(rows["v3"]) > SLOW_S * 900 > latency_ms(rows["v2"])
    expect(rows["v1"]).not_to_contain_text(re.compile("ms|毫秒"))
    expect(tab.page.locator("main").get_by_role("link", name="shop/reviews")).to_be_visible()
    assert tab.axe() == []


@pytest.mark.soak
def test_the_slow_version_is_found_on_the_map_and_its_calls_end_by_its_route(
    shop: Mesh, services: SickServices, browser: Browser
) -> None:
    tab = open_tab(browser, shop.registry)
    page = tab.page
    tab.open("/")
    page.get_by_role("link", name="Map", exact=True).click()
    page.get_by_role("button", name="shop/reviews").first.click()
    picked = page.locator(".map-side")
    told = {name: picked.get_by_role("listitem").filter(has_text=f"{name}:") for name in ("v2", "v3")}
    expect(told["v3"]).to_contain_text("p95")
    assert latency_ms(told["v3"]) > SLOW_S * 900 > latency_ms(told["v2"])
    assert tab.axe() == []
    picked.get_by_role("link", name="shop/reviews").click()
    page.get_by_text("Form", exact=True).click()
    weights = page.get_by_label("weight")
    weights.nth(0).fill("100")
    weights.nth(1).fill("0")
    page.get_by_role("button", name="Show the difference").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("1 of 1 gateways run it")).to_be_visible()
    before = counts(services)
    assert [shop.call("reviews", namespace="shop").status_code for _ in range(CALLS)] == [200] * CALLS
    after = counts(services)
    assert after[2] == before[2]
    assert after[1] == before[1] + CALLS
    page.context.close()
    assert tab.faults == []
