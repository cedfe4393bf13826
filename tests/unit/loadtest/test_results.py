from pathlib import Path

import pytest

from loadtest import results


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(results, "RESULTS", path)
    return path


def test_each_bench_leaves_the_others_section_as_it_is(page: Path) -> None:
    results.write_gateway("# Results\n\n### bare get\n\nfirst\n")
    results.write_registry("ours\n\n### Figures to reach\n\n| a |")
    assert (
        page.read_text()
        == "# Results\n\n### bare get\n\nfirst\n\n## The registry\n\nours\n\n### Figures to reach\n\n| a |\n"
    )
    results.write_gateway("# Results\n\n### bare get\n\nsecond\n")
    results.write_registry("ours again")
    assert page.read_text() == "# Results\n\n### bare get\n\nsecond\n\n## The registry\n\nours again\n"


def test_a_page_may_begin_with_the_registry(page: Path) -> None:
    results.write_registry("ours")
    results.write_gateway("# Results\n\ngateway")
    assert page.read_text() == "# Results\n\ngateway\n\n## The registry\n\nours\n"
