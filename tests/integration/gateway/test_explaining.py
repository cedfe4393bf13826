"""What is told of a call before it is made, by a registry and a gateway that run, and what became of it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.command import Ended, meshway
from tests.parts.conditions import until
from tests.parts.gateway_process import GatewayProcess
from tests.parts.ports import free_port, is_taken
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.upstream import RecordingUpstream

DOCUMENTS = """
apiVersion: meshway/v1
kind: Service
metadata: {name: books}
spec: {subsets: [{name: v1, match: {version: v1}}, {name: v2, match: {version: v2}}]}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: shop}
spec:
  hosts: [shop.example]
  rules:
    - name: testers
      match: [{headers: {end-user: jason}}]
      destinations: [{service: books, subset: v2}]
    - name: old
      match: [{path: {prefix: /old}}]
      redirect: {path: {full: /}}
    - name: all
      request_headers: {set: {x-shop: "1"}}
      destinations: [{service: books, subset: v1, weight: 1}, {service: books, subset: v2, weight: 0}]
      timeouts: {deadline: 3s}
---
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: patient}
spec: {targets: [{service: books}], load_balancer: {algorithm: round_robin}, retry: {max_retries: 2},
  hedge: {after: 5s}, bulkhead: {max_connections: 9}, adaptive_concurrency: {tolerance: 3}}
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: five}
spec: {targets: [{route: shop}], scope: gateway, token_bucket: {rate: 5/h, burst: 5}}
"""


NEW_ROUTE = """
apiVersion: meshway/v1
kind: Route
metadata: {name: new}
spec:
  hosts: [shop.example]
  rules: [{match: [{path: {prefix: /a}}], destinations: [{service: books, subset: v2}]}]
"""


LOCKED = """
---
apiVersion: meshway/v1
kind: AccessPolicy
metadata: {name: no-b}
spec: {targets: [{service: books}], rules: [{action: deny, to: [{path: {exact: /b}}]}]}
"""


BYTES = """
apiVersion: meshway/v1
kind: Service
metadata: {name: books}
spec:
  ports: [{name: main, port: 5432, protocol: tcp}]
  subsets: [{name: v1, match: {version: v1}}, {name: v2, match: {version: v2}}]
