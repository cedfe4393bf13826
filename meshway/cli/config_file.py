"""The file of a person's contexts: which registry and namespace commands speak of when nothing else says so.

`~/.config/meshway/config.yaml`, or where MESHWAY_CONFIG points; for its owner alone.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from meshway.cli.failure import INVALID, NOT_FOUND, CliError

VARIABLE: Final = "MESHWAY_CONFIG"
DEFAULT_NAME: Final = "config.yaml"
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$(?!\n)"
NO_CONTEXT: Final = "none"
_MAX_TEXT: Final = 1 << 20


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """url: of the registry; token_file: holds what signs in there. What is empty is left to the next in line."""

    name: Annotated[str, Meta(pattern=_NAME)]
    url: str = ""
    namespace: str = ""
    token_file: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """current: the context that holds when none is named; empty: none does."""

    current: str = ""
    contexts: tuple[Context, ...] = ()

    def context(self, name: str) -> Context:
        """Raises CliError 4 with the nearest name there is."""
        from meshway.model.nearest import did_you_mean

        found = next((one for one in self.contexts if one.name == name), None)
        if found is None:
            known = did_you_mean(name, [one.name for one in self.contexts])
            raise CliError(
                NOT_FOUND,
                f"there is no context {name!r} in {config_path()}{known}",
                mend=f"meshway context set {name} --url URL makes it",
            )
        return found

    def with_context(self, context: Context) -> "Config":
        """In the place of the one of its name, else behind the others; the first one is the current one."""
        others = [one for one in self.contexts if one.name != context.name]
        at = next((at for at, one in enumerate(self.contexts) if one.name == context.name), len(others))
        return Config(current=self.current or context.name, contexts=(*others[:at], context, *others[at:]))

    def without(self, name: str) -> "Config":
        left = tuple(one for one in self.contexts if one.name != name)
        return Config(current="" if self.current == name else self.current, contexts=left)


def config_path() -> Path:
    if written := os.environ.get(VARIABLE):
        return Path(written).expanduser()
    import platformdirs

    return platformdirs.user_config_path("meshway") / DEFAULT_NAME


def read_config() -> Config:
    """Empty where there is no file. Raises CliError 6 for one that says something else, with all that is wrong."""
    path = config_path()
    try:
        with path.open("rb") as opened:
            data = opened.read(_MAX_TEXT)
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise CliError(NOT_FOUND, f"cannot read {path}: {error.strerror}") from error
    from meshway.formats.yaml_documents import read_documents
    from meshway.model.fields import read_struct
    from meshway.problem import Problem

    try:
        documents = read_documents(data.decode(), str(path))
    except (Problem, UnicodeDecodeError) as error:
        raise CliError(
            INVALID, f"{path} is no YAML", why=str(error), mend=f"mend it, or move it away: {path}"
        ) from error
    if not documents:
        return Config()
    config, errors = read_struct(documents[0].raw, Config, "")
    if config is None:
        located = documents[0].locate(
            msgspec.structs.replace(error, path=error.path.lstrip("."), message=error.message.lstrip("."))
            for error in errors
        )
        raise CliError(
            INVALID,
            f"{len(located)} error{'s' * (len(located) != 1)} in {path}",
            details=tuple(f"{path}:{error.line}:{error.column}: {error.message}" for error in located),
        )
    found: Config = config
    return found


def chosen(name: str) -> Context:
    """The named context, else the current one, else one that says nothing."""
    config = read_config()
    wanted = name or config.current
    return config.context(wanted) if wanted else Context(name=NO_CONTEXT)


def write_config(config: Config) -> None:
    """Whole or not at all, readable by its owner alone."""
    from meshway.cli.output import yaml_stream

    path = config_path()
    new: Path | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".config-", delete=False) as opened:
            new = Path(opened.name)
            opened.write(yaml_stream([msgspec.to_builtins(config)]))
        new.replace(path)  # made for its owner alone
    except OSError as error:
        if new is not None:
            new.unlink(missing_ok=True)
        raise CliError(NOT_FOUND, f"cannot write {path}: {error.strerror}") from error
