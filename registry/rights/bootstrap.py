"""How the first admin signs in: by the text of a file, until there is one.

The file is made at the first start where it is missing, for its owner alone. From the first token of an admin on it is
refused for good, also when that token is revoked later, and while there is a user who is one; the last one cannot go.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from typing import TYPE_CHECKING, Final

from meshway.identity import Principal
from meshway.settings import SettingError, read_secret
from registry.rights.caller import Caller
from registry.rights.token import digest_of, scope_of
from registry.settings import StartRefused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from registry.store.interface import TokenRecord

FILE_NAME: Final = "bootstrap.token"
_MIN_LENGTH: Final = 32
_log = logging.getLogger("meshway.registry")


class Bootstrap:
    """caller: who it makes of its bearer."""

    __slots__ = ("_digest", "caller")

    def __init__(self, text: str) -> None:
        self._digest = digest_of(text)
        self.caller = Caller(Principal("bootstrap", method="token"), is_admin=True)

    def is_its_own(self, text: str, tokens: Iterable[TokenRecord], *, has_admin_user: bool) -> bool:
        """tokens: all there are. Compared in a time that tells nothing."""
        return hmac.compare_digest(self._digest, digest_of(text)) and not (has_admin_user or had_admin(tokens))


def had_admin(tokens: Iterable[TokenRecord]) -> bool:
    """Whether there ever was a token of an admin."""
    return any(scope_of(record).is_admin for record in tokens)


def first_admin(tokens: Iterable[TokenRecord]) -> str:
    """The id of the oldest token of an admin, by which it is known that there was one; empty: there was none."""
    return min(((one.created_at, one.id) for one in tokens if scope_of(one).is_admin), default=(0.0, ""))[1]


def read_bootstrap(path: Path, tokens: Iterable[TokenRecord], *, is_told: bool = True) -> Bootstrap | None:
    """None when it has done its work. is_told: in the log, what to do with it. Raises StartRefused for a text that
    could be guessed."""
    if had_admin(tokens):
        return None
    try:
        _make(path)
        text = read_secret(path)
    except (OSError, SettingError) as error:
        _log.warning(
            "nobody can sign in yet, and %s cannot be used: %s. Name a file: MESHWAY_BOOTSTRAP_TOKEN_FILE", path, error
        )
        return None
    if len(text) < _MIN_LENGTH:
        raise StartRefused(f"{path} holds fewer than {_MIN_LENGTH} characters: write a longer secret, or remove it")
    if is_told:
        _log.info("nobody can sign in yet; make the first tokens: meshway token bootstrap DIR --token-file %s", path)
    return Bootstrap(text)


def _make(path: Path) -> None:
    """Unless it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(made, "w") as opened:
        opened.write(secrets.token_urlsafe(32) + "\n")
