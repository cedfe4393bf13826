"""The token that a sign-in got, kept beside the contexts for its owner alone: commands of the context sign in by it."""

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from meshway.cli.config_file import DEFAULT_NAME, Context, config_path, read_config, write_config
from meshway.cli.failure import CONFLICT, NOT_FOUND, CliError
from meshway.cli.session import Session

FIRST: Final = "default"


def context_to_keep(session: Session) -> Context:
    """The session's, else a new one. Raises CliError where it speaks of another registry: what signs in here is nothing
    to send there."""
    name = session.context or FIRST
    known = next((one for one in read_config().contexts if one.name == name), Context(name=name))
    if known.url and known.url.rstrip("/") != session.registry:
        raise CliError(
            CONFLICT,
            f"context {name} speaks of {known.url}, not of {session.registry}",
            mend=f"meshway context set NAME --url {session.registry}, then meshway login --context NAME",
        )
    return msgspec.structs.replace(known, url=session.registry, token_file=str(token_path(name)))


def keep_token(context: Context, token: str) -> None:
    """Raises CliError."""
    file = Path(context.token_file)
    try:
        _write(file, token)
    except OSError as error:
        raise CliError(NOT_FOUND, f"cannot write {file}: {error.strerror}") from error
    write_config(read_config().with_context(context))


def token_path(context: str) -> Path:
    """Beside the file of contexts, and apart from those of another such file (`MESHWAY_CONFIG`) in the same folder."""
    config = config_path().absolute()
    return config.parent / (f"{context}.token" if config.name == DEFAULT_NAME else f"{config.stem}.{context}.token")


def _write(file: Path, token: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    drawn = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(drawn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(token + "\n")
        drawn.replace(file)
    except BaseException:
        drawn.unlink(missing_ok=True)
        raise
