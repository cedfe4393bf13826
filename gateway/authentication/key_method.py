"""API keys as a method: `mw_ID_SECRET`, found by the id and compared by their SHA-256, in constant time."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.consumer_ring import NEVER, ConsumerRing, Found
from gateway.secret_ring import ReadSecret
from meshway.identity import Principal
from meshway.model.instant import parse_instant

KEY: Final = re.compile(rb"mw_([A-Za-z0-9_-]{8})_[A-Za-z0-9_-]{43}\Z")
_UNKNOWN: Final = Fault("the API key is not known here", is_unknown=True)
_EXPIRED: Final = Fault("the API key has expired")


class ListedKey(NamedTuple):
    """Of a Secret. consumer: its name, "" = none."""

    digest: bytes
    until: float
    consumer: str


def read_listed(data: Any) -> Mapping[str, ListedKey]:
    """By id. data: of a Secret of type api_key_set."""
    return {
        entry["id"]: ListedKey(
            bytes.fromhex(entry["hash"].removeprefix("sha256:")),
            parse_instant(entry["expires"]) if "expires" in entry else NEVER,
            entry.get("consumer", ""),
        )
        for entry in data
    }


class KeyMethod:
    """namespace, policy: of the Authentication (`Authentication shop/partners`). listed: None: it names no Secret.

    now: monotonic seconds; wall: seconds since 1970.
    """

    challenge = b"ApiKey"

    def __init__(
        self,
        namespace: str,
        policy: str,
        consumers: ConsumerRing,
        listed: ReadSecret[Mapping[str, ListedKey]] | None,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._namespace, self._policy = namespace, policy
        self._consumers, self._listed = consumers, listed
        self._now, self._wall = now, wall

    def judge(self, credential: bytes) -> Proof | Fault:
        shaped = KEY.match(credential)
        if shaped is None:
            return Fault("the API key is none: it is mw_, an id, and a secret", is_unknown=True)
        key_id, digest, wall_s = shaped[1].decode(), hashlib.sha256(credential).digest(), self._wall()
        known = self._consumers.by_key(self._namespace, key_id)
        if known is not None and hmac.compare_digest(known.digest, digest):
            return self._proof(key_id, known.until, known.consumer, wall_s)
        for keys, version_until in () if self._listed is None else self._listed.accepted(wall_s):
            listed = keys.get(key_id)
            if listed is not None and hmac.compare_digest(listed.digest, digest):
                found = self._consumers.by_name(self._namespace, listed.consumer) if listed.consumer else None
                if listed.consumer and found is None:
                    return Fault("the API key is of a Consumer that is not there")
                return self._proof(key_id, min(listed.until, version_until), found, wall_s)
        return _UNKNOWN

    def forget(self) -> None:
        if self._listed is not None:
            self._listed.forget()

    def _proof(self, key_id: str, until: float, consumer: Found | None, wall_s: float) -> Proof | Fault:
        if until <= wall_s:
            return _EXPIRED
        principal = Principal(
            name=f"key:{key_id}" if consumer is None else consumer.name,
            consumer="" if consumer is None else consumer.name,
            groups=frozenset() if consumer is None else consumer.groups,
            method="api_key",
            policy=self._policy,
            key_id=key_id,
        )
        return Proof(principal, b"", self._now() + min(REMEMBERED_S, until - wall_s))
