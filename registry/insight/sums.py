"""Rows added up under other keys, and taken away again; for threads: nothing here waits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.telemetry import add_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshway.telemetry import Key, Row, Rows


def add_all(total: Rows, rows: Iterable[Row], key_of: Callable[[Key], Key | None]) -> None:
    """The rows themselves stay as they are. key_of: None: what is left out."""
    for row in rows:
        key = key_of(row.key)
        if key is None:
            continue
        known = total.get(key)
        if known is None:
            total[key] = row.copied(key)
        else:
            known.add(row)


def take_away(total: Rows, rows: Iterable[Row], key_of: Callable[[Key], Key | None]) -> None:
    """What `add_all` added before, by the same keys; a row of no calls goes."""
    for row in rows:
        key = key_of(row.key)
        if key is None:
            continue
        known = total.get(key)
        if known is None:
            continue
        known.take_away(row)
        if not known.calls:
            del total[key]


def copied(rows: Rows) -> Rows:
    return {key: row.copied(key) for key, row in rows.items()}


def merged(sums: Sequence[Rows]) -> Rows:
    """All of them as one; none of them is changed."""
    if not sums:
        return {}
    largest, *others = sorted(sums, key=len, reverse=True)
    total = copied(largest)
    for rows in others:
        for row in rows.values():
            add_row(total, row)
    return total
