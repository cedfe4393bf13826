"""What the console keeps for a person: one JSON object, which nobody else reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.problem import Problem, invalid_request
from registry.revisions.draft import OfPeople
from registry.rights.records import PREFERENCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.view.view import View

MAX_BYTES: Final = 16 << 10
KEPT_S: Final = 400 * 86_400.0
_encode: Final = msgspec.json.Encoder().encode


class Preferences:
    """wall: seconds since 1970."""

    def __init__(self, view: View, revisions: Revisions, wall: Callable[[], float]) -> None:
        self._view = view
        self._revisions = revisions
        self._wall = wall

    def of(self, principal: str) -> Any:
        record = self._view.people.get(PREFERENCES, {}).get(principal)
        return {} if record is None or record.value is None else msgspec.json.decode(record.value)

    async def put(self, principal: str, value: object) -> None:
        """Kept for 400 days. Raises Problem 413, 422."""
        if not isinstance(value, Mapping):
            raise invalid_request("preferences are a JSON object")
        encoded = _encode(value)
        if len(encoded) > MAX_BYTES:
            raise Problem(413, "too_large", "Content Too Large", detail=f"preferences have more than {MAX_BYTES} bytes")
        await self._revisions.submit(_Prefer(principal, encoded, self._wall() + KEPT_S))


class _Prefer(msgspec.Struct, OfPeople, frozen=True):
    principal: str
    value: bytes
    until: float

    @property
    def size(self) -> int:
        return len(self.value)

    def judge(self, draft: Draft) -> None:
        draft.put_person(PREFERENCES, self.principal, self.value, self.until)
