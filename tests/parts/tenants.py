"""Clients that live their lives on a registry, and note every call: asked, answered, with which revision.

A call that gets no answer, or a 503, goes to the next registry until it is answered or its time is over.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.parts.history import Read, Renewal, Write

_TRY_S = 1.5
_CALL_S = 30.0
_RENEW_S = 1.0
# What one client leaves to run out at a time: more of all of them at once, and self-preservation would hold it.
_MOST_LEFT = 3


class Answer(NamedTuple):
    """asked_s: of the try that was answered. revision: the head, or the call's own."""

    status: int
    revision: int
    body: Any
    asked_s: float
    answered_s: float
    tries: int


class Caller:
    """One connection at a time, to one registry until it fails."""

    def __init__(self, next_port: Callable[[], int]) -> None:
        self._next_port = next_port
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object, within_s: float = _CALL_S, **headers: str) -> Answer | None:
        """None: nobody answered in time; whether it was done is not known."""
        end_s, tries = time.monotonic() + within_s, 0
        content = None if body is None else json.dumps(body)
        while time.monotonic() < end_s:
            tries += 1
            asked_s = time.monotonic()
            try:
                connection = self._connection = self._connection or self._connect()
                connection.request(method, path, content, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                self.hang_up()
                time.sleep(0.02)
                continue
            if answer.status == 503:
                self.hang_up()
                time.sleep(0.1)
                continue
            assert answer.status < 500, text
            revision = int(answer.headers["Meshway-Revision"])
            body = json.loads(text) if text else None
            return Answer(answer.status, revision, body, asked_s, time.monotonic(), tries)
        return None

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._next_port(), timeout=_TRY_S)


class Stage:
    """What all tenants may do now. abandons: leave instances to run out. acts: anything but renew."""

    def __init__(self) -> None:
        self.abandons = self.acts = True
        self.is_over = threading.Event()


class Client(threading.Thread):
    """fault: what ended it too early, with its place."""

    def __init__(self, next_port: Callable[[], int], stage: Stage, *, ttl_s: int) -> None:
        super().__init__(daemon=True)
        self.writes: list[Write] = []
        self.renewals: list[Renewal] = []
        self.fault: str | None = None
        self._caller = Caller(next_port)
        self._stage = stage
        self._ttl_s = ttl_s

    def run(self) -> None:
        try:
            self._live()
        except BaseException:
            self.fault = traceback.format_exc()
        finally:
            self._caller.hang_up()

    def _live(self) -> None:
        """Until the stage is over."""
        raise NotImplementedError

    def _heartbeat(self, by_lease: dict[str, str]) -> list[str]:
        """Renews and notes it; the keys that must register again. by_lease: lease id to key."""
        begun_s = time.monotonic()
        answer = self._caller.call("POST", "/v1/heartbeats", {"leases": list(by_lease)}, within_s=2 * _TRY_S)
        if answer is None:
            self.renewals += [Renewal(key, begun_s, None, False, 0, self._ttl_s) for key in by_lease.values()]
            return []
        lost = {*answer.body.get("unknown", ()), *answer.body.get("superseded", ())}
        for lease, key in by_lease.items():
            self._note_renewal(key, answer, is_renewed=lease not in lost)
        return [by_lease[lease] for lease in lost]

    def _note_renewal(self, key: str, answer: Answer, *, is_renewed: bool) -> None:
        self.renewals.append(Renewal(key, answer.asked_s, answer.answered_s, is_renewed, answer.revision, self._ttl_s))


