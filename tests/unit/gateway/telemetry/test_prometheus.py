from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import Counters, Totals
from gateway.telemetry.finish import Finisher
from gateway.telemetry.prometheus import exposition, gauge
from tests.parts.exchanges import ended


def test_the_text_is_read_by_prometheus_own_parser(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    counters.rule_slot("default/books", "all")
    finisher = Finisher(counters, AccessLog("", 0, lambda _: None))
    for milliseconds in (1, 2, 3, 400):
        finisher.finish(ended(first_byte=100.0 + milliseconds / 2000), 100.0 + milliseconds / 1000)
    finisher.finish(ended(status=503, flag="UH", tried=()), 100.01)
    finisher.flush()
    counters.add(counters.counter("meshway_rate_limited_total", policy='odd"name\\'), 4)
    text = exposition(Totals().read([tmp_path / "w0"]), gauge("meshway_snapshot_revision", "Revision.", [((), 7.0)]))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    requests = {tuple(s.labels.values()): s.value for s in families["meshway_requests"].samples}
    assert sum(requests.values()) == 5.0
    assert families["meshway_snapshot_revision"].samples[0].value == 7.0
    assert families["meshway_rate_limited"].samples[0].labels == {"policy": 'odd"name\\'}
    durations = families["http_server_request_duration_seconds"]
    assert durations.type == "histogram"
    ok = [s for s in durations.samples if s.labels.get("status_class") == "2xx"]
    by_bound = {s.labels["le"]: s.value for s in ok if s.name.endswith("_bucket")}
    assert by_bound["0.005"] == 3.0
    assert by_bound["0.5"] == by_bound["+Inf"] == 4.0
    assert list(by_bound.values()) == sorted(by_bound.values())
    assert next(s.value for s in ok if s.name.endswith("_count")) == 4.0


def test_a_help_stands_once_for_each_metric(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    for policy in ("a", "b"):
        counters.add(counters.counter("meshway_rate_limited_total", policy=policy))
    text = exposition(Totals().read([tmp_path / "w0"]))
    assert text.count("# TYPE meshway_rate_limited_total counter") == 1
