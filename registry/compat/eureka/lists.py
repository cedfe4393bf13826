"""The large documents, all applications and what changed: made once a revision for all, a few rows at a time."""

from __future__ import annotations

import asyncio
import gzip
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from registry.compat.eureka.info import NAMESPACE, app_of, info_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.compat.eureka.changes import Changes
    from registry.compat.eureka.forms import Form
    from registry.view.rows import InstanceRow
    from registry.view.view import View

SLICE: Final = 50
"""Rows encoded before others have their turn."""
GZIP_FROM: Final = 1024
"""Bytes below which packing does not pay."""
_THREAD_FROM: Final = 64 << 10
_LEVEL: Final = 1

_Stamp = tuple[str, int, int]
_Kind = tuple[bool, bytes, bool]
_Parts = dict[str, list[bytes]]


class Made(NamedTuple):
    """stamp: the state it shows."""

    stamp: _Stamp
    body: bytes
    is_packed: bool


class Lists:
    def __init__(self, view: View, changes: Changes) -> None:
        self._view = view
        self._changes = changes
        self._made: dict[_Kind, Made] = {}
        self._turns: defaultdict[_Kind, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def document(self, form: Form, *, is_delta: bool, packed: bool) -> Made:
        """At least as young as the call. Those who ask while one is made share the next."""
        kind = (is_delta, form.content_type, packed)
        asked = self._stamp(is_delta)
        async with self._turns[kind]:
            made = self._made.get(kind)
            if made is None or made.stamp[0] != asked[0] or made.stamp[1:] < asked[1:]:
                made = self._made[kind] = await self._make(form, is_delta=is_delta, packed=packed)
            return made

    async def _make(self, form: Form, *, is_delta: bool, packed: bool) -> Made:
        stamp, hashcode = self._stamp(is_delta), self._changes.hashcode
        rows: Iterable[tuple[InstanceRow, str | None]] = self._changes.latest() if is_delta else self._whole()
        body = await _document(form, rows, stamp[1], hashcode)
        if not packed or len(body) < GZIP_FROM:
            return Made(stamp, body, is_packed=False)
        if len(body) < _THREAD_FROM:
            return Made(stamp, gzip.compress(body, _LEVEL), is_packed=True)
        return Made(stamp, await asyncio.to_thread(gzip.compress, body, _LEVEL), is_packed=True)

    def _whole(self) -> list[tuple[InstanceRow, None]]:
        return [
            (row, None)
            for (namespace, _), service in self._view.services.items()
            if namespace == NAMESPACE
            for row in service.values()
        ]

    def _stamp(self, is_delta: bool) -> _Stamp:
        view = self._view
        if is_delta:
            self._changes.forget_old()
        return (view.epoch, view.revision_of(NAMESPACE), self._changes.forgotten if is_delta else 0)


def short_document(form: Form, rows: Iterable[InstanceRow], version: int, hashcode: str) -> bytes:
    """All of them at once."""
    parts: _Parts = {}
    for row in rows:
        parts.setdefault(app_of(row.instance), []).append(form.instance(info_of(row)))
    return form.applications_document(version, hashcode, sorted(parts.items()))


async def _document(form: Form, rows: Iterable[tuple[InstanceRow, str | None]], version: int, hashcode: str) -> bytes:
    parts: _Parts = {}
    for at, (row, action) in enumerate(rows, 1):
        if not at % SLICE:
            await asyncio.sleep(0)
        parts.setdefault(app_of(row.instance), []).append(form.instance(info_of(row, action)))
    return form.applications_document(version, hashcode, sorted(parts.items()))
