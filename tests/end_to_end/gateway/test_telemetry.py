"""What a running gateway tells: the metrics the guide names, the access log, and what a full disk costs."""

import re
import resource
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families

from gateway.hot_path import hot_path
from tests.parts.changes import document, running
from tests.parts.conditions import until, until_told
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService
from tests.parts.ports import free_port
from tests.parts.processes import ROOT
from tests.parts.secrets import api_key, kept

# What the registry tells, and no gateway but for two.
OF_THE_REGISTRY = set(re.findall(r"\b(meshway_[a-z_]+)", (ROOT / "registry/api/metrics.py").read_text()))
OF_BOTH = {"meshway_documents_refused", "meshway_feed_lag_revisions"}
# Told once there was a datagram, a WebSocket, a call of gRPC or a connection that may not stay: there is none here.
OF_OTHER_PROTOCOLS = set(
    re.findall(
        r"\bmeshway_(?:connections_revoked|grpc|udp|upgraded|websocket)_[a-z_]+",
        (ROOT / "gateway/telemetry/prometheus.py").read_text(),
    )
)
CHECKED = {"health_check": {"type": "http", "path": "/up", "interval": "1s", "timeout": "0.5s", "unhealthy_after": 1}}


@pytest.fixture
async def books() -> AsyncIterator[PlainService]:
    async with PlainService("books") as service:
        yield service


@pytest.fixture
async def feed(books: PlainService) -> AsyncIterator[Feed]:
    async with Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        yield feed


def documented() -> set[str]:
    page = (ROOT / "docs/guide/observability.md").read_text()
    return set(re.findall(r"`((?:meshway|http_server)_[a-z_]+)`", page)) - (OF_THE_REGISTRY - OF_BOTH)


async def metrics(gateway: GatewayProcess) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    text = (await gateway.client.get(f"{gateway.admin}/metrics")).text
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def total(found: dict[str, dict[tuple[tuple[str, str], ...], float]], name: str) -> float:
    return sum(found[name].values())


