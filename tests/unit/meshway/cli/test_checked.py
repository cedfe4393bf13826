import pytest

from meshway.cli.checked import read_check
from meshway.cli.failure import USAGE, CliError


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("tcp", {"type": "tcp"}),
        ("http", {"type": "http"}),
        ("http:/healthz?deep=1", {"type": "http", "path": "/healthz?deep=1"}),
        ("grpc", {"type": "grpc"}),
        ("grpc:shop.v1.Reviews", {"type": "grpc", "service": "shop.v1.Reviews"}),
    ],
)
def test_a_check_is_its_type_and_what_to_ask(text: str, check: dict[str, str]) -> None:
    assert read_check(text) == check


@pytest.mark.parametrize("text", ["", "icmp", "http:", "tcp:80", "grpc:", "HTTP", "/healthz"])
def test_what_is_no_check_is_told_with_what_there_is(text: str) -> None:
    with pytest.raises(CliError) as refused:
        read_check(text)
    assert refused.value.code == USAGE
    assert refused.value.mend == "tcp, http, http:/PATH, grpc or grpc:SERVICE"
