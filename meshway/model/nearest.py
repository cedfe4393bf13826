"""The name somebody probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when nothing is close. Case, `-` and `_` do not count as distance."""
    known = {_plain(choice): choice for choice in choices}
    if found := get_close_matches(_plain(name), list(known), n=1, cutoff=0.6):
        return known[found[0]]
    return None


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """` (did you mean x?)`, or the choices when nothing is close, ready to end a message."""
    choices = list(choices)
    if found := nearest(name, choices):
        return f" (did you mean {found}?)"
    return f" (known: {', '.join(choices)})" if choices else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
