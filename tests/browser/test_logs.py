"""Logs of services as people read them: on the service's page, as they come, and beside a call's trace."""

import re
import secrets
import time
from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from meshway.call_lines import CallLine, CallsTold
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs, resource_of
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.planes import Registry

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REQUEST = "0af7651916cd43dd8448eb211c80319c"


def ship(registry: Registry, *texts: str, service: str = "pay", severity: int = 9, trace: str = "") -> None:
    now_ns = time.time_ns()
    records = [
        LogRecord(now_ns + at * 1_000, text, severity, attributes={"order": "o-7"}, trace_id=trace)
        for at, text in enumerate(texts)
    ]
    body = export_logs([LogsOfResource(resource_of(service, "default", "p-1"), [LogsOfScope("app", records)])])
    answer = registry.client.post("/v1/logs", content=body, headers={"content-type": "application/x-protobuf"})
    assert answer.status_code == 200, answer.text


def write_log(registry: Registry, service: str, trace: str = "") -> None:
    registry.register(service, "p-1", 9000, ttl_s=3600)
    ship(registry, "listening", "card accepted", service=service)
    ship(registry, "card declined <b>now</b>", service=service, severity=17, trace=trace)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A service with a log, and a call of it that is kept."""
    running = Registry(tmp_path_factory.mktemp("registry"))
    write_log(running, "pay", trace=TRACE)
    ship(running, "asked for a card", service="cart", trace=TRACE)
    call = CallLine(
        time="2026-11-26T12:00:00.000Z", duration_ms=12.5, method="GET", authority="pay", path="/", status=503,
        service="default/pay", instance="p-1", request_id=REQUEST, trace_id=TRACE,
    )  # fmt: skip
    told = CallsTold(node="gw-1", boot="b", sequence=1, calls=(call,))
    assert running.client.post("/v1/requests", content=msgspec.json.encode(told)).status_code == 204
    yield running
    running.close()


@pytest.fixture
def tab(registry: Registry, browser: Browser) -> Iterator[Tab]:
    tab = open_tab(browser, registry.url)
    yield tab
    tab.page.context.close()
    assert tab.faults == []


def test_a_services_log_is_searched_and_followed_on_its_page(registry: Registry, tab: Tab) -> None:
    service = f"pay-{secrets.token_hex(3)}"  # a run before has added a line to its own
    write_log(registry, service)
    tab.open(f"/services/default/{service}")
    page = tab.page
    page.get_by_role("tab", name="Logs").click()
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("card declined <b>now</b>")
    expect(rows.first).to_contain_text("order=o-7")
    words = page.get_by_label("Words that are looked for")
    words.fill("card -declined")
    words.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("card accepted")
    words.fill('"never closed')
    words.press("Enter")
    expect(page.get_by_text("a quote is not closed").first).to_be_visible()
    tab.faults.clear()  # the browser notes the refusal that was looked for
    words.fill("")
    words.press("Enter")
    page.get_by_label("This or worse").select_option("error")
    expect(rows).to_have_count(1)
    assert tab.axe() == []
    page.get_by_label("This or worse").select_option("")
    page.get_by_label("As they come").check(force=True)
    expect(page.get_by_role("tabpanel", name="Logs").get_by_text("Live")).to_be_visible()
    ship(registry, "a line that has just come", service=service)
    expect(rows.first).to_contain_text("a line that has just come")
    assert tab.axe() == []


def test_what_services_wrote_stands_beside_a_calls_trace(tab: Tab) -> None:
    tab.open(f"/requests/{REQUEST}")
    region = tab.page.get_by_role("region", name="What services wrote meanwhile")
    expect(region.locator("tr[data-row]")).to_have_count(2)
    expect(region.locator("tr[data-row]").first).to_contain_text("card declined")
    expect(region.get_by_role("link", name="default/cart")).to_be_visible()
    assert tab.axe() == []


@pytest.mark.soak
def test_it_is_told_in_chinese_and_in_the_dark_as_well(registry: Registry, browser: Browser) -> None:
    tab = open_tab(browser, registry.url, language="zh-CN", dark=True)
    tab.open("/services/default/pay")
    tab.page.get_by_role("tab", name="日志").click()
    expect(tab.page.get_by_text(re.compile("错误"))).not_to_have_count(0)
    assert tab.axe() == []
    tab.page.context.close()
    assert tab.faults == []
