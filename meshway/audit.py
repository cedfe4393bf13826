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
    """The last row, as the registry keeps it beside the rows, and tells it in its feed."""

    seq: int
    hash: str


def chained(previous: bytes, members: tuple[int, float, str, str, str, str, int], detail: bytes) -> bytes:
    """SHA-256 over the hash before and the row, as msgpack. members: seq to revision, in the order of AuditRow."""
    return sha256(previous + msgspec.msgpack.encode((*members, detail))).digest()


def fault_of(rows: Iterable[AuditRow], head: AuditHead) -> str | None:
    """What is wrong with a whole log, from its first row on, in words for people; None: nothing."""
    seq, previous = 0, FIRST
    for row in rows:
        if row.seq != seq + 1:
            return f"row {seq + 1} is missing, or stands elsewhere: {row.seq} follows {seq}"
        seq, expected = row.seq, row.expected(previous)
        if row.hash != expected.hex():
            return f"row {seq} was changed, or the one before it"
        previous = expected
    if seq < head.seq:
        return f"rows {seq + 1} to {head.seq} are missing at the end"
    if seq > head.seq:
        return f"row {head.seq + 1} was added past the end"
    if previous.hex() != head.hash and seq:
        return f"row {seq} is another than the one the registry remembers"
    return None
