from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import Counters, Totals
from gateway.telemetry.finish import Finisher
from gateway.telemetry.prometheus import Exemplar, bound_of, exposition, gauge, open_metrics, wants_open
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


def test_open_metrics_has_the_same_and_an_exemplar_in_its_bucket(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    counters.rule_slot("default/books", "all")
    finisher = Finisher(counters, AccessLog("", 0, lambda _: None))
    for seconds in (0.001, 0.4, 0.4, 100.0):
        finisher.finish(ended(), 100.0 + seconds)
    finisher.flush()
    counters.add(counters.counter("meshway_rate_limited_total", policy='odd"name\\'), 4)
    series, own = Totals().read([tmp_path / "w0"]), gauge("meshway_snapshot_revision", "Revision.", [((), 7.0)])
    labels = (
        ("listener", "mesh"),
        ("route", "default/books"),
        ("source", "anonymous"),
        ("service", "default/books"),
        ("status_class", "2xx"),
    )
    exemplar = Exemplar("0af7651916cd43dd8448eb211c80319c", 0.4, 1_700_000_000.5)
    text = open_metrics(series, own, {(labels, bound_of(0.4)): exemplar})
    assert text.endswith("\n# EOF\n")
    read: Callable[[str], Iterator[Metric]] = open_parser.text_string_to_metric_families
    families = {family.name: family for family in read(text)}
    plain = {family.name: family for family in text_string_to_metric_families(exposition(series, own))}
    assert families.keys() == plain.keys()
    for name, family in families.items():
        assert [(s.name, s.labels, s.value) for s in family.samples] == [
            (s.name, s.labels, s.value) for s in plain[name].samples
        ]
    shown = [
        (sample.labels["le"], sample.exemplar.labels, sample.exemplar.value)
        for sample in families["http_server_request_duration_seconds"].samples
        if sample.exemplar is not None
    ]
    assert shown == [("0.5", {"trace_id": exemplar.trace_id}, 0.4)]


def test_each_duration_has_its_bucket() -> None:
    assert [bound_of(seconds) for seconds in (0.0, 0.0005, 0.4, 1.0, 60.0, 61.0)] == [
        "0.0005", "0.0005", "0.5", "1.0", "60.0", "+Inf",
    ]  # fmt: skip


def test_open_metrics_is_for_those_who_ask_for_it() -> None:
    assert wants_open(b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
    assert not wants_open(b"text/plain")
    assert not wants_open(b"")
