"""Whoever changes, takes out, adds or moves a row of the audit log is found out."""

import random
import secrets
from collections.abc import Callable

import msgspec
import pytest

from meshway.audit import FIRST, REGISTRY, RETENTION, AuditHead, AuditRow, chained, fault_of, forgotten

Rows = list[AuditRow]


def made(count: int) -> Rows:
    rows, previous = [], FIRST
    for seq in range(1, count + 1):
        members = (seq, 1.5 * seq, "token:ci", "10.0.0.1", "PUT /v1/x", "done", seq)
        detail = b'{"changes": [ ]}'
        previous = chained(previous, members, detail)
        rows.append(
            AuditRow(
                seq=seq,
                at=1.5 * seq,
                principal="token:ci",
                address="10.0.0.1",
                action="PUT /v1/x",
                outcome="done",
                revision=seq,
                detail=msgspec.Raw(detail),
                hash=previous.hex(),
            )
        )
    return rows


def head_of(rows: Rows) -> AuditHead:
    return AuditHead(seq=len(rows), hash=rows[-1].hash) if rows else AuditHead(seq=0, hash=FIRST.hex())


def rechained(rows: Rows) -> Rows:
    """As somebody would who knows how hashes are made."""
    previous, again = FIRST, []
    for row in rows:
        previous = row.expected(previous)
        again.append(msgspec.structs.replace(row, hash=previous.hex()))
    return again


def test_a_log_that_nobody_touched_has_no_fault() -> None:
    assert fault_of([], head_of([])) is None
    assert fault_of(made(5), head_of(made(5))) is None
    sent = msgspec.json.decode(msgspec.json.encode(made(5)), type=list[AuditRow])
    assert fault_of(sent, head_of(sent)) is None, "over the wire the details are the same bytes"


CHANGES: dict[str, Callable[[Rows, int], Rows]] = {
    "deleted": lambda rows, at: rows[:at] + rows[at + 1 :],
    "truncated": lambda rows, at: rows[:at],
    "doubled": lambda rows, at: rows[: at + 1] + rows[at:],
    "moved": lambda rows, at: rows[:at] + rows[at : at + 2][::-1] + rows[at + 2 :],
    "emptied": lambda rows, _: [],
    "appended": lambda rows, _: [*rows, msgspec.structs.replace(rows[-1], seq=len(rows) + 1)],
}
FIELDS = {
    "at": 0.0,
    "principal": "token:eve",
    "address": "10.0.0.2",
    "action": "DELETE /v1/x",
    "outcome": "refused",
    "revision": 0,
    "detail": msgspec.Raw(b"{}"),
    "hash": "00" * 32,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_done_to_the_rows_is_found(change: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rows = made(9)
    at = random.Random(seed).randrange(8)
    changed = CHANGES[change](rows, at)
    assert fault_of(changed, head_of(rows)) is not None
    renumbered = [msgspec.structs.replace(row, seq=seq + 1) for seq, row in enumerate(changed)]
    assert fault_of(renumbered, head_of(rows)) is not None
    if change != "doubled" or at != 8:
        assert fault_of(rechained(renumbered), head_of(rows)) is not None, "also with hashes made anew"


@pytest.mark.parametrize("field", FIELDS)
def test_a_change_of_any_field_is_found(field: str) -> None:
    for at in (0, 4, 8):
        rows = made(9)
        rows[at] = msgspec.structs.replace(rows[at], **{field: FIELDS[field]})
        assert fault_of(rows, head_of(made(9))) is not None
        if field != "hash":
            assert fault_of(rechained(rows), head_of(made(9))) is not None


def with_forgotten(rows: Rows, last: int, *, principal: str = REGISTRY, digest: str = "") -> tuple[Rows, AuditHead]:
    """The rows above `last` and one more that tells of those below; and what stood before."""
    detail = msgspec.json.encode({"changes": [forgotten(last, digest or rows[last - 1].hash)]})
    members = (len(rows) + 1, 99.0, principal, "", RETENTION, "done", 0)
    told = AuditRow(
        seq=members[0], at=99.0, principal=principal, address="", action=RETENTION, outcome="done", revision=0,
        detail=msgspec.Raw(detail), hash=chained(bytes.fromhex(rows[-1].hash), members, detail).hex(),
    )  # fmt: skip
    return [*rows[last:], told], AuditHead(seq=last, hash=rows[last - 1].hash)


def test_rows_that_were_forgotten_at_their_age_are_missed_by_nobody() -> None:
    rows, cut = with_forgotten(made(9), 4)
    head = AuditHead(seq=10, hash=rows[-1].hash)
    assert fault_of(rows, head, cut) is None
    # While the rows that were announced go, step by step.
    partly, _ = with_forgotten(made(9), 4)
    partly = [*made(9)[2:4], *partly]
    assert fault_of(partly, head, AuditHead(seq=2, hash=made(9)[1].hash)) is None


def test_rows_that_are_gone_without_a_word_in_the_log_are_missed() -> None:
    rows = made(9)
    head = head_of(rows)
    cut = AuditHead(seq=4, hash=rows[3].hash)
    assert fault_of(rows[4:], head, cut) == (
        "rows 1 to 4 are missing, and no row tells that they were forgotten at their age"
    )
    for principal, digest in (("token:eve", ""), (REGISTRY, "00" * 32)):
        told, at = with_forgotten(rows, 4, principal=principal, digest=digest)
        assert fault_of(told, AuditHead(seq=10, hash=told[-1].hash), at) is not None
    told, at = with_forgotten(rows, 4)
    late = AuditHead(seq=10, hash=told[-1].hash)
    assert fault_of(told[2:], late, AuditHead(seq=6, hash=rows[5].hash)) is not None, "more than was told is gone"
    assert fault_of(told, late, AuditHead(seq=4, hash=rows[2].hash)) is not None, "other rows stood before"
    assert fault_of(told[1:], late, at) is not None
