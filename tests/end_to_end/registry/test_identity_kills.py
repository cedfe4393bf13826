"""The registry is killed while programs enrol: nobody loses his token, and nobody gets two certificates for it."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from meshway.client.credential import Key
from meshway.model.trust_bundle import TrustBundle
from tests.parts.planes import Registry

PROGRAMS = 12
KILLS = 3


class Program(threading.Thread):
    """Asks with one request until it has its certificate, and for the next ones as soon as it has."""

    def __init__(self, registry: Registry, subject: str) -> None:
        super().__init__(daemon=True)
        self.registry = registry
        self.subject = subject
        made = registry.client.post("/v1/identity/enrolments", json={"subject": subject}).json()
        self.key = Key()
        self.request = {"token": made["token"], "csr": self.key.signing_request()}
        self.serials: set[str] = set()
        self.refused: list[str] = []
        self.lost = 0
        self.is_leaving = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.registry.url, timeout=10.0, trust_env=False) as client:
            while not self.is_leaving.wait(0.01):
                try:
                    answer = client.post("/v1/identity/enrol", json=self.request)
                except httpx.TransportError:
                    self.lost += 1
                    continue
                if answer.status_code == 201:
                    self.serials.add(answer.json()["serial"])
                elif answer.status_code != 503:
                    self.refused.append(answer.text)


@pytest.mark.soak
def test_kills_cost_no_token_and_double_no_certificate(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    registry = Registry(tmp_path)
    try:
        registry.client.post("/v1/identity/authority", json={}).raise_for_status()
        programs = [Program(registry, f"shop/s{at}") for at in range(PROGRAMS)]
        for at, program in enumerate(programs):
            program.start()
            if at % (PROGRAMS // KILLS) == 1:
                time.sleep(chance.uniform(0.0, 0.03))  # somewhere within what it does for these
                registry.restart(signal.SIGKILL)
        end = time.monotonic() + 30
        while not all(program.serials for program in programs):
            assert time.monotonic() < end, [program.refused for program in programs]
            time.sleep(0.05)
        for program in programs:
            program.is_leaving.set()
            program.join(15)
        rows = registry.client.get("/v1/identity/certificates?limit=1000").json()["items"]
    finally:
        registry.close()
    assert sum(program.lost for program in programs) > 0, "no kill met anybody"
    assert [program.refused for program in programs if program.refused] == []
    assert all(len(program.serials) == 1 for program in programs)
    assert sorted(row["serial"] for row in rows) == sorted(serial for each in programs for serial in each.serials)


def test_a_revocation_that_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    try:
        registry.client.post("/v1/identity/authority", json={}).raise_for_status()
        program = Program(registry, "shop/books")
        registry.client.post("/v1/identity/enrol", json=program.request).raise_for_status()
        revoked = registry.client.post("/v1/identity/revocations", json={"subject": "shop/books"}).json()
        registry.restart(signal.SIGKILL)
        assert registry.client.post("/v1/identity/enrol", json=program.request).status_code == 401
        entry = registry.client.get(f"/v1/revisions/{revoked['revision']}").json()["documents"]
        assert [one["kind"] for one in entry] == [TrustBundle.__name__]
    finally:
        registry.close()
