"""An endpoint is judged by its own results, and a failing dependency ejects nobody."""

from gateway.upstream.cluster_settings import OutlierSettings
from gateway.upstream.outlier import Outlier

SETTINGS = OutlierSettings(
    consecutive_gateway_failures=5,
    consecutive_5xx=0,
    ratio_percent=50.0,
    over_cluster_percent=20.0,
    minimum_requests=20,
    window_s=10.0,
    base_ejection_s=10.0,
    max_ejection_s=300.0,
    max_ejection_percent=50.0,
)


def test_five_gateway_failures_in_a_row_are_too_many() -> None:
    outlier = Outlier(SETTINGS)
    record = outlier.record()
    assert [outlier.failed(record, True, 100.0) for _ in range(5)] == [False] * 4 + [True]


def test_a_good_answer_or_an_answer_of_the_application_breaks_the_row() -> None:
    outlier = Outlier(SETTINGS)
    record = outlier.record()
    for _ in range(4):
        outlier.failed(record, True, 100.0)
    outlier.succeeded(record, 100.0)
    assert not any(outlier.failed(record, True, 100.0) for _ in range(4))
    outlier.failed(record, False, 100.0)
    assert not outlier.failed(record, True, 100.0)


def test_the_ratio_rule_needs_enough_calls_and_distance_from_the_cluster() -> None:
    outlier = Outlier(SETTINGS)
    bad, good = outlier.record(), outlier.record()
    for _ in range(60):
        outlier.succeeded(good, 100.0)
    verdicts = [outlier.failed(bad, False, 100.0) for _ in range(20)]
    assert verdicts == [False] * 19 + [True]


def test_when_all_fail_alike_nobody_is_an_outlier() -> None:
    outlier = Outlier(SETTINGS)
    records = [outlier.record() for _ in range(3)]
    verdicts = [outlier.failed(record, False, 100.0) for _ in range(100) for record in records]
    assert not any(verdicts)


def test_ejections_double_up_to_the_most_and_are_forgiven_by_clean_time() -> None:
    outlier = Outlier(SETTINGS)
    record = outlier.record()
    spans, now = [], 100.0
    for _ in range(7):
        spans.append(outlier.ejection_s(record, now))
        now += spans[-1]
        record.clear(now)
    assert spans == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert outlier.ejection_s(record, now + 4 * 300.0) == 80.0


def test_a_share_of_endpoints_is_rounded_down() -> None:
    outlier = Outlier(SETTINGS)
    assert [outlier.most_ejected(count) for count in (1, 2, 3, 4)] == [0, 1, 1, 2]
