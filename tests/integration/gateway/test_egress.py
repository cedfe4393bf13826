"""Calls that leave the mesh: who may make them, and where they may lead."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from gateway.exchange import EDGE, MESH
from meshway.model.decode import decode_spec
from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.upstream import RecordingUpstream
from tests.parts.wire import Caller

LOOPBACK: Final = document("MeshSettings", "mesh", {"egress": {"allow_cidrs": ["127.0.0.0/8"]}}, "mesh")
ANYBODY: Final = document("AccessPolicy", "out", {"targets": [{"service": "api"}], "default": "allow"})


def service(port: int, host: str = "api.example", **fields: Any) -> Change:
    external = {"host": host, "port": port, "tls": False} | fields
    return document("Service", "api", {"type": "external", "external": external})


class NameServer:
    """answers: by host; None: it does not answer."""

    def __init__(self, *addresses: str) -> None:
        self.answers: dict[str, Sequence[str] | None] = {"api.example": addresses, "other.example": ["127.0.0.1"]}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answer = self.answers.get(host)
        if answer is None:
            raise OSError("no answer")
        return answer


@asynccontextmanager
async def leaving(
    names: NameServer, *changes: Change, face: int = MESH, **how: Any
) -> AsyncIterator[tuple[CompiledGateway, RecordingUpstream]]:
    """The host is on this machine, and every connection to it is of one call."""
    outside = RecordingUpstream(closes=True)
    async with outside.running(), compiled_gateway(*changes, face=face, lookup=names, **how) as gateway:
        yield gateway, outside


async def by_proxy(gateway: CompiledGateway, url: str) -> tuple[int, str]:
    """As a program with HTTP_PROXY asks; status and answer."""
    caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
    caller.send(f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n".encode())
    try:
        status, _, body = await caller.answer()
    finally:
        caller.writer.close()
    return status, body.decode()


@pytest.mark.proves(
    "Service.type",
    "Service.external",
    "External.host",
    "External.port",
    "External.tls",
    "MeshSettings.egress",
    "Egress.allow_cidrs",
)
async def test_a_host_outside_is_called_by_its_own_name_where_its_address_may_be_called() -> None:
    names = NameServer("127.0.0.1")
    async with leaving(names, LOOPBACK, ANYBODY) as (gateway, outside):
        assert (await by_proxy(gateway, "http://api.example/v1"))[0] == 403
        gateway.apply(service(outside.port))
        assert (await by_proxy(gateway, "http://api.example/v1?a=1"))[0] == 200
        assert (await gateway.ask("/v2", host="api.default.mesh"))[0] == 200
        assert [received.target for received in outside.requests] == [b"/v1?a=1", b"/v2"]
        assert {value for each in outside.requests for value in each.values(b"host")} == {
            f"api.example:{outside.port}".encode()
        }
        gateway.apply(gone("MeshSettings", "mesh", "mesh"))
        status, _, body = await gateway.ask(host="api.default.mesh")
        assert (status, "leads to 127.0.0.1, which nobody is sent to" in body) == (502, True)
        _, refused = decode_spec("Service", {"type": "external", "external": {"host": "api.example", "tls": True}})
        assert [(error.path, error.code) for error in refused] == [("spec.external.tls", "unsupported")]
        gateway.apply(LOOPBACK, service(outside.port, host="other.example"))
        assert (await by_proxy(gateway, "http://api.example/"))[0] == 403
        assert (await by_proxy(gateway, "http://other.example/"))[0] == 200


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "::1", "0.0.0.0"])
async def test_a_name_leads_nobody_to_where_nobody_is_sent(address: str) -> None:
    async with leaving(NameServer(address), service(80), ANYBODY) as (gateway, _):
        status, _, body = await gateway.ask(host="api.default.mesh")
        assert (status, "connect_failed" in body, "nobody is sent" in body) == (502, True, True)


async def test_a_name_that_leads_elsewhere_later_is_judged_again() -> None:
    names = NameServer("127.0.0.1")
    async with leaving(names, LOOPBACK, ANYBODY) as (gateway, outside):
        gateway.apply(service(outside.port))
        assert (await gateway.ask(host="api.default.mesh"))[0] == 200
        names.answers["api.example"] = ["169.254.169.254"]
        gateway.leap(31.0)
        assert (await gateway.ask(host="api.default.mesh"))[0] == 502
        assert len(outside.requests) == 1


@pytest.mark.proves("External.refresh")
@pytest.mark.parametrize(("refresh", "status"), [("5s", 502), ("1h", 200)])
async def test_an_answer_of_the_name_server_is_used_as_long_as_the_document_says(refresh: str, status: int) -> None:
    names = NameServer("127.0.0.1")
    async with leaving(names, LOOPBACK, ANYBODY) as (gateway, outside):
        gateway.apply(service(outside.port, refresh=refresh))
        assert (await gateway.ask(host="api.default.mesh"))[0] == 200
        names.answers["api.example"] = ["127.0.0.2"]  # where nobody listens on this port
        gateway.leap(10.0)
        assert (await gateway.ask(host="api.default.mesh"))[0] == status


async def test_the_last_good_answer_goes_on_while_the_name_server_is_away() -> None:
    names = NameServer("127.0.0.1")
    async with leaving(names, LOOPBACK, ANYBODY) as (gateway, outside):
        gateway.apply(service(outside.port))
        assert (await gateway.ask(host="api.default.mesh"))[0] == 200
        names.answers["api.example"] = None
        gateway.leap(60.0)
        assert (await gateway.ask(host="api.default.mesh"))[0] == 200
        assert names.asked == ["api.example"] * 2


async def test_who_has_not_proved_to_be_of_the_namespace_is_refused_unless_a_policy_lets_him() -> None:
    async with leaving(NameServer("127.0.0.1"), LOOPBACK) as (gateway, outside):
        gateway.apply(service(outside.port), running("web", "1"))
        for url in ("http://api.example/", "http://api.default.mesh/"):
            status, body = await by_proxy(gateway, url)
            assert (status, '"egress_denied"' in body, '"Service default/api"' in body) == (403, True, True)
        status, body = await by_proxy(gateway, "http://nobody.example/")
        assert (status, '"egress_denied"' in body) == (403, True)
        assert (await gateway.ask(host="nobody.default.mesh"))[0] == 404  # a name of the mesh that is not there
        await until(lambda: len(gateway.lines) == 4, what="lines of the log")
        assert [line["reason"] for line in gateway.lines] == ["egress_denied"] * 3 + ["no_route"]
        gateway.apply(ANYBODY)
        assert (await by_proxy(gateway, "http://api.example/"))[0] == 200
        assert len(outside.requests) == 1


async def test_a_route_of_the_services_own_namespace_is_its_consent() -> None:
    rule = to("api", rewrite={"host": "api.example"})
    own = document("Route", "r", edge_route(rule))
    foreign = document("Route", "r", edge_route({"destinations": [{"service": "api", "namespace": "default"}]}), "shop")
    async with leaving(NameServer("127.0.0.1"), LOOPBACK, face=EDGE) as (gateway, outside):
        gateway.apply(service(outside.port), own)
        assert (await gateway.ask())[0] == 200
        gateway.apply(gone("Route", "r"), foreign)
        assert (await gateway.ask())[0] == 403


async def test_where_namespaces_may_be_crossed_calls_may_leave() -> None:
    async with leaving(NameServer("127.0.0.1"), LOOPBACK, crosses_namespaces=True) as (gateway, outside):
        gateway.apply(service(outside.port))
        assert (await by_proxy(gateway, "http://api.example/"))[0] == 200
