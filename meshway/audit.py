"""The audit log's rows and their chain; pure, so that whoever reads them can check them without the registry."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Literal

import msgspec

FIRST: Final = b"\x00" * 32
"""What stands before the first row."""


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing somebody did, or tried to.

    seq: from 1 on without a gap. at: seconds since 1970. principal, address: who, and from where. action: the call.
    revision: the one it took, 0: none. detail: JSON, byte for byte as it was hashed. hash: hex.
    """

    seq: int
    at: float
    principal: str
    address: str
    action: str
    outcome: Literal["done", "refused"]
    revision: int
    detail: msgspec.Raw
    hash: str

    def expected(self, previous: bytes) -> bytes:
        """Its hash, behind the hash of the row before."""
        return chained(
            previous,
            (self.seq, self.at, self.principal, self.address, self.action, self.outcome, self.revision),
            bytes(self.detail),
        )


class AuditHead(msgspec.Struct, frozen=True, kw_only=True):
    """The last row, as the registry keeps it beside the rows, and tells it in its feed; or the last that was forgotten
    at its age."""

    seq: int
    hash: str


REGISTRY: Final = "registry"
RETENTION: Final = "retention"
"""Who forgets rows, and the action by which it does."""
NOTHING_FORGOTTEN: Final = AuditHead(seq=0, hash=FIRST.hex())


def chained(previous: bytes, members: tuple[int, float, str, str, str, str, int], detail: bytes) -> bytes:
    """SHA-256 over the hash before and the row, as msgpack. members: seq to revision, in the order of AuditRow."""
    return sha256(previous + msgspec.msgpack.encode((*members, detail))).digest()


class _Change(msgspec.Struct):
    """Of a row that tells of rows that were forgotten: `1-N`, and the hash of row N."""

    audit: str = ""
    hash: str = ""


class _Detail(msgspec.Struct):
    changes: list[_Change] = []


def forgotten(last: int, digest: str) -> dict[str, str]:
    """What the registry writes into the log before it forgets the rows up to this one. digest: hex."""
    return {"op": "forget", "audit": f"1-{last}", "hash": digest}


def _told_by(row: AuditRow) -> AuditHead | None:
    """Up to where a row of the registry's own says that the log was forgotten; None: it is no such row."""
    if (row.principal, row.action) != (REGISTRY, RETENTION):
        return None
    try:
        change = msgspec.json.decode(row.detail, type=_Detail).changes[0]
        return AuditHead(seq=int(change.audit.rpartition("-")[2]), hash=change.hash)
    except (msgspec.DecodeError, IndexError, ValueError):
        return None


def fault_of(rows: Iterable[AuditRow], head: AuditHead, cut: AuditHead = NOTHING_FORGOTTEN) -> str | None:
    """What is wrong with a whole log, from its first row on, in words for people; None: nothing.

    cut: what was forgotten before that row. A row that stayed must tell of it.
    """
    seq, previous = cut.seq, bytes.fromhex(cut.hash)
    is_told = not cut.seq
    for row in rows:
        if row.seq != seq + 1:
            return f"row {seq + 1} is missing, or stands elsewhere: {row.seq} follows {seq}"
        seq, expected = row.seq, row.expected(previous)
        if row.hash != expected.hex():
            return f"row {seq} was changed, or the one before it"
        previous = expected
        told = _told_by(row)
        if told is not None and (told.seq > cut.seq or told == cut):
            is_told = True
    if seq < head.seq:
        return f"rows {seq + 1} to {head.seq} are missing at the end"
    if seq > head.seq:
        return f"row {head.seq + 1} was added past the end"
    if not is_told:
        return f"rows 1 to {cut.seq} are missing, and no row tells that they were forgotten at their age"
    if previous.hex() != head.hash and seq:
        return f"row {seq} is another than the one the registry remembers"
    return None
