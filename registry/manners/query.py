"""Query strings, conditional reads and pages, the same for all surfaces."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from meshway.model.document import LABEL_PATTERN
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, Problem, invalid_request

MAX_PAGE: Final = 1000
PAGE: Final = 100
_LABEL_RULE: Final = 'lower-case letters, digits and "-", 1 to 63, first and last no "-"'
_MAX_NUMBER: Final = 2**63 - 1
_LABEL: Final = re.compile(LABEL_PATTERN)


def query_of(query: str, known: frozenset[str]) -> dict[str, str]:
    """The parameters. Raises Problem 422 for one that is not known here or is given twice: a typing error in a filter
    would otherwise show everything."""
    if not query:
        return {}
    found: dict[str, str] = {}
    errors: list[FieldError] = []
    for pair in query.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        path = f"query.{name}"
        if name not in known:
            message = f"{path}: no parameter here{did_you_mean(name, sorted(known))}"
            errors.append(FieldError(path=path, code="unknown_field", message=message))
        elif name in found:
            errors.append(FieldError(path=path, code="duplicate", message=f"{path}: is given twice"))
        else:
            found[name] = unquote_plus(value)
    if errors:
        raise invalid_request(errors[0].message, tuple(errors))
    return found


def refuse_bad_names(**names: str) -> None:
    """Segments of a path that must be labels, by what they name. Raises Problem 422 for one that nothing can have: an
    empty answer would hide the typing error."""
    errors = tuple(
        FieldError(path=what, code="bad_name", message=f'{what}: "{name[:100]}" is no name: {_LABEL_RULE}')
        for what, name in names.items()
        if not _LABEL.fullmatch(name)
    )
    if errors:
        raise invalid_request(errors[0].message, errors)


def number_of(
    query: dict[str, str], name: str, default: int | None, *, low: int = 0, high: int = _MAX_NUMBER
) -> int | None:
    """A whole number within bounds. Raises Problem 422."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _refused(name, "wrong_type", f"{text!r} is no whole number")
    if not low <= int(text) <= high:
        raise _refused(name, "out_of_bounds", f"{text} is not within {low} and {high}")
    return int(text)


def time_of(query: dict[str, str], name: str, default: float, *, high: float) -> float:
    """Seconds, 0 to high. Raises Problem 422."""
    text = query.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise _refused(name, "wrong_type", f"{text!r} is no number of seconds") from None
    if not 0 <= value <= high:
        raise _refused(name, "out_of_bounds", f"{text} is not within 0 and {high:g}")
    return value


def flag_of(query: dict[str, str], name: str) -> bool:
    """true or false; the bare name means true. Raises Problem 422."""
    text = query.get(name, "false")
    if text not in ("true", "false", "", "1", "0"):
        raise _refused(name, "wrong_type", f"{text!r} is neither true nor false")
    return text in ("true", "", "1")


def limit_of(query: dict[str, str]) -> int:
    return number_of(query, "limit", PAGE, low=1, high=MAX_PAGE) or PAGE


def next_link(path: str, query: str, cursor: str | None) -> str | None:
    """The value of `Link` (RFC 8288) to the next page."""
    if cursor is None:
        return None
    rest = [pair for pair in query.split("&") if pair and not pair.startswith("cursor=")]
    return f'<{path}?{"&".join([*rest, f"cursor={cursor}"])}>; rel="next"'


def matches(if_none_match: str | None, revision: int) -> bool:
    """RFC 9110 §13.1.2: weak comparison."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or f'"{revision}"' in tags


def revision_of_tag(if_match: str | None) -> int | None:
    """The revision that If-Match asks for: as `"812"`, 812 or r812. None without one; `*` is for the caller to read.

    Raises Problem 400: a condition that is not understood must not be taken for none.
    """
    if if_match is None:
        return None
    tag = if_match.strip().removeprefix("W/").strip('"').removeprefix("r")
    if not (tag.isascii() and tag.isdigit() and len(tag) < 20):
        raise Problem(
            400,
            "bad_request",
            "Bad Request",
            detail=f"If-Match: {if_match!r} is no revision",
            mend='write the ETag of what you read, as in If-Match: "812"',
        )
    return int(tag)


def _refused(name: str, code: str, reason: str) -> Problem:
    message = f"query.{name}: {reason}"
    return invalid_request(message, (FieldError(path=f"query.{name}", code=code, message=message),))
