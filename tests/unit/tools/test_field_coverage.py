"""Every field that can be written turns a call somewhere, or stands on a list that may only shrink."""

from pathlib import Path
from typing import Final

from tools.field_coverage import FOR_PEOPLE, PAGE, fields, page, proofs

# Nobody has shown yet what these do to a call at a running gateway. A new field is not added here.
UNPROVED: Final = frozenset(
    [
        "Service.ports",
        "ServicePort.name",
        "ServicePort.port",
        "ServicePort.target_port",
        "ServicePort.protocol",
        "Subset.name",
        "Rule.name",
        "RuleDestination.port",
        "Timeouts.upgraded_idle",
        "Retry.on",
        "Retry.statuses",
        "Retry.backoff",
        "Backoff.base",
        "Backoff.max",
        "Retry.budget",
        "RetryBudget.percent",
        "RetryBudget.min_per_second",
        "Retry.buffer",
        "Retry.same_endpoint",
        "Hedge.max",
        "Cors.allow_methods",
        "Cors.allow_headers",
        "Cors.max_age",
        "FaultDelay.percent",
        "Compression.encodings",
        "Compression.min_size",
        "Target.mesh",
        "LoadBalancer.choices",
        "TrafficPolicy.connection",
        "Connection.connect_timeout",
        "Connection.idle_timeout",
        "Connection.max_requests",
        "TrafficPolicy.retry",
        "Breaker.window",
        "Breaker.open_for",
        "Breaker.open_max",
        "Breaker.half_open_requests",
        "OutlierDetection.enabled",
        "OutlierDetection.consecutive_gateway_failures",
        "OutlierDetection.failure_ratio",
        "FailureRatio.percent",
        "FailureRatio.over_cluster_percent",
        "FailureRatio.minimum_requests",
        "FailureRatio.window",
        "OutlierDetection.base_ejection",
        "OutlierDetection.max_ejection",
        "OutlierDetection.max_ejection_percent",
        "TrafficPolicy.health_check",
        "HealthCheck.type",
        "HealthCheck.path",
        "HealthCheck.port",
        "HealthCheck.host",
        "HealthCheck.service",
        "HealthCheck.expect",
        "HealthCheck.interval",
        "HealthCheck.timeout",
        "HealthCheck.unhealthy_after",
        "HealthCheck.healthy_after",
        "SlidingWindow.segments",
        "SlidingWindow.exact",
        "RateLimit.scope",
        "RateLimit.on_store_failure",
        "LimitResponse.body",
    ]
)


def test_each_field_has_a_test_that_proves_it() -> None:
    missing = set(fields()) - set(proofs()) - FOR_PEOPLE - UNPROVED
    assert missing == set(), "mark the test with @pytest.mark.proves(…)"


def test_what_is_listed_as_unproved_is_a_field_and_has_no_proof() -> None:
    assert UNPROVED - set(fields()) == set()
    assert UNPROVED & set(proofs()) == set(), "take it from the list"


def test_proofs_name_fields_that_are_there() -> None:
    assert set(proofs()) - set(fields()) == set()


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(fields(), proofs()), "run: python -m tools.field_coverage"


def test_marks_and_tables_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_a.py").write_text(
        'CASES = [proved(1, "B.c"), proved(2, "B.d")]\n\n\n@pytest.mark.proves("A.b", "A.c")\ndef test_one(): ...\n'
    )
    assert proofs(folder) == {
        "A.b": ["tests/test_a.py::test_one"],
        "A.c": ["tests/test_a.py::test_one"],
        "B.c": ["tests/test_a.py::test_one"],
        "B.d": ["tests/test_a.py::test_one"],
    }
