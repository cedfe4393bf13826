"""What the registry has answered survives SIGKILL, and its followers miss nothing across it."""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
from pathlib import Path

import pytest

from tests.parts.conditions import wait_until
from tests.parts.feed_client import FeedClient
from tests.parts.planes import Registry

CLIENTS = 8
A_ROUND = 500  # registrations, before and after its kill


class Client(threading.Thread):
    """Registers one new instance after the other, `most` or until the registry is gone. answered: id to revision."""

    def __init__(self, port: int, service: str, name: str, most: int = 1_000_000) -> None:
        super().__init__(daemon=True)
        self.port, self.service, self.client, self.most = port, service, name, most
        self.answered: dict[str, int] = {}

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        place = f"/v1/namespaces/default/services/{self.service}/instances"
        try:
            for at in range(self.most):
                name = f"{self.client}-{at}"
                connection.request("PUT", f"{place}/{name}", json.dumps({"port": 8000}))
                answer = connection.getresponse()
                body = json.loads(answer.read())
                assert answer.status == 201, body
                self.answered[name] = body["revision"]
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()


def _run(folder: Path, rounds: int) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    registry = Registry(folder)
    try:
        follower = FeedClient(registry.port)
        answered: dict[str, int] = {}
        follower.connect()
        wait_until(lambda: follower.revision is not None, what="first snapshot")
        for number in range(rounds):
            clients = [Client(registry.port, f"s{number}", f"c{at}") for at in range(CLIENTS)]
            for client in clients:
                client.start()
            wait_until(lambda: any(client.answered for client in clients), what="first answer")  # noqa: B023
            enough = chance.randint(1, A_ROUND)
            wait_until(lambda: sum(len(one.answered) for one in clients) >= enough, 30, 0.001)  # noqa: B023
            registry.process.send(signal.SIGKILL)
            registry.process.popen.wait(10)
            for client in clients:
                client.join(15)
                assert not client.is_alive()
                answered |= {f"s{number}/{name}": revision for name, revision in client.answered.items()}
            follower.wait()
            registry.start()
            follower.connect()
            left = max(0, A_ROUND - sum(len(client.answered) for client in clients))
            others = [Client(registry.port, f"s{number}", f"d{at}", -(-left // CLIENTS)) for at in range(CLIENTS)]
            for client in others:
                client.start()
            for client in others:
                client.join(30)
                answered |= {f"s{number}/{name}": revision for name, revision in client.answered.items()}
        head = int(registry.client.get("/v1/health/live").headers["Meshway-Revision"])
        wait_until(lambda: follower.revision == head, what="the follower has caught up")
        listed = {
            f"s{number}/{item['id']}": item["revision"] for number in range(rounds) for item in _all(registry, number)
        }
        assert answered.items() <= listed.items()
        assert follower.resets == []
        assert follower.revisions == list(range(1, head + 1))
        assert set(follower.instances) == set(listed)
        assert len(answered) >= rounds * A_ROUND
        follower.disconnect()
    finally:
        registry.close()


def _all(registry: Registry, number: int) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    query: dict[str, str] = {"limit": "1000"}
    while True:
        page = registry.client.get(f"/v1/namespaces/default/services/s{number}/instances", params=query).json()
        items += page["items"]
        if "next" not in page:
            return items
        query["cursor"] = page["next"]


@pytest.mark.flaky(reruns=0)
def test_no_answered_registration_is_lost_and_each_is_in_the_feed_of_a_follower_that_resumes(tmp_path: Path) -> None:
    _run(tmp_path, rounds=4)


@pytest.mark.soak
def test_the_same_over_twenty_kills(tmp_path: Path) -> None:
    _run(tmp_path, rounds=20)


def test_a_second_registry_on_the_same_folder_is_told_who_holds_it(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    try:
        with pytest.raises(AssertionError) as refused:
            Registry(tmp_path)
        assert f"in use by the registry with pid {registry.process.pid}" in str(refused.value)
    finally:
        registry.close()
