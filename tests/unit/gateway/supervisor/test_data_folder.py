from pathlib import Path

import pytest

from gateway.supervisor.data_folder import can_be_taken_over, held_folder
from gateway.supervisor.offer import SOCKET
from meshway.problem import Problem


@pytest.mark.parametrize("hands_over", [True, False])
def test_who_finds_a_folder_held_is_told_of_taking_over_where_its_gateway_lets_it(
    hands_over: bool, tmp_path: Path
) -> None:
    assert not can_be_taken_over(tmp_path)
    with held_folder(tmp_path):
        if hands_over:
            (tmp_path / "run" / SOCKET).touch()
        with pytest.raises(Problem, match="is used by another gateway") as refused, held_folder(tmp_path):
            pass
        assert can_be_taken_over(tmp_path) == hands_over
    assert ("--take-over" in (refused.value.mend or "")) == hands_over
    assert not can_be_taken_over(tmp_path), "nobody holds it any more"
