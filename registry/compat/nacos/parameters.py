"""What Nacos's clients send: parameters in the query and in a form body, all of them text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from meshway.problem import Problem
from registry.compat.bookkeeping import is_kept

if TYPE_CHECKING:
    from registry.machine.request import Request

_MAX_WEIGHT: Final = 10_000.0
_MAX_FIELDS: Final = 200

Parameters = dict[str, str]


def parameters_of(request: Request) -> Parameters:
    """Of query and form; the first of a name counts. Raises Problem 400."""
    pairs = _pairs(request.query)
    if request.body and "json" not in (request.field(b"content-type") or ""):
        try:
            pairs += _pairs(request.body.decode())
        except UnicodeDecodeError:
            raise refused("the body is no form") from None
    return dict(reversed(pairs))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise refused(f"more than {_MAX_FIELDS} parameters") from None


def refused(detail: str, status: int = 400) -> Problem:
    return Problem(status, "bad_request", "Bad Request", detail=detail)


def required(parameters: Parameters, name: str) -> str:
    value = parameters.get(name, "").strip()
    if not value:
        raise refused(f"Param '{name}' is required.")
    return value


def flag(parameters: Parameters, *names: str, default: bool) -> bool:
    """The first of these names that is given."""
    for name in names:
        if text := parameters.get(name, "").strip().lower():
            if text in ("true", "1", "yes", "on", "y"):
                return True
            if text in ("false", "0", "no", "off", "n"):
                return False
            raise refused(f"Param '{name}' is neither true nor false: {text[:100]!r}")
    return default


def whole(parameters: Parameters, name: str, default: int | None = None) -> int:
    text = parameters.get(name, "").strip()
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise refused(f"Param '{name}' is no whole number: {text[:100]!r}")
    return int(text)


def weight_of(text: str) -> float:
    """Nacos's bounds. Raises Problem 400."""
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= _MAX_WEIGHT:
        raise refused(f"instance format invalid: the weight {text[:100]!r} is not within 0 and {_MAX_WEIGHT:g}")
    return weight


def metadata_of(text: str) -> dict[str, str]:
    """A JSON map, or Nacos's older `a=1,b=2`. Raises Problem 400."""
    text = text.strip()
    if not text:
        return {}
    if text.startswith("{"):
        try:
            return plain_metadata(msgspec.json.decode(text.encode()))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise refused("metadata format incorrect: it is no JSON") from None
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise refused(f"metadata format incorrect: {text[:100]!r}")
    return plain_metadata({key.strip(): value for key, _, value in pairs})


def plain_metadata(raw: object) -> dict[str, str]:
    """Metadata that a client may write; numbers and truths as their text. Raises Problem 400."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise refused("metadata format incorrect: it is no map")
    metadata: dict[str, str] = {}
    for key, value in raw.items():
        if is_kept(key):
            raise refused(f"metadata {key[:100]!r}: this name is kept for the registry")
        if isinstance(value, bool):
            metadata[key] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            metadata[key] = str(value)
        elif value is not None:
            raise refused(f"metadata {key[:100]!r} is no text")
    return metadata
