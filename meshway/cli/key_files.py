"""Files of keys that commands are told of."""

from pathlib import Path

from meshway.cli.failure import FAILED, INVALID, CliError


def key_of(file: Path, *, makes: bool) -> bytes:
    """makes: one is drawn where there is no such file."""
    from meshway.sealing import KeyFileRefused, make_key_file, read_key_file

    try:
        if makes:
            make_key_file(file)
        return read_key_file(file)
    except KeyFileRefused as refused:
        raise CliError(INVALID, str(refused)) from refused
    except OSError as error:
        raise CliError(FAILED, f"cannot write the key file {file}: {error.strerror}") from error