---
apiVersion: meshway/v1
kind: Listener
metadata: {name: postgres, namespace: mesh}
spec: {port: 5432, protocol: tcp}
---
apiVersion: meshway/v1
kind: Listener
metadata: {name: by-name, namespace: mesh}
spec: {port: 8443, protocol: tls}
---
apiVersion: meshway/v1
kind: Listener
metadata: {name: game, namespace: mesh}
spec: {port: 7777, protocol: udp}
---
apiVersion: meshway/v1
kind: TcpRoute
metadata: {name: pg}
spec: {listeners: [postgres], source: [192.0.2.0/24], destinations: [{service: books}]}
---
apiVersion: meshway/v1
kind: TlsRoute
metadata: {name: passed}
spec: {listeners: [by-name], hosts: [db.example], destinations: [{service: books}]}
---
apiVersion: meshway/v1
kind: UdpRoute
metadata: {name: world}
spec: {listeners: [game], destinations: [{service: books}]}
"""


@dataclass
class Shop:
    """Two instances of books, v1 at `one`, and a gateway with one worker."""

    registry: RunningRegistry
    gateway: GatewayProcess
    one: RecordingUpstream
    folder: Path

    async def explain(self, **question: Any) -> dict[str, Any]:
        answer = await self.registry.call("POST", "/v1/explain", question)
        assert answer.status == 200, answer
        told: dict[str, Any] = answer.json
        return told

    async def command(self, *arguments: str) -> Ended:
        url = f"http://127.0.0.1:{self.registry.port}"
        return await asyncio.to_thread(meshway, "explain", *arguments, env={"MESHWAY_URL": url}, cwd=self.folder)


@asynccontextmanager
async def shop(folder: Path, program: str = "") -> AsyncIterator[Shop]:
    """program: what the gateway runs before it serves."""
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(running_registry(folder / "registry"))
        one = RecordingUpstream(pieces_of=lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"])
        await stack.enter_async_context(one.running())
        await registry.register("books", "b1", one.port, version="v1")
        await registry.register("books", "b2", 1, version="v2")
        applied = await registry.call("POST", "/v1/apply", DOCUMENTS.encode(), "Content-Type: application/yaml")
        assert applied.status == 200, applied
        url = f"http://127.0.0.1:{registry.port}"
        made = GatewayProcess(folder, url, workers=1)
        made.program = program
        gateway = await stack.enter_async_context(made)
        await gateway.wait_for_revision(applied.json["revision"])
        (folder / "shop.yaml").write_text(DOCUMENTS)
        yield Shop(registry, gateway, one, folder)


async def test_a_call_is_told_before_it_is_made_and_goes_as_told(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        told = await running.explain(url="http://shop.example/7?a=1", headers={"end-user": "bob"})
        assert (told["listener"], told["route"], told["rule"]) == ("edge", "default/shop", "all")
        assert [(each["rule"], each["failed"]) for each in told["tried"]] == [
            ("old", "path /7 is not below /old"),
            ("testers", 'header end-user is "jason": it is "bob"'),
        ]
        verdicts = {each["document"]: each["verdict"] for each in told["filters"]}
        assert verdicts["Route default/shop"] == "change"
        # It passes, or waits for this worker's first share of the limit.
        assert verdicts["RateLimit default/five"] in ("pass", "delay")
        assert told["filters"][1]["path"] == "spec.rules[2].request_headers"
        assert told["picked"] == {
            "service": "default/books#v1",
            "endpoint": "b1",
            "address": f"127.0.0.1:{running.one.port}",
            "by": "round_robin",
        }
        settings = {each["field"]: (each["value"], each["document"], each.get("path")) for each in told["settings"]}
        assert settings["timeouts.deadline"] == ("3s", "Route default/shop", "spec.rules[2].timeouts.deadline")
        assert settings["retry.max_retries"][:2] == ("2", "TrafficPolicy default/patient")
        assert settings["timeouts.idle"][:2] == ("300s", "built in")
        assert settings["hedge.after"][:2] == ("5s", "TrafficPolicy default/patient")
        of_cluster = {each["field"]: each["value"] for way in told["destinations"] for each in way["settings"]}
        assert of_cluster["bulkhead.max_connections"] == "9"
        assert "bulkhead.max_requests" not in of_cluster
        assert of_cluster["adaptive_concurrency.tolerance"] == "3"
        revisions = {each["document"]: each.get("revision") for each in told["settings"]}
        assert revisions["Route default/shop"] == running.registry.core.view.revision
        assert revisions["built in"] is None
        assert running.one.requests == []
        answer = await running.gateway.client.get(
            f"{running.gateway.edge}/7?a=1", headers={"Host": "shop.example", "end-user": "bob"}
        )
        assert answer.status_code == 200
        await running.gateway.wait_for_count("meshway_requests_total", 1)
        (line,) = running.gateway.access_log()
        assert (line["route"], line["rule"], line["service"], line["instance"]) == (
            told["route"],
            told["rule"],
            told["picked"]["service"],
            told["picked"]["endpoint"],
        )


async def test_a_limit_is_named_where_it_refuses_and_asking_spends_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        for _ in range(20):
            told = await running.explain(url="shop.example/")
            assert "RateLimit default/five" in {each["document"] for each in told["filters"]}
        answers = [
            await running.gateway.client.get(running.gateway.edge, headers={"Host": "shop.example"}) for _ in range(6)
        ]
        assert answers[0].status_code == 200, "asking twenty times spent nothing of five"
        assert (answers[-1].status_code, answers[-1].json()["policy"]) == (429, "RateLimit default/five")


async def test_a_draft_is_told_as_if_it_were_applied_and_changes_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        document = {
            "apiVersion": "meshway/v1",
            "kind": "Route",
            "metadata": {"name": "shop"},
            "spec": {
                "hosts": ["shop.example"],
                "rules": [{"name": "new", "destinations": [{"service": "books", "subset": "v2"}]}],
            },
        }
        before = running.registry.core.view.revision
        told = await running.explain(url="http://shop.example/", documents=[document])
        assert (told["draft"], told["rule"], told["picked"]["endpoint"]) == (True, "new", "b2")
        assert (await running.explain(url="http://shop.example/"))["rule"] == "all"
        assert running.registry.core.view.revision == before
        document["spec"] = {
            "hosts": ["shop.example"],
            "rules": [{"destinations": [{"service": "books", "subset": "v9"}]}],
        }
        wrong = await running.registry.call(
            "POST", "/v1/explain", {"url": "http://shop.example/", "documents": [document]}
        )
        assert (wrong.status, "v9" in wrong.body.decode()) == (422, True)


async def test_the_command_tells_it_to_people_with_files_and_lines(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        told = await running.command("GET", "http://shop.example/", "-f", "shop.yaml")
        assert told.code == 0, told
        assert "✓ default/shop rule all   Route default/shop  spec.rules[2]  shop.yaml:" in told.out
        line = DOCUMENTS.splitlines().index("    - name: all") + 1
        assert f"spec.rules[2]  shop.yaml:{line}" in told.out
        assert "→ default/books#v1 b1 at 127.0.0.1" in told.out
        mesh = await running.command("GET", "http://books/", "--as", "books")
        assert "✓ listener mesh   GET books.default.mesh/   from default/books instance b1" in mesh.out
        assert "✓ default/implicit:books rule all   built in" in mesh.out
        (tmp_path / "shop.yaml").write_text(DOCUMENTS.replace("deadline: 3s", "deadline: 4s"))
        env = {"MESHWAY_URL": f"http://127.0.0.1:{running.registry.port}"}
        applied = await asyncio.to_thread(meshway, "apply", "-f", "shop.yaml", "--wait=60s", env=env, cwd=tmp_path)
        assert applied.code == 0, applied
        published = await running.command("GET", "http://shop.example/")
        assert f"spec.rules[2]  shop.yaml:{line}  r" in published.out, "where it was published from"
        nobody = await running.command("GET", "http://nobody.example/")
        assert nobody.code == 1
        assert "✗ answered 404 no_route" in nobody.out


async def test_a_call_by_a_listener_of_ones_own_is_told_by_its_routes_and_goes_so(tmp_path: Path) -> None:
    port = free_port()
    partner = f"""