async def test_every_metric_of_the_guide_is_told_and_says_the_truth(
    feed: Feed, books: PlainService, tmp_path: Path
) -> None:
    async with PlainService("sick") as sick, GatewayProcess(tmp_path, feed.url) as gateway:
        sick.status = 502
        feed.commit(running("books", "b2", port=sick.port))
        feed.commit(document("Route", "bad", {"rules": [{"destinations": "nowhere"}]}))
        feed.commit(running("dead", "d1", port=free_port()))
        audited = {"token_bucket": {"rate": "1/h", "burst": 2}, "mode": "audit", "targets": [{"service": "dead"}]}
        feed.commit(document("RateLimit", "audited", audited))
        feed.commit(running("spent", "s1", port=books.port))
        spent = {"token_bucket": {"rate": "1/h", "burst": 2}, "targets": [{"service": "spent"}]}
        feed.commit(document("RateLimit", "spent", spent))
        feed.commit(running("shut", "s1", port=books.port))
        feed.commit(document("AccessPolicy", "shut", {"targets": [{"service": "shut"}], "default": "deny"}))
        feed.commit(running("keyed", "k1", port=books.port))
        key = api_key("acme0001")
        feed.commit(document("Consumer", "acme", {"credentials": [{"api_key": kept(key)}]}))
        asks = {"targets": [{"service": "keyed"}], "methods": [{"api_key": {}}]}
        feed.commit(document("Authentication", "keyed", asks))
        retried = {"retry": {"statuses": [502]}, "outlier_detection": {"base_ejection": "60s"}}
        await gateway.wait_for_revision(feed.commit(document("TrafficPolicy", "retried", retried)))
        for _ in range(40):
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.post(gateway.mesh, headers={"Host": "books.default.mesh"}, content=b"12345")
                await client.get(gateway.mesh, headers={"Host": "books.default.mesh"})
        for _ in range(4):
            assert (await gateway.call("dead")).status_code == 502
        assert 429 in [(await gateway.call("spent")).status_code for _ in range(3)]
        assert (await gateway.call("shut")).status_code == 403
        shown = {"Host": "keyed.default.mesh", "X-API-Key": key}
        assert (await gateway.client.get(gateway.mesh, headers=shown)).status_code == 200
        revision = feed.commit(document("TrafficPolicy", "checked", CHECKED))
        await gateway.wait_for_revision(revision)
        awaited = {"meshway_check_failing", "meshway_rate_limit_would_refuse_total", "meshway_upstream_connections"}
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}

        async def are_told() -> bool:
            nonlocal found
            found = await metrics(gateway)
            return awaited <= found.keys()

        await until_told(are_told, 30.0)
        asked = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        answer = await gateway.client.get(f"{gateway.admin}/metrics", headers=asked)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        read: Callable[[str], Iterator[Metric]] = open_parser.text_string_to_metric_families
        assert {each.name for each in read(answer.text)} >= {"meshway_requests", "meshway_rate_limited"}
        names = {re.sub("_(bucket|sum|count)$", "", name) for name in found}
        awaited = documented() - OF_OTHER_PROTOCOLS
        assert awaited <= names, awaited - names
        assert total(found, "meshway_requests_total") == 89
        assert total(found, "meshway_request_bytes_total") == 200
        assert total(found, "http_server_request_duration_seconds_count") == 89
        assert 0.0 < total(found, "http_server_request_duration_seconds_sum") < 20.0
        limited = total(found, "meshway_rate_limited_total")
        assert 1 <= limited <= 2
        assert total(found, "meshway_auth_denied_total") == 1
        assert total(found, "meshway_series_beyond_limit_total") == 0
        assert total(found, "meshway_upstream_requests_total") == 88 - limited
        assert total(found, "meshway_upstream_request_duration_seconds_count") == 84 - limited
        assert total(found, "meshway_upstream_retries_total") >= 1
        assert total(found, "meshway_documents_refused") == 1
        assert total(found, "meshway_snapshot_revision") == revision
        assert total(found, "meshway_feed_lag_revisions") == 0
        assert total(found, "meshway_workers") == 2
        ((build, _),) = found["meshway_build_info"].items()
        assert dict(build)["hot_path"] == hot_path().word
        assert found["meshway_upstream_connect_failures_total"].keys() == {
            (("instance", "d1"), ("service", "default/dead"))
        }
        assert total(found, "meshway_upstream_connect_failures_total") >= 4
        assert 1 <= total(found, "meshway_rate_limit_would_refuse_total") <= 3, "each worker has a share of one token"
        assert total(found, "meshway_check_failing") >= 1
        assert total(found, "meshway_outlier_ejected") == 1
        assert total(found, "meshway_access_log_dropped_total") == 0
        for labels, count in found["http_server_request_duration_seconds_count"].items():
            buckets = [
                value
                for row, value in found["http_server_request_duration_seconds_bucket"].items()
                if set(labels) <= set(row)
            ]
            assert sorted(buckets) == buckets
            assert buckets[-1] == count


async def test_the_access_log_goes_on_in_a_new_file_after_sighup(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"drain_s": 30.0}) as gateway:
        log = gateway.data / "log" / "access.jsonl"
        await gateway.call("books", "/before")
        await until(gateway.access_log)
        moved = log.rename(log.with_suffix(".1"))
        gateway.send(signal.SIGHUP)
        await until(log.exists)
        # The old connection's worker drains; it, too, writes to the new file.
        await gateway.call("books", "/after")
        await until(lambda: [line["path"] for line in gateway.access_log()] == ["/after"])
        assert "/after" not in moved.read_text()


async def test_a_full_disk_costs_log_lines_and_copies_but_no_call(
    feed: Feed, books: PlainService, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        await gateway.call("books")
        assert gateway.process is not None
        [worker] = await gateway.worker_pids()
        await until(lambda: list((gateway.data / "gateway" / "last_good").glob("*.snapshot")))
        await until(gateway.access_log)  # the line of this call is not to be one that is lost
        for pid in (gateway.process.popen.pid, worker):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        revision = feed.commit(running("more", "m1", port=books.port))
        await gateway.wait_for_revision(revision)
        for _ in range(5):
            assert (await gateway.call("more")).text == "books"
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}

        async def told() -> bool:
            nonlocal found
            found = await metrics(gateway)
            return bool(total(found, "meshway_last_good_failures_total"))

        await until_told(told, 30.0)
        assert total(found, "meshway_access_log_dropped_total") == 5
        assert await gateway.worker_pids() == [worker]
