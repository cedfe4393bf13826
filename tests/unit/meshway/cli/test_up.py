"""What `up` decides before it starts anything."""

from pathlib import Path

import pytest

from meshway.cli.failure import INVALID, CliError
from meshway.cli.up import UpSettings, refuse_open_bind, url_of


def settings(bind: str, *, insecure: bool = False) -> UpSettings:
    return UpSettings(
        data=Path("d"), registry_port=0, edge_port=0, mesh_port=0, admin_port=0, dns_port="0", bind=bind, workers=1,
        insecure=insecure, ready_file=None, open_page=False, quiet=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8500"),
        ("0.0.0.0", "http://127.0.0.1:8500"),
        ("::", "http://[::1]:8500"),
        ("::1", "http://[::1]:8500"),
        ("mesh.example", "http://mesh.example:8500"),
    ],
)
def test_the_url_is_one_that_can_be_called_from_here(bind: str, url: str) -> None:
    assert url_of(bind, 8500) == url


def test_others_reach_it_only_when_that_is_meant() -> None:
    with pytest.raises(CliError) as refused:
        refuse_open_bind(settings("0.0.0.0"))
    assert refused.value.code == INVALID
    refuse_open_bind(settings("0.0.0.0", insecure=True))
