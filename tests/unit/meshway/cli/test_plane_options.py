import pytest

from meshway.cli.failure import USAGE, CliError
from meshway.cli.plane_options import bytes_of, networks_of


def test_a_size_is_written_with_its_unit() -> None:
    assert bytes_of("--log-memory", "64MiB") == 64 << 20
    with pytest.raises(CliError, match="--log-memory: 'much' is not a size: write bytes, 64KiB or 10MiB") as refused:
        bytes_of("--log-memory", "much")
    assert refused.value.code == USAGE


def test_networks_are_written_with_commas() -> None:
    assert networks_of("--trusted-proxies", "10.0.0.0/8, fd00::/8 192.0.2.7") == (
        "10.0.0.0/8",
        "fd00::/8",
        "192.0.2.7/32",
    )
    assert networks_of("--trusted-proxies", "") == ()
    with pytest.raises(CliError, match="--trusted-proxies: 'proxy' does not appear to be") as refused:
        networks_of("--trusted-proxies", "proxy")
    assert refused.value.code == USAGE
