"""Status codes as people read them."""

import pytest

from meshway.model.statuses import folded


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        ((), "none"),
        ((503,), "503"),
        ((503, 502), "502, 503"),
        ((504, 502, 503), "502-504"),
        (tuple(range(500, 600)), "5xx"),
        ((429, *range(500, 600), 404), "404, 429, 5xx"),
        ((499, 500, 501), "499, 500, 501"),
        (tuple(range(400, 600)), "4xx, 5xx"),
        ((409, *range(501, 600)), "409, 501-599"),
    ],
)
def test_whole_classes_and_runs_are_told_as_such(statuses: tuple[int, ...], text: str) -> None:
    assert folded(statuses) == text
