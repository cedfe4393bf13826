from pathlib import Path

import pytest

from loadtest.micro import insight


async def test_it_tells_what_taking_rolling_and_telling_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(insight, "MINUTES", 0.4)
    await insight.measure(1, 0.02, tmp_path)
    told = capsys.readouterr().out
    assert "take " in told
    assert "roll up " in told
    assert "map of 15 min, first" in told