apiVersion: meshway/v1
kind: Listener
metadata: {{name: partner, namespace: mesh}}
spec: {{port: {port}, protocol: http, routes: named}}
---
apiVersion: meshway/v1
kind: Route
metadata: {{name: inside}}
spec: {{hosts: [shop.example], listeners: [partner], rules: [{{match: [{{path: {{prefix: /in}}}}], destinations: [
  {{service: books, subset: v1}}]}}]}}
"""
    async with shop(tmp_path) as running:
        applied = await running.registry.call("POST", "/v1/apply", partner.encode(), "Content-Type: application/yaml")
        await running.gateway.wait_for_revision(applied.json["revision"])
        await until(lambda: is_taken(port), 15.0, what="the Listener opened")
        for path, status in (("/in", 200), ("/7", 404)):
            told = await running.explain(url=f"http://shop.example{path}", listener="partner")
            assert (told["listener"], told.get("answered", {"status": 200})["status"]) == ("partner", status)
            called = f"http://127.0.0.1:{port}{path}"
            answer = await running.gateway.client.get(called, headers={"Host": "shop.example"})
            assert answer.status_code == status
        said = await running.command("GET", "http://shop.example/in", "--listener", "partner")
        assert "✓ listener partner   GET shop.example/in" in said.out
        unknown = await running.command("GET", "http://shop.example/in", "--listener", "partners")
        assert "there is no partners (did you mean partner?)" in unknown.err


async def test_without_a_gateway_that_is_said(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        answer = await registry.call("POST", "/v1/explain", {"url": "http://shop.example/"})
        assert (answer.status, answer.json["code"]) == (503, "no_gateway")
        assert "meshway gateway serve" in answer.json["mend"]


async def test_a_call_that_asks_is_answered_with_its_explanation(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        client, gateway = running.gateway.client, running.gateway
        asking = {"Host": "books.default.mesh", "Meshway-Explain": "1"}
        answers = [await client.get(f"{gateway.mesh}/a", headers=asking) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        for answer in answers:
            told = json.loads(answer.headers["meshway-explanation"])
            assert (told["route"], told["path"]) == ("default/implicit:books", "/a")
            # The second instance refuses connections: what was told of the moment before is where the call began.
            assert told["went"] == {"instance": "b1", "attempts": 1 if told["picked"]["endpoint"] == "b1" else 2}
        assert all(request.values(b"meshway-explain") == [] for request in running.one.requests)
        nobody = await client.get(gateway.mesh, headers=asking | {"Host": "nobody.default.mesh"})
        assert json.loads(nobody.headers["meshway-explanation"])["answered"]["reason"] == "no_route"
        silent = await client.get(f"{gateway.mesh}/a", headers={"Host": "books.default.mesh"})
        edge = await client.get(gateway.edge, headers={"Host": "shop.example", "Meshway-Explain": "1"})
        assert "meshway-explanation" not in silent.headers.keys() | edge.headers.keys()


async def test_recorded_calls_are_rehearsed_and_what_would_change_is_told(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        gateway = running.gateway
        for path in ("/a?token=s3cret", "/a", "/b"):
            await gateway.client.get(f"{gateway.edge}{path}", headers={"Host": "shop.example", "Cookie": "s3cret"})
        await gateway.client.get(gateway.edge, headers={"Host": "nobody.example"})
        await gateway.wait_for_count("meshway_requests_total", 4)
        (running.folder / "new.yaml").write_text(NEW_ROUTE)
        url = f"http://127.0.0.1:{running.registry.port}"
        told = await asyncio.to_thread(
            meshway, "rehearse", "-f", "new.yaml", "--last", "1h", env={"MESHWAY_URL": url}, cwd=running.folder
        )
        assert told.code == 1, told
        assert "s3cret" not in told.out
        assert "4 recorded calls of 4 (100 % of the traffic)" in told.out
        assert "✓ 2 calls fare as today" in told.out
        assert "~ 2 would go elsewhere: default/shop rule all to default/books#v1" in told.out
        assert "default/new rule 0 to default/books#v2" in told.out
        assert "! 3 came with credentials or cookies" in told.out
        assert running.registry.core.view.document(("Route", "default", "new")) is None
        route = await asyncio.to_thread(meshway, "describe", "route/shop", env={"MESHWAY_URL": url}, cwd=running.folder)
        assert route.out.splitlines()[-1].split() == ["all", "3", "0", "0", "default/books#v1", "3"]
        await shows_what_is_touched(running, url)
        same = await running.registry.call(
            "POST", "/v1/apply?dry_run=true&rehearse=1h", DOCUMENTS.encode(), "Content-Type: application/yaml"
        )
        assert (same.status, same.json["rehearsal"]["same"]) == (200, 4)
        plain = await running.registry.call(
            "POST", "/v1/apply?dry_run=true", DOCUMENTS.encode(), "Content-Type: application/yaml"
        )
        assert "rehearsal" not in plain.json


async def shows_what_is_touched(running: Shop, url: str) -> None:
    """diff and dry runs tell of the recorded calls that a change would touch, with those that would be refused."""

    async def asked(*arguments: str) -> Ended:
        return await asyncio.to_thread(meshway, *arguments, env={"MESHWAY_URL": url}, cwd=running.folder)

    (running.folder / "locked.yaml").write_text(NEW_ROUTE + LOCKED)
    for command in (("diff",), ("apply", "--dry-run")):
        told = await asked(*command, "-f", "locked.yaml")
        assert (
            "3 of 4 calls of the last 24h touched, of 1 caller, by 2 Routes: 1 would be refused, 2 would go elsewhere"
        ) in told.err, told
        assert (
            "✗ 1 would be refused: default/shop rule all to default/books#v1  →  403 denied by AccessPolicy" in told.err
        )
        assert "GET shop.example/b" in told.err
        assert "touched" not in (await asked(*command, "-f", "locked.yaml", "--last", "0s")).err


async def test_a_burst_is_rehearsed_whole_though_the_disk_gets_a_sample(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        gateway = running.gateway
        headers = {"Host": "nobody.example"}  # answered by the gateway itself: a burst of any service would do
        for _ in range(10):
            await asyncio.gather(*(gateway.client.get(gateway.edge, headers=headers) for _ in range(40)))
        await gateway.wait_for_count("meshway_requests_total", 400)
        told = await running.registry.call(
            "POST", "/v1/apply?dry_run=true&rehearse=1h", DOCUMENTS.encode(), "Content-Type: application/yaml"
        )
        rehearsal = told.json["rehearsal"]
        assert (rehearsal["recorded"], rehearsal["calls"], rehearsal["same"]) == (400, 400, 400)
        assert 0.0 < rehearsal["whole_from_s"] <= rehearsal["from_s"]


async def test_it_is_said_where_a_worker_does_not_tell_its_calls_and_the_disk_is_asked(tmp_path: Path) -> None:
    sooner = "import gateway.supervisor.questions as questions; questions.RECENT_WITHIN_S = 0.3\n"
    async with shop(tmp_path, sooner) as running:
        gateway = running.gateway
        await gateway.client.get(gateway.edge, headers={"Host": "nobody.example"})
        await until(lambda: any((gateway.data / "log" / "recorded").glob("calls-*")), what="a call on disk")
        (running.folder / "new.yaml").write_text(NEW_ROUTE)
        url = f"http://127.0.0.1:{running.registry.port}"

        async def asked(*arguments: str) -> Ended:
            return await asyncio.to_thread(
                meshway, *arguments, "-f", "new.yaml", env={"MESHWAY_URL": url}, cwd=running.folder
            )

        (worker,) = await gateway.worker_pids()
        os.kill(worker, signal.SIGSTOP)
        try:
            told, short = await asyncio.gather(asked("rehearse"), asked("diff"))
        finally:
            os.kill(worker, signal.SIGCONT)
        said = "! gw-1: a worker did not tell its last calls in time, a sample from disk was taken; ask again"
        assert said in told.out, told
        assert "1 recorded calls of 1" in told.out
        assert said in short.err, short
        assert "sample from disk" not in (await asked("rehearse")).out


async def test_connections_and_datagrams_are_told_by_the_command_as_calls_are(tmp_path: Path) -> None:
    async with shop(tmp_path) as running:
        (tmp_path / "bytes.yaml").write_text(BYTES)
        for question, route in (
            (("TCP", "--listener", "postgres", "--address", "192.0.2.1"), "default/pg"),
            (("TLS", "db.example", "--listener", "by-name"), "default/passed"),
            (("UDP", "--listener", "game"), "default/world"),
            (("CONNECT", "books.default.mesh:5432"), "default/implicit:books"),
        ):
            ended = await running.command(*question, "-f", "bytes.yaml")
            assert ended.code == 0, ended
            assert f"✓ {route}" in ended.out, ended.out
            assert "→ default/books b" in ended.out, ended.out
        for question, word in (
            (("TCP", "--listener", "postgres", "--address", "10.0.0.1"), "no TcpRoute of listener postgres"),
            (("TLS", "other.example", "--listener", "by-name"), "no TlsRoute of listener by-name"),
            (("CONNECT", "books.default.mesh:22"), "books.default.mesh:22 is none"),
        ):
            ended = await running.command(*question, "-f", "bytes.yaml")
            assert ended.code == 1, ended
            assert word in ended.out, ended.out
