"""Dashboards and alerts ask for what is there."""

import json
import re
from itertools import chain
from typing import Any

import yaml

from tests.parts.processes import ROOT
from tools.dashboards import DASHBOARDS, FOLDER, queries, written

RULES: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/rules/meshway.yml").read_text())
NAME = re.compile(r"\b(?:meshway|http_server)_[a-z_]+\b")
FAMILY = re.compile(r"_(bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    return list(chain.from_iterable(group["rules"] for group in RULES["groups"]))


def test_the_files_are_what_the_tool_writes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{board.uid}.json" for board in DASHBOARDS}
    for board in DASHBOARDS:
        text = (FOLDER / f"{board.uid}.json").read_text()
        assert text == written(board), "run: python -m tools.dashboards"
        panels = json.loads(text)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_every_metric_that_is_asked_for_is_one_that_the_guide_tells_of() -> None:
    """tests/end_to_end/gateway/test_telemetry.py holds the guide to what a running gateway tells."""
    guide = (ROOT / "docs/guide/observability.md").read_text()
    known = set(NAME.findall(guide))
    for told in (
        "registry/api/metrics.py",
        "gateway/supervisor/status.py",
    ):  # some only where there is something to tell
        known |= set(NAME.findall((ROOT / told).read_text()))
    texts = [*queries(), *(rule["expr"] for rule in rules())]
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for text in texts:
        for name in recorded:
            text = text.replace(name, "")
        for name in NAME.findall(text):
            assert {name, FAMILY.sub("", name)} & known, f"{name} in {text}"


def test_each_alert_says_what_it_is_about_and_how_grave() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts) >= 10
    for rule in alerts:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]


def test_what_is_provisioned_is_what_the_dashboards_ask() -> None:
    sources = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/meshway.yml").read_text())["datasources"]
    uids = {source["uid"] for source in sources}
    asked = {json.loads(written(board))["panels"][0]["datasource"]["uid"] for board in DASHBOARDS}
    assert asked <= uids
    to = sources[0]["jsonData"]["exemplarTraceIdDestinations"][0]
    assert (to["name"], to["datasourceUid"] in uids) == ("trace_id", True)
