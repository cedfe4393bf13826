from collections import Counter
from pathlib import Path

from gateway.exchange import EDGE
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import CALL, CONSUMER_CALLS, ENDPOINT, HISTOGRAM, PLAIN, Counters, read_counters
from gateway.telemetry.finish import Finisher
from meshway.histogram import quantile
from meshway.identity import Principal, SpiffeId
from tests.parts.exchanges import ended


def test_a_call_is_counted_by_route_service_status_class_and_flag(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    counters.rule_slot("default/books", "all")
    finisher = Finisher(counters, AccessLog("", 0, lambda _: None))
    for status in (200, 204, 503):
        finisher.finish(ended(status=status, bytes_in=10, bytes_out=20, flag="UH" if status == 503 else ""), 100.5)
    finisher.finish(ended(status=404, plan=None, cluster=None, tried=(), flag="NR"), 100.1)
    finisher.flush()
    calls = {
        tuple(dict(labels)[name] for name in ("route", "service", "status_class", "response_flag")): cells[:4]
        for (kind, labels), cells in read_counters(tmp_path / "w0").items()
        if kind == CALL
    }
    assert calls[("default/books", "default/books", "2xx", "")] == [2.0, 20.0, 40.0, 1.0]
    assert calls[("default/books", "default/books", "5xx", "UH")][0] == 1.0
    assert calls[("", "", "4xx", "NR")][0] == 1.0


def test_a_call_is_counted_by_who_calls(tmp_path: Path) -> None:
    finisher = Finisher(Counters(tmp_path / "w0"), AccessLog("", 0, lambda _: None))
    for instance in ("w1", "w2"):
        name = SpiffeId(trust_domain="mesh.internal", namespace="shop", service="web", instance=instance)
        finisher.finish(ended(plan=None, principal=name.principal("mtls")), 100.5)
    consumer = Principal("shop/ada", consumer="shop/ada", method="api_key")
    finisher.finish(ended(plan=None, listener=EDGE, listener_name="edge", principal=consumer), 100.5)
    finisher.finish(ended(plan=None, listener_name="mesh", principal=consumer), 100.5)
    finisher.finish(ended(plan=None), 100.5)
    finisher.finish(ended(plan=None, listener=EDGE), 100.5)
    finisher.flush()
    by_source: Counter[str] = Counter()
    for (kind, labels), cells in read_counters(tmp_path / "w0").items():
        if kind == CALL:
            by_source[dict(labels)["source"]] += int(cells[0])
    assert by_source == {"shop/web": 2, "edge": 2, "anonymous": 2}


def test_calls_of_callers_that_showed_a_certificate_are_counted_apart(tmp_path: Path) -> None:
    finisher = Finisher(Counters(tmp_path / "w0"), AccessLog("", 0, lambda _: None))
    web, cart = (SpiffeId(trust_domain="mesh.internal", namespace="shop", service=name) for name in ("web", "cart"))
    for principal in (web.principal("mtls"), web.principal("mtls"), cart.principal("service_token"), None):
        finisher.finish(ended(plan=None, principal=principal), 100.5)
    finisher.flush()
    mutual = {
        dict(labels)["source"]: cells[5]
        for (kind, labels), cells in read_counters(tmp_path / "w0").items()
        if kind == CALL
    }
    assert mutual == {"shop/web": 2.0, "shop/cart": 0.0, "anonymous": 0.0}


def test_a_refusal_is_counted_by_the_policy_whose_word_it_is(tmp_path: Path) -> None:
    finisher = Finisher(Counters(tmp_path / "w0"), AccessLog("", 0, lambda _: None))
    for policy, flag in (("RateLimit shop/five", "RL"), ("RateLimit shop/six", "RL"), ("AccessPolicy shop/a", "UAEX")):
        for _ in range(2):
            finisher.finish(ended(plan=None, status=429, flag=flag, policy=policy, tried=()), 100.5)
    finisher.finish(ended(plan=None, status=503, flag="UH", policy="service shop/books", tried=()), 100.5)
    finisher.flush()
    told = {
        (dict(labels)["__name__"], dict(labels)["policy"]): cells[0]
        for (kind, labels), cells in read_counters(tmp_path / "w0").items()
        if kind == PLAIN
    }
    assert told == {
        ("meshway_rate_limited_total", "RateLimit shop/five"): 2.0,
        ("meshway_rate_limited_total", "RateLimit shop/six"): 2.0,
        ("meshway_auth_denied_total", "AccessPolicy shop/a"): 2.0,
    }


def test_durations_and_retries_are_counted_by_instance(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    counters.rule_slot("default/books", "all")
    finisher = Finisher(counters, AccessLog("", 0, lambda _: None))
    for _ in range(10):
        finisher.finish(ended(tried=("b1", "b2"), first_byte=100.25), 100.5)
    finisher.flush()
    found = read_counters(tmp_path / "w0")
    cells = found[(ENDPOINT, (("service", "default/books"), ("instance", "b2")))]
    assert cells[:2] == [10.0, 10.0]
    assert [cells[4] for (kind, _), cells in found.items() if kind == CALL] == [10.0]
    assert 0.23 < quantile(cells[HISTOGRAM:], 0.99) < 0.27


def test_only_what_an_instance_did_counts_as_its_failure(tmp_path: Path) -> None:
    """Not the caller's leaving, nor a connection that the gateway has cut: at a drain's end, or by a certificate."""
    finisher = Finisher(Counters(tmp_path / "w0"), AccessLog("", 0, lambda _: None))
    for instance, status, flag in (
        ("failed", 503, "UF"), ("unreached", 0, "UF"), ("left", 0, "DC"), ("cut", 0, ""), ("void", 0, "UAEX"),
        ("broke_off", 200, "UC"),
    ):  # fmt: skip
        finisher.finish(ended(status=status, flag=flag, plan=None, tried=(instance,)), 100.5)
    finisher.flush()
    failures = {
        dict(labels)["instance"]: cells[2]
        for (kind, labels), cells in read_counters(tmp_path / "w0").items()
        if kind == ENDPOINT
    }
    failed = {instance for instance, count in failures.items() if count}
    assert (len(failures), failed) == (6, {"failed", "unreached", "broke_off"})


def test_calls_of_a_consumer_are_counted_by_its_credential_and_their_outcome_as_well(tmp_path: Path) -> None:
    finisher = Finisher(Counters(tmp_path / "w0"), AccessLog("", 0, lambda _: None))
    keys = [Principal("shop/ada", consumer="shop/ada", method="api_key", key_id=key_id) for key_id in ("one", "two")]
    by_token = Principal("https://id.example#ada", consumer="shop/ada", method="jwt")
    for principal in (*keys, keys[0], by_token, None):
        finisher.finish(ended(plan=None, listener=EDGE, principal=principal), 100.5)
    finisher.finish(ended(plan=None, status=429, flag="RL", policy="RateLimit a/b", principal=keys[0]), 100.5)
    finisher.flush()
    told = {
        tuple(dict(labels)[name] for name in ("consumer", "credential", "status_class", "response_flag")): cells[0]
        for (kind, labels), cells in read_counters(tmp_path / "w0").items()
        if kind == PLAIN and dict(labels)["__name__"] == CONSUMER_CALLS
    }
    assert told == {
        ("shop/ada", "one", "2xx", ""): 2.0,
        ("shop/ada", "two", "2xx", ""): 1.0,
        ("shop/ada", "jwt", "2xx", ""): 1.0,
        ("shop/ada", "one", "4xx", "RL"): 1.0,
    }
