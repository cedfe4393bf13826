"""Settings from the environment: one way to read a variable, and one way to say what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


class SettingError(ValueError):
    """A variable holds what nobody can use. The message names the variable and the mend."""


def variable(name: str, default: str, environ: Mapping[str, str] | None = None) -> str:
    """The variable's value without surrounding blanks; an empty one counts as absent."""
    value = (os.environ if environ is None else environ).get(name, "").strip()
    return value or default


def http_url(name: str, default: str, environ: Mapping[str, str] | None = None) -> str:
    """An `http://` or `https://` URL without a trailing slash. Raises SettingError."""
    value = variable(name, default, environ)
    if not is_http_url(value):
        raise SettingError(f"{name}={value!r} is not a URL: write http://HOST:PORT")
    return value.rstrip("/")


def is_http_url(text: str) -> bool:
    """With a scheme, a host, and a port that is one."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def read_secret(path: Path) -> str:
    """The text of a secret file without its line end. Raises SettingError, which never holds the secret."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read the token file {path}: {type(error).__name__}") from error
