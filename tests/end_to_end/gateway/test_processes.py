"""The gateway's processes under what happens to them; the failure rows about workers, registry and disk."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.feed.last_good import load
from meshway.snapshot import Change
from tests.parts.changes import document, left, running
from tests.parts.conditions import until, until_told
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess, is_alive
from tests.parts.load import Load
from tests.parts.plain_service import PlainService
from tests.parts.processes import ROOT, python

# Without outlier detection: the 500s that calls meet before the check does would eject the instance for longer than
# the test waits for its return.
CHECKED = {
    "health_check": {"type": "http", "path": "/up", "interval": "1s", "timeout": "0.5s", "unhealthy_after": 1},
    "outlier_detection": {"enabled": False},
}


@pytest.fixture
async def books() -> AsyncIterator[PlainService]:
    async with PlainService("books") as service:
        yield service


@pytest.fixture
async def feed(books: PlainService) -> AsyncIterator[Feed]:
    async with Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        yield feed


def get_books(number: int) -> tuple[str, str, bytes]:
    return (
        "GET",
        f"r{number:08d}",
        b"GET / HTTP/1.1\r\nHost: books.default.mesh\r\nx-request-id: r%08d\r\n\r\n" % number,
    )


def load_on(gateway: GatewayProcess, connections: int = 16) -> Load:
    return Load(gateway.settings["mesh_port"], connections, get_books)


async def test_a_call_reaches_the_instance_and_its_log_line_names_it(
    feed: Feed, books: PlainService, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        answer = await gateway.call("books", "/x?secret=1")
        assert (answer.status_code, answer.text) == (200, "books")
        await until(gateway.access_log)
        [line] = gateway.access_log()
        assert (line["instance"], line["service"], line["path"], line["status"]) == ("b1", "default/books", "/x", 200)
        await gateway.wait_for_count("meshway_requests_total", 1)
        await until(lambda: feed.reports)
        assert feed.reports[-1]["node"] == "gw-1"
        await until(lambda: feed.reports[-1]["revision"] == 1)


async def test_a_change_reaches_every_worker_and_is_reported(feed: Feed, books: PlainService, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url) as gateway, PlainService("second") as second:
        feed.commit(running("books", "b2", port=second.port))
        revision = feed.commit(left("books", "b1"))
        await gateway.wait_for_revision(revision)
        for _ in range(8):
            async with httpx.AsyncClient(trust_env=False) as client:  # another connection, maybe another worker
                answer = await client.get(gateway.mesh, headers={"Host": "books.default.mesh"})
                assert answer.text == "second"
        await until(lambda: feed.reports and feed.reports[-1]["revision"] == revision)


async def test_a_document_that_does_not_compile_is_reported_and_shown(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        revision = feed.commit(document("Route", "bad", {"rules": [{"destinations": "nowhere"}]}))
        await gateway.wait_for_revision(revision)
        await until(lambda: feed.reports and feed.reports[-1]["refused"])
        [refusal] = feed.reports[-1]["refused"]
        assert (refusal["kind"], refusal["name"]) == ("Route", "bad")
        assert (await gateway.config())["refused"] == [refusal]
        assert (await gateway.call("books")).status_code == 200
        assert "refused Route default/bad at spec" in gateway.text()
        assert await gateway.metric("meshway_documents_refused") == 1


async def test_more_refusals_than_a_frame_or_a_report_holds_stop_neither(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        spec = {"rules": [], "x" * 2_000: 1}
        feed.commit(*(document("Route", f"bad-{number}", spec) for number in range(1_500)))
        await until(lambda: feed.reports and feed.reports[-1]["revision"] == feed.revision, within_s=20.0)
        assert len(feed.reports[-1]["refused"]) == 500
        assert await gateway.metric("meshway_reports_failed_total") == 0
        assert (await gateway.call("books")).status_code == 200


async def test_what_runs_in_place_of_a_refused_document_outlives_reload_and_restart(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        rule = {"destinations": [{"service": "books"}]}
        feed.commit(document("Route", "r", {"hosts": ["shop.example"], "rules": [rule]}))
        await gateway.wait_for_revision(feed.revision)  # else it may meet the broken one first
        feed.commit(document("RateLimit", "new", {"targets": [{"service": "books"}], "token_bucket": "none"}))
        feed.commit(document("Route", "r", {"rules": "none"}))
        await until(lambda: feed.reports and len(feed.reports[-1]["refused"]) == 2)
        gateway.send(signal.SIGHUP)
        await gateway.wait_for_workers(set(await gateway.worker_pids()), 1)
        assert len((await gateway.config())["refused"]) == 2
        answer = await gateway.client.get(gateway.edge, headers={"Host": "shop.example"})
        assert (answer.status_code, (await gateway.call("books")).status_code) == (200, 200)
        await gateway.stop()
    await feed.stop()
    async with GatewayProcess(tmp_path, feed.url, workers=1) as restarted:
        answer = await restarted.client.get(restarted.edge, headers={"Host": "shop.example"})
        assert (answer.status_code, (await restarted.call("books")).status_code) == (200, 200)
        assert len((await restarted.config())["refused"]) == 2


async def test_at_a_first_start_nothing_passes_by_a_policy_that_does_not_compile(feed: Feed, tmp_path: Path) -> None:
    feed.commit(document("RateLimit", "later", {"targets": [{"service": "books"}], "of_a_later_version": True}))
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        answer = await gateway.call("books")
        assert (answer.status_code, answer.json()["code"]) == (503, "policy_unavailable")
        feed.commit(
            document("RateLimit", "later", {"targets": [{"service": "books"}], "token_bucket": {"rate": "9/s"}})
        )
        await gateway.wait_for_revision(feed.revision)
        assert (await gateway.call("books")).status_code == 200


async def test_a_policy_that_was_mended_once_outlives_its_next_fault_and_a_restart(feed: Feed, tmp_path: Path) -> None:
    def limit(**fields: object) -> Change:
        return document("RateLimit", "later", {"targets": [{"service": "books"}], **fields})

    feed.commit(limit(of_a_later_version=1))
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        assert (await gateway.call("books")).status_code == 503
        await until(lambda: load(gateway.data / "gateway" / "last_good")[0])
        feed.commit(limit(token_bucket={"rate": "1/h", "burst": 1}))
        await gateway.wait_for_revision(feed.revision)
        feed.commit(limit(of_a_later_version=2))
        await until(lambda: feed.reports and feed.reports[-1]["revision"] == feed.revision)
        assert (await gateway.call("books")).status_code == 200
        await gateway.stop()
    await feed.stop()
    async with GatewayProcess(tmp_path, feed.url, workers=1) as restarted:
        assert [(await restarted.call("books")).status_code for _ in range(2)] == [200, 429]


async def test_a_reload_fills_no_bucket(feed: Feed, tmp_path: Path) -> None:
    spec = {"targets": [{"service": "books"}], "token_bucket": {"rate": "1/h", "burst": 3}}
    feed.commit(document("RateLimit", "few", spec))
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        assert [(await gateway.call("books")).status_code for _ in range(4)] == [200, 200, 200, 429]
        before = set(await gateway.worker_pids())
        gateway.send(signal.SIGHUP)
        await gateway.wait_for_workers(before, 1)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(gateway.mesh, headers={"Host": "books.default.mesh"})
        assert answer.status_code == 429


async def test_reloads_under_load_fail_no_call(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, worker={"drain_s": 5.0}) as gateway:
        load = load_on(gateway)
        running_load = asyncio.ensure_future(load.run())  # noqa: TID251 - awaited below
        for _ in range(2):
            before = set(await gateway.worker_pids())
            calls = len(load.calls)
            gateway.send(signal.SIGHUP)
            await gateway.wait_for_workers(before, 2)
            await until(lambda calls=calls: len(load.calls) > calls + 500)  # type: ignore[misc]
        load.stopping.set()
        await running_load
        assert load.failures == []
        assert len(load.calls) > 1000
        # What the replaced workers counted is kept.
        await gateway.wait_for_count("meshway_requests_total", len(load.calls))


@pytest.mark.alone
async def test_a_killed_worker_is_replaced_within_a_second_and_costs_only_its_own_calls(
    feed: Feed, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        load = load_on(gateway)
        running_load = asyncio.ensure_future(load.run())  # noqa: TID251 - awaited below
        for _ in range(3):
            pids = set(await gateway.worker_pids())
            victim = max(pids)
            os.kill(victim, signal.SIGKILL)
            killed_at = asyncio.get_running_loop().time()
            await gateway.wait_for_workers({victim}, 2)
            took_s = asyncio.get_running_loop().time() - killed_at
            assert took_s <= max(1.0, 2 * await _start_s()), f"replaced after {took_s:.2f} s"
            calls = len(load.calls)
            await until(lambda calls=calls: len(load.calls) > calls + 200)  # type: ignore[misc]
        load.stopping.set()
        await running_load
        assert len(load.failures) <= 3 * 16
        assert all("reset" in call.error.lower() or "0 bytes" in call.error for call in load.failures), load.failures
        assert await gateway.metric("meshway_worker_restarts_total") == 3


async def test_a_worker_that_dies_at_its_start_is_tried_later_and_later(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        for _ in range(4):
            [pid] = await gateway.worker_pids()
            os.kill(pid, signal.SIGKILL)
            await gateway.wait_for_workers({pid}, 1)
        loop = asyncio.get_running_loop()
        [pid] = await gateway.worker_pids()
        killed_at = loop.time()
        os.kill(pid, signal.SIGKILL)
        await gateway.wait_for_workers({pid}, 1)
        assert loop.time() - killed_at > 0.8


async def test_without_a_registry_a_restarted_gateway_serves_from_disk(
    feed: Feed, books: PlainService, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url) as first:
        await until(lambda: load(first.data / "gateway" / "last_good")[0])
        revision = feed.commit(running("more", "m1", port=books.port))
        await first.wait_for_revision(revision)

        def is_kept() -> bool:
            found, _ = load(first.data / "gateway" / "last_good")
            return found is not None and found.revision == revision

        await until(is_kept)
        await feed.stop()
        await first.kill()
    async with GatewayProcess(tmp_path, feed.url) as second:
        assert (await second.call("more")).text == "books"
        ready = (await second.client.get(f"{second.admin}/health/ready")).json()
        assert (ready["ready"], ready["revision"], ready["registry"]) == (True, revision, None)
        before = len(feed.asked)
        await feed.start()
        later = feed.commit(running("late", "l1", port=books.port))
        await second.wait_for_revision(later)
        follows = next(target for target in feed.asked[before:] if target.startswith("/v1/feed?"))
        assert follows.endswith(f"since={revision}&epoch=e1")
        assert (await second.call("late")).status_code == 200


async def test_a_damaged_snapshot_is_passed_over_for_the_one_before(feed: Feed, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "gateway" / "last_good"
    async with GatewayProcess(tmp_path, feed.url):
        await until(lambda: load(folder)[0])
    newest = max(folder.glob("*.snapshot"))
    (folder / f"{9:020d}.snapshot").write_bytes(newest.read_bytes()[:-1])
    await feed.stop()
    async with GatewayProcess(tmp_path, feed.url) as second:
        assert (await second.call("books")).status_code == 200
        assert "fails its checksum" in second.text()
        assert (await second.config())["last_good_refused"] == [f"{9:020d}.snapshot: fails its checksum"]


async def test_with_neither_registry_nor_disk_it_answers_503_and_says_what_is_missing(tmp_path: Path) -> None:
    async with Feed() as feed:
        pass
    gateway = GatewayProcess(tmp_path, feed.url, workers=1, mesh_port=_free(), admin_port=_free())
    gateway.launch()
    gateway.mesh = f"http://127.0.0.1:{gateway.settings['mesh_port']}"
    gateway.admin = f"http://127.0.0.1:{gateway.settings['admin_port']}"
    try:
        answer = await _when_connected(gateway)
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "1", "not_ready")
        ready = await gateway.client.get(f"{gateway.admin}/health/ready")
        assert ready.status_code == 503
        assert "no snapshot" in ready.json()["missing"][0]
        assert (await gateway.client.get(f"{gateway.admin}/health/live")).status_code == 200
        assert not gateway.ready_file.exists()
        await feed.start()
        await until(gateway.ready_file.exists)
        assert (await gateway.call("nobody")).status_code == 404
    finally:
        await gateway.stop()
        await feed.stop()


async def test_workers_leave_when_their_supervisor_is_killed_and_another_takes_the_ports(
    feed: Feed, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path, feed.url)
    await gateway.start()
    pids = await gateway.worker_pids()
    await gateway.kill()
    loop = asyncio.get_running_loop()
    killed_at = loop.time()
    await gateway.start()
    most_s = max(5.0, 8 * await _start_s())
    assert loop.time() - killed_at < most_s
    assert (await gateway.call("books")).status_code == 200
    await until(lambda: not any(is_alive(pid) for pid in pids), 6.0)
    assert loop.time() - killed_at < most_s + 1.0
    assert await gateway.stop() == 0


async def test_sigterm_lets_running_calls_end(feed: Feed, books: PlainService, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        release = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await release.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        revision = feed.commit(running("slow", "s1", port=server.sockets[0].getsockname()[1]))
        await gateway.wait_for_revision(revision)
        call = asyncio.ensure_future(gateway.call("slow"))  # noqa: TID251 - awaited below
        await until(lambda: _in_flight(server))
        gateway.send(signal.SIGTERM)
        await _until_refused(gateway)
        release.set()
        answer = await call
        assert (answer.text, answer.headers.get("connection")) == ("slow", "close")
        await until(lambda: not gateway.is_running)
        server.close()


async def test_a_failing_check_takes_an_instance_out_of_every_worker(
    feed: Feed, books: PlainService, tmp_path: Path
) -> None:
    async with PlainService("sick") as sick, GatewayProcess(tmp_path, feed.url) as gateway:
        feed.commit(running("books", "b2", port=sick.port))
        revision = feed.commit(document("TrafficPolicy", "checked", CHECKED))
        await gateway.wait_for_revision(revision)
        await until(lambda: any("/up" in call for call in sick.calls), 3.0)
        sick.status = 500

        async def texts() -> set[str]:
            found = set()
            for _ in range(12):  # connections, since each is one worker's
                async with httpx.AsyncClient(trust_env=False, verify=False) as client:
                    found.add((await client.get(gateway.mesh, headers={"Host": "books.default.mesh"})).text)
            return found

        async def is_left_out() -> bool:
            return await texts() == {"books"}

        async def is_back() -> bool:
            return await texts() == {"books", "sick"}

        await until_told(is_left_out, 5.0)
        before = set(await gateway.worker_pids())
        assert (await gateway.config())["checks_failing"] == {"default/books/b2": "status"}
        gateway.send(signal.SIGHUP)
        await gateway.wait_for_workers(before, 2)
        assert await texts() == {"books"}, "a new worker is told what still holds"
        sick.status = 200
        await until_told(is_back, 5.0)


async def test_a_second_gateway_on_the_same_folder_says_who_holds_it(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as first:
        second = GatewayProcess(tmp_path, feed.url, workers=1)
        second.output = tmp_path / "second.out"
        second.launch()
        await until(lambda: not second.is_running)
        assert "is used by another gateway (pid" in second.text()
        assert first.is_running
        await second.stop()


async def test_reload_is_asked_over_the_socket_in_the_data_folder_only(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        [pid] = await gateway.worker_pids()
        assert (await gateway.client.post(f"{gateway.admin}/reload")).status_code == 404
        transport = httpx.AsyncHTTPTransport(uds=str(gateway.data / "run" / "gateway.sock"))
        async with httpx.AsyncClient(transport=transport) as control:
            assert (await control.post("http://gateway/reload")).status_code == 202
        await gateway.wait_for_workers({pid}, 1)


async def _start_s() -> float:
    """What a process with a worker's code takes to start, on this machine and now."""
    began = asyncio.get_running_loop().time()
    process = await asyncio.create_subprocess_exec(*python("-c", "import gateway.worker.process"), cwd=ROOT)
    assert await process.wait() == 0
    return asyncio.get_running_loop().time() - began


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _when_connected(gateway: GatewayProcess) -> httpx.Response:
    deadline = asyncio.get_running_loop().time() + 10.0
    while True:
        try:
            return await gateway.call("books")
        except httpx.TransportError:
            assert asyncio.get_running_loop().time() < deadline, gateway.text()
            await asyncio.sleep(0.02)


async def _until_refused(gateway: GatewayProcess) -> None:
    while True:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
                await client.get(gateway.mesh, headers={"Host": "books.default.mesh"})
        except httpx.TimeoutException:
            raise
        except httpx.TransportError:
            return


def _in_flight(server: asyncio.Server) -> bool:
    """Somebody is connected to it."""
    return bool(server._active_count)  # type: ignore[attr-defined]