class Tenant(Client):
    """Registers, renews, patches, deregisters and abandons instances of one service, and reads them with `since`.

    Between calls it waits up to pause_s. It keeps `most` instances; what it abandons is left to run out.
    """

    def __init__(
        self,
        name: str,
        next_port: Callable[[], int],
        stage: Stage,
        *,
        seed: int,
        ttl_s: int,
        most: int = 20,
        pause_s: float = 0.05,
    ) -> None:
        super().__init__(next_port, stage, ttl_s=ttl_s)
        self.tenant = name
        self.reads: list[Read] = []
        self._chance = random.Random(seed)
        self._most = most
        self._pause_s = pause_s
        self._leases: dict[str, str] = {}  # key to lease id
        self._left: list[str] = []
        self._place = f"/v1/namespaces/default/services/{name}/instances"
        self._numbers = 0
        self._known = 0
        self._renew_at_s = time.monotonic()

    def _live(self) -> None:
        while not self._stage.is_over.is_set():
            if time.monotonic() >= self._renew_at_s:
                self._renew_at_s = time.monotonic() + _RENEW_S
                self._renew()
            elif self._stage.acts:
                self._act()
            self._stage.is_over.wait(self._chance.random() * self._pause_s)

    def _act(self) -> None:
        choice = self._chance.random()
        if not self._leases or (choice < 0.3 and len(self._leases) < self._most):
            self._numbers += 1
            self._register(f"{self.tenant}/i{self._numbers}")
            return
        key = self._chance.choice(list(self._leases))
        if choice < 0.6:
            self._patch(key)
        elif choice < 0.75:
            self._deregister(key)
        elif choice < 0.77:
            if self._stage.abandons:
                self._abandon(key)
        else:
            self._read()

    def _register(self, key: str) -> None:
        begun_s = time.monotonic()
        answer = self._caller.call("PUT", self._path(key), {"port": 8000, "ttl_s": self._ttl_s})
        self._note_write(key, begun_s, answer, (200, 201))
        if answer is not None and answer.status in (200, 201):
            self._leases[key] = answer.body["lease_id"]
            self._note_renewal(key, answer, is_renewed=True)

    def _patch(self, key: str) -> None:
        begun_s, self._numbers = time.monotonic(), self._numbers + 1
        answer = self._caller.call("PATCH", self._path(key), {"metadata": {"n": str(self._numbers)}})
        self._note_write(key, begun_s, answer, (200,))

    def _deregister(self, key: str) -> None:
        del self._leases[key]
        begun_s = time.monotonic()
        answer = self._caller.call("DELETE", self._path(key), None)
        self._note_write(key, begun_s, answer, (204,), takes=True)

    def _abandon(self, key: str) -> None:
        if len(self._left) == _MOST_LEFT:
            answer = self._caller.call("GET", self._path(self._left[0]), None, within_s=2 * _TRY_S)
            if answer is not None and (answer.status == 404 or answer.body["status"] == "critical"):
                del self._left[0]
        else:
            self._left.append(key)
            del self._leases[key]

    def _renew(self) -> None:
        if not self._leases:
            return
        for key in self._heartbeat({lease: key for key, lease in self._leases.items()}):
            self._register(key)

    def _read(self) -> None:
        since = self._known
        path = f"{self._place}?since={since}&wait_s=0.1"
        answer = self._caller.call("GET", path, None, within_s=2 * _TRY_S)
        if answer is not None:
            self.reads.append(Read(self.tenant, since, answer.revision))
            self._known = max(self._known, answer.revision)

    def _path(self, key: str) -> str:
        return f"{self._place}/{key.partition('/')[2]}"

    def _note_write(
        self, key: str, begun_s: float, answer: Answer | None, good: tuple[int, ...], *, takes: bool = False
    ) -> None:
        """What was repeated may have been done by a try without an answer: its revision is not known to be its own."""
        if answer is None:
            self.writes.append(Write(key, begun_s, None, None, takes, doubtful=True))
            return
        assert answer.status in good, (key, answer)
        revision = answer.revision if answer.tries == 1 else None
        self.writes.append(Write(key, begun_s, answer.answered_s, revision, takes, doubtful=answer.tries > 1))
        self._known = max(self._known, answer.revision)


class Fleet(Client):
    """Many instances that only live, so that those which run out are few among them (self-preservation)."""

    def __init__(self, size: int, next_port: Callable[[], int], stage: Stage, *, ttl_s: int) -> None:
        super().__init__(next_port, stage, ttl_s=ttl_s)
        self._leases: dict[str, str] = {}  # key to lease id
        self._register([f"fleet/i{at}" for at in range(size)])

    def _live(self) -> None:
        while not self._stage.is_over.wait(_RENEW_S):
            lost = self._heartbeat({lease: key for key, lease in self._leases.items()})
            if lost:
                self._register(lost)

    def _register(self, keys: list[str]) -> None:
        rows = [
            {"namespace": "default", "service": "fleet", "id": key.partition("/")[2], "port": 9000,
             "ttl_s": self._ttl_s}
            for key in keys
        ]  # fmt: skip
        begun_s = time.monotonic()
        answer = self._caller.call("POST", "/v1/registrations", {"instances": rows})
        assert answer is not None
        assert answer.status == 200, answer
        self._leases.update(zip(keys, (row["lease_id"] for row in answer.body["instances"]), strict=True))
        self.writes += [Write(key, begun_s, answer.answered_s, None, doubtful=answer.tries > 1) for key in keys]
        for key in keys:
            self._note_renewal(key, answer, is_renewed=True)
