"""What one worker holds of one key of a limit that many share."""

from hashlib import blake2b
from math import inf


class Share:
    """Of one key. balance: calls that may be admitted until `until`; below zero: on loan. mark: of the last grant.

    back, back_mark: to be given back. again_at: not to ask before; is_empty: the store had no more. batch: how many to
    ask for, while wants_more: it was used since the last grant. low: to ask again at this balance. left, reset_at: as
    the store said, at told_at. others: calls that others hold, and may yet give back. era: of the desk.
    """

    __slots__ = (
        "again_at", "back", "back_mark", "balance", "batch", "era", "granted_at", "is_asking", "is_empty", "left",
        "low", "mark", "others", "reset_at", "told_at", "until", "wants_more",
    )  # fmt: skip

    def __init__(self, limit: int, era: int, batch: int = 1) -> None:
        self.balance = 0
        self.until = inf
        self.mark = self.back = self.back_mark = self.low = 0
        self.batch = batch
        self.left = float(limit)
        self.others = 0
        self.again_at = self.reset_at = 0.0
        self.granted_at = self.told_at = -inf
        self.is_asking = self.is_empty = self.wants_more = False
        self.era = era

    def put_back(self) -> None:
        """All that is held, into what the next ask gives back."""
        if self.balance > 0:
            if self.back_mark != self.mark:
                self.back, self.back_mark = 0, self.mark
            self.back += self.balance
            self.balance = 0


def digest(key: str) -> str:
    """Keys may be secrets, and long: what leaves the worker is neither."""
    return blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest() if key else ""
