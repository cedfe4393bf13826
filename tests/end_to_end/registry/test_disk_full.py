"""A disk that is full: writes are refused in words, reads and heartbeats go on, and nothing answered is lost."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import httpx

from tests.parts.command import meshway
from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.postgres import running_postgres

ROWS = 50
SPARE_BYTES = 256 << 10
WHOLE = {"status": "ready", "missing": []}


def test_a_full_disk_refuses_writes_and_serves_on_and_writes_again_when_there_is_room(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    try:
        lease = _register(registry, "first").json()["instances"][0]["lease_id"]
        largest = max(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        before = resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE, (largest + SPARE_BYTES, before[1]))
        answered, refused = ["first"], None
        for number in range(200):
            refused = _register(registry, f"s{number}")
            if refused.status_code != 200:
                break
            answered.append(f"s{number}")
        assert refused is not None
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert refused.headers["Retry-After"]
        assert int(refused.headers["Meshway-Revision"]) == len(answered)
        assert registry.client.get("/v1/revisions").status_code == 200, "a read that works is no sign that writes do"
        ready = registry.client.get("/v1/health/ready")
        assert (ready.status_code, ready.json()["status"], ready.json()["missing"]) == (200, "degraded", ["store"])
        assert "does not take writes" in ready.json()["reason"]
        checked = meshway("check", "--registry", registry.url).out
        assert f"✗ registry {registry.url} serves without its store, writes are refused: " in checked
        assert "mend: start the database, or make room on its disk" in checked
        assert registry.client.post("/v1/heartbeats", json={"leases": [lease]}).json()["renewed"] == 1
        assert _ids(registry, "first") == ROWS
        resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE, before)
        end = time.monotonic() + 5
        while (again := _register(registry, "again")).status_code != 200:
            assert time.monotonic() < end, again.text
        assert registry.client.get("/v1/health/ready").json() == WHOLE
        registry.process.popen.kill()
        registry.process.popen.wait(10)
        registry.start()
        assert all(_ids(registry, service) == ROWS for service in [*answered, "again"])
    finally:
        registry.close()


def test_a_full_disk_of_the_database_is_told_until_a_write_is_taken_again(tmp_path: Path) -> None:
    with running_postgres(wal_segment_mb=1) as server:
        registry = Registry(tmp_path, "--database-url", server.new_database(), "--dns-port", "off")
        try:
            lease = _register(registry, "first").json()["instances"][0]["lease_id"]
            server.fill_disk(SPARE_BYTES)
            answered = ["first"]
            while (answer := _register(registry, f"s{len(answered)}")).status_code == 200:
                answered.append(f"s{len(answered)}")
                assert len(answered) < 200, "the disk is not full"
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            # The head is read once a second, which works: that is no sign that writes do.
            for end in (time.monotonic() + at / 4 for at in range(1, 13)):
                ready = registry.client.get("/v1/health/ready")
                assert (ready.status_code, ready.json()["missing"]) == (200, ["store"]), ready.text
                assert "does not take writes" in ready.json()["reason"]
                time.sleep(max(0.0, end - time.monotonic()))
            assert registry.client.post("/v1/heartbeats", json={"leases": [lease]}).json()["renewed"] == 1
            assert _ids(registry, "first") == ROWS
            server.free_disk()
            wait_until(lambda: registry.client.get("/v1/health/ready").json() == WHOLE, 5, what="ready, without a call")
            assert _register(registry, "again").status_code == 200
            assert [_ids(registry, service) for service in [*answered, "again"]] == [ROWS] * (len(answered) + 1)
        finally:
            registry.close()


def _register(registry: Registry, service: str) -> httpx.Response:
    rows = [
        {"namespace": "default", "service": service, "id": f"i{at}", "port": 9000, "metadata": {"k": "v" * 500}}
        for at in range(ROWS)
    ]
    return registry.client.post("/v1/registrations", json={"instances": rows})


def _ids(registry: Registry, service: str) -> int:
    found = registry.client.get(f"/v1/namespaces/default/services/{service}/instances", params={"limit": "1000"})
    return len(found.json()["items"])
