"""Bodies as Consul decodes them: names in any case, unknown ones passed over, null is absent."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.compat.consul.durations import parse_go_duration
from registry.compat.consul.refusals import Refusal

MAX_TEXT = 4096


class Fields:
    """One JSON object. what: how errors call it. Methods raise Refusal 400 for a value of another type."""

    __slots__ = ("_values", "_what")

    def __init__(self, value: object, what: str = "") -> None:
        if not isinstance(value, dict):
            raise Refusal(400, f"Request decode failed: {what or 'the body'} is no JSON object")
        self._what = what
        self._values: dict[str, Any] = {
            _plain(key): member for key, member in value.items() if member is not None and isinstance(key, str)
        }

    def get(self, name: str) -> Any:
        """As it came; None: absent. name: as Consul's documentation writes it."""
        return self._values.get(_plain(name))

    def text(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
            raise self._refused(name, "text")
        return value

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._refused(name, "true or false")
        return bool(value)

    def number(self, name: str, default: int) -> int:
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._refused(name, "a whole number")
        return value

    def duration_s(self, name: str) -> float:
        """Seconds; 0 when absent."""
        value = self.get(name)
        if value is None or value == "":
            return 0.0
        try:
            return parse_go_duration(value)
        except ValueError:
            raise self._refused(name, "a duration") from None

    def object(self, name: str) -> Fields | None:
        value = self.get(name)
        return None if value is None else Fields(value, self._path(name))

    def objects(self, name: str) -> list[Fields]:
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._refused(name, "a list")
        return [Fields(member, f"{self._path(name)}[{at}]") for at, member in enumerate(value)]

    def objects_by_name(self, name: str) -> dict[str, Fields]:
        value = self.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._refused(name, "an object")
        return {str(key): Fields(member, f"{self._path(name)}.{key}") for key, member in value.items()}

    def is_empty(self) -> bool:
        return not any(self._values.values())

    def _path(self, name: str) -> str:
        return f"{self._what}.{name}" if self._what else name

    def _refused(self, name: str, expected: str) -> Refusal:
        return Refusal(400, f"Request decode failed: {self._path(name)} must be {expected}")


def read_body(body: bytes) -> Fields:
    """Raises Refusal 400."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"Request decode failed: {error}") from None
    return Fields(value)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
