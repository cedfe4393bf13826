"""From an alert to its cause, as somebody on call does it: a real mesh whose calls fail, and who is told of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.parts.alerts import answering
from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

CALLS = 40
RULES = """
apiVersion: meshway/v1
kind: Telemetry
metadata: {{name: all, namespace: mesh}}
spec: {{traces: {{head_percent: 100}}}}
---
apiVersion: meshway/v1
kind: Receiver
metadata: {{name: oncall}}
spec: {{webhook: {{url: "http://127.0.0.1:{port}/"}}, group_wait: 0s}}
---
apiVersion: meshway/v1
kind: Alert
metadata: {{name: till-fails}}
spec: {{query: "service=till error_ratio > 10 % over 1m", for: 1s, severity: critical, receivers: [oncall],
  summary: "calls of ${{service}} fail"}}
---
apiVersion: meshway/v1
kind: Objective
metadata: {{name: till-answers}}
spec: {{target: {{service: till}}, indicator: {{availability: {{}}}}, target_percent: 99, receivers: [oncall]}}
"""
TABS = ("live", "past", "rules", "objectives", "receivers", "silences")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """`till`, whose only instance is not there: its calls fail, and an Alert says so."""
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    try:
        with answering(b"told") as port:
            mesh.register("till", "till-1", free_port(), ttl_s=3600)
            mesh.apply(RULES.format(port=port))
            for _ in range(CALLS):
                assert mesh.call("till", "/pay").status_code >= 500
            wait_until(lambda: "till-fails" in firing(mesh), 90, what="the alert")
            yield mesh
    finally:
        mesh.close()


@pytest.fixture
def tab(shop: Mesh, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, shop.registry)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def alerts(mesh: Mesh, state: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = mesh.client.get(f"{mesh.registry}/v1/alerts?state={state}").json()["items"]
    return items


def firing(mesh: Mesh) -> set[str]:
    return {one["name"] for one in alerts(mesh, "firing")}


def row(tab: Tab, text: str) -> Locator:
    return tab.page.locator("tr[data-row]").filter(has_text=text)


def test_an_alert_leads_to_a_failing_call_and_its_trace(tab: Tab) -> None:
    tab.open("/alerts")
    one = row(tab, "till-fails")
    expect(one).to_contain_text(re.compile("critical.*calls of till fail", re.S))
    one.get_by_role("button", name="till-fails", exact=True).click()
    detail = tab.page.get_by_role("region", name="Alert till-fails")
    expect(detail).to_contain_text("default/oncall")
    expect(detail.get_by_role("table")).to_contain_text("Alert default/till-fails")  # what was changed before it
    detail.get_by_role("link", name="Its calls").click()
    expect(tab.page.get_by_role("heading", name="Requests")).to_be_visible()
    row(tab, "/pay").first.get_by_role("link").first.click()
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text(re.compile("GET|/pay|Request"))
    expect(tab.page.get_by_text("till").first).to_be_visible()
    expect(tab.page.get_by_role("heading", name="Trace")).to_be_visible()


def test_the_overview_names_what_fires_and_leads_to_it(tab: Tab) -> None:
    tab.open("/")
    tab.page.get_by_role("main").get_by_role("link", name="till-fails").click()
    expect(tab.page.get_by_role("region", name="Alert till-fails")).to_be_visible()


def test_a_message_leads_to_its_alert_and_to_what_is_over_by_then(shop: Mesh, tab: Tab) -> None:
    (one,) = (each for each in alerts(shop, "firing") if each["name"] == "till-fails")
    tab.open(f"/alerts?alert=%22{one['id']}%22")
    expect(tab.page.get_by_role("region", name="Alert till-fails")).to_be_visible()
    tab.open("/alerts?alert=%221234567890123456%22")
    expect(tab.page.get_by_role("tab", name="History")).to_have_attribute("aria-selected", "true")


@pytest.mark.soak
def test_alerts_fit_a_phone(shop: Mesh, browser: Browser) -> None:
    tab = open_tab(browser, shop.registry, width=390)
    for name in TABS:
        tab.open(f"/alerts?tab={name}")
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (name, tab.page.evaluate("document.documentElement.scrollWidth")) == (name, 390)
    tab.page.context.close()


def test_an_alert_leads_to_its_service(tab: Tab) -> None:
    tab.open("/alerts")
    row(tab, "till-fails").get_by_role("button", name="till-fails", exact=True).click()
    tab.page.get_by_role("link", name="Its service").click()
    expect(tab.page.get_by_role("heading", name="default / till")).to_be_visible()


def test_an_alert_is_silenced_with_a_reason_and_an_end_and_told_again(shop: Mesh, tab: Tab) -> None:
    silences = f"{shop.registry}/v1/silences"
    for left in shop.client.get(silences).json()["items"]:  # by a run before
        shop.client.delete(f"{silences}/{left['id']}")
    tab.open("/alerts")
    row(tab, "till-fails").get_by_role("button", name="Silence till-fails").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("For").select_option("4")
    dialog.get_by_label("Reason").fill("the till is being moved")
    dialog.get_by_role("button", name="Silence", exact=True).click()
    expect(tab.page.get_by_role("region", name="Silenced")).to_contain_text("till-fails")
    tab.page.get_by_role("tab", name="Silences").click()
    silence = row(tab, "the till is being moved")
    expect(silence).to_contain_text(re.compile("service=till.*alert=till-fails", re.S))
    silence.get_by_role("button", name=re.compile("^End")).click()
    tab.page.get_by_role("dialog").get_by_role("button", name="End").click()
    expect(tab.page.get_by_text("No silences.")).to_be_visible()
    tab.page.get_by_role("tab", name="Now").click()
    expect(tab.page.get_by_role("region", name="Firing")).to_contain_text("till-fails")


def test_a_receiver_is_tested_and_says_what_it_answered(tab: Tab) -> None:
    tab.open("/alerts?tab=receivers")
    expect(row(tab, "default/oncall")).to_contain_text(re.compile("webhook.*it answers 200", re.S))
    row(tab, "default/oncall").get_by_role("button", name="Test default/oncall").click()
    expect(tab.page.get_by_role("status").filter(has_text="The test arrived at default/oncall.")).to_contain_text(
        "told"
    )


def test_rules_are_shown_with_what_is_built_in(tab: Tab) -> None:
    tab.open("/alerts?tab=rules")
    expect(row(tab, "mesh/builtin-breaker-open")).to_contain_text(
        re.compile("breaker_open > 0.*critical.*built in.*on")
    )
    own = row(tab, "default/till-fails")
    expect(own).to_contain_text(re.compile("default/oncall.*document.*on"))
    own.get_by_role("link", name="default/till-fails").click()
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text("till-fails")


@pytest.mark.soak
def test_a_rule_is_tried_on_the_last_day(tab: Tab) -> None:
    tab.open("/alerts?tab=rules")
    row(tab, "default/till-fails").get_by_role("button", name="Try default/till-fails").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog.get_by_label("Query")).to_have_value("service=till error_ratio > 10 % over 1m")
    dialog.get_by_role("button", name="Try").click()
    expect(dialog.get_by_role("status")).to_contain_text(re.compile("would.*have fired"))
    dialog.get_by_label("Query").fill("service=till error_ratoi > 10 %")
    dialog.get_by_role("button", name="Try").click()
    expect(dialog.get_by_role("alert")).to_contain_text("error_ratoi")
    tab.faults[:] = [fault for fault in tab.faults if "422" not in fault]


def test_an_objective_shows_what_is_left_of_its_budget(tab: Tab) -> None:
    tab.open("/alerts?tab=objectives")
    one = row(tab, "default/till-answers")
    expect(one).to_contain_text(re.compile("service till: availability.*99 %.*spent .* times over.*over 1 hour", re.S))


@pytest.mark.soak
@pytest.mark.parametrize(("dark", "language"), [(False, "en-GB"), (True, "zh-CN")])
def test_every_tab_is_accessible(shop: Mesh, browser: Browser, dark: bool, language: str) -> None:
    tab = open_tab(browser, shop.registry, dark=dark, language=language)
    for name in TABS:
        tab.open(f"/alerts?tab={name}")
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        assert (name, tab.axe()) == (name, [])
    tab.page.context.close()
    assert tab.faults == []


@pytest.mark.soak
def test_alerts_are_read_by_keyboard_alone(tab: Tab) -> None:
    tab.open("/")
    tab.page.keyboard.press("g")
    tab.page.keyboard.press("n")
    expect(tab.page.get_by_role("heading", name="Alerts")).to_be_visible()
    tab.page.get_by_role("button", name="till-fails", exact=True).focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("region", name="Alert till-fails")).to_be_visible()
    tab.page.get_by_role("tab", name="Now").focus()
    tab.page.keyboard.press("ArrowRight")
    expect(tab.page.get_by_role("tab", name="History")).to_be_focused()
