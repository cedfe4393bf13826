import pytest

from gateway.telemetry.call_plan import has_failed


@pytest.mark.parametrize(
    ("status", "flag", "failed"),
    [
        (200, "", False),
        (404, "", False),
        (500, "", True),
        (503, "UO", True),
        (429, "RL", False),
        (0, "UF", True),
        (0, "UF,URX", True),
        (0, "SI", True),
        (0, "DC", False),
        (0, "DPE", False),
        (0, "", False),
        (200, "UC", True),
        (101, "UPE", True),
        (200, "SI", False),
        (200, "DT", False),
        (200, "UO", False),
        (200, "DC", False),
    ],
)
def test_what_had_no_answer_or_a_broken_one_has_failed_but_by_its_callers_doing_or_a_limit(
    status: int, flag: str, failed: bool
) -> None:
    """UO with an answer: the breaker's fallback gave it. SI and DT with one: it ended as documents say."""
    assert has_failed(status, flag) == failed
