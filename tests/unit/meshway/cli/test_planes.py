import pytest

from meshway.cli.failure import USAGE, CliError
from meshway.cli.planes import bytes_of


def test_a_size_is_written_with_its_unit() -> None:
    assert bytes_of("--log-memory", "64MiB") == 64 << 20
    with pytest.raises(CliError, match="--log-memory: 'much' is not a size: write bytes, 64KiB or 10MiB") as refused:
        bytes_of("--log-memory", "much")
    assert refused.value.code == USAGE
