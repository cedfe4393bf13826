"""Bytes by TLS: handshakes that are answered here, and those that are passed on by the name in their first message."""

import asyncio
import socket
import ssl
from typing import Any

import pytest

from gateway.wire.proxy_protocol import proxy_head
from meshway.certificates import read_pair
from meshway.snapshot import Change
from meshway.tls import harden, load_pair
from tests.integration.gateway.test_mtls import secret
from tests.parts.authority import Authority, Issued
from tests.parts.changes import document, running
from tests.parts.compiled import CompiledGateway
from tests.parts.secrets import contents
from tests.parts.tcp import Place, carrying, echo, listener, serving, tcp_route

ROOT, CALLERS = Authority(), Authority("Callers")


def server(issued: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    harden(context)
    load_pair(context, read_pair(issued.certificate, issued.key, 0.0))
    return context


def trusting(shown: Issued | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ROOT.pem.decode())
    if shown is not None:
        load_pair(context, read_pair(shown.certificate, shown.key, 0.0))
    return context


def terminating(**tls: Any) -> Change:
    return listener(protocol="tls", tls={"mode": "terminate", "certificates": ["own"]} | tls)


def certificate() -> Change:
    files = {"certificate": "c.pem", "key": "k.pem"}
    return document("Certificate", "own", {"files": files, "listeners": ["bytes"]}, "mesh")


def hold(gateway: CompiledGateway) -> None:
    issued = ROOT.issue("db.example")
    gateway.serving.pairs.take(("mesh", "own"), read_pair(issued.certificate, issued.key))


async def by_tls(place: Place, data: bytes, tls: ssl.SSLContext, name: str = "db.example") -> bytes:
    """What comes back for it."""
    reader, writer = await place.connect(ssl=tls, server_hostname=name)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.readexactly(len(data)), 10.0)
    finally:
        writer.close()


@pytest.mark.proves("ListenerTls.mode")
async def test_handshakes_are_answered_and_callers_known_by_their_certificates() -> None:
    shown = CALLERS.issue("billing.example")
    async with (
        serving(echo()) as port,
        carrying(
            running("db", "1", port=port),
            certificate(),
            terminating(client_auth="optional", trust="callers"),
            tcp_route("db"),
        ) as place,
    ):
        hold(place.gateway)
        place.gateway.secrets.take(secret(CALLERS, name="callers"))
        place.open(spoken="tls")
        assert await by_tls(place, b"hello", trusting()) == b"hello"
        await place.line()
        allowed = {"methods": [{"mtls": {"trust": "callers", "principal": ["dns"]}}]}
        place.gateway.apply(document("Authentication", "who", {"targets": [{"service": "db"}]} | allowed))
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await by_tls(place, b"hello", trusting())
        line = await place.line()
        assert (line["flag"], line["policy"]) == ("UAEX", "Authentication default/who")
        assert await by_tls(place, b"hello", trusting(shown)) == b"hello"
        assert (await place.line())["principal"] == "x509:callers:billing.example"


async def test_a_proxy_tells_before_the_handshake() -> None:
    trusted: dict[str, Any] = {"proxy_protocol": "accept", "trusted_proxies": ["127.0.0.0/8"]}
    async with (
        serving(echo()) as port,
        carrying(
            running("db", "1", port=port),
            certificate(),
            listener(protocol="tls", tls={"mode": "terminate", "certificates": ["own"]}, **trusted),
            tcp_route("db"),
        ) as place,
    ):
        hold(place.gateway)
        place.open(spoken="tls")
        head = proxy_head(2, ("192.0.2.7", 4711), ("198.51.100.1", 5432))

        def ask(*before: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", place.ports["bytes"]), timeout=10.0) as plain:
                for piece in before:
                    plain.sendall(piece)
                with trusting().wrap_socket(plain, server_hostname="db.example") as secured:
                    secured.sendall(b"hello")
                    return secured.recv(100)

        assert await asyncio.to_thread(ask, head) == b"hello"
        assert (await place.line())["peer"] == "192.0.2.7"
        assert await asyncio.to_thread(ask, *(head[at : at + 1] for at in range(len(head)))) == b"hello"
        assert (await place.line())["peer"] == "192.0.2.7"
        assert await asyncio.to_thread(ask) == b"hello", "accept: it need not"
        assert (await place.line())["peer"] == "127.0.0.1"
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await asyncio.to_thread(ask, b"PROXY TCP4 nonsense\r\n")


async def test_services_are_called_by_tls() -> None:
    async with (
        serving(echo(), ssl=server(ROOT.issue("db.internal"))) as port,
        carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place,
    ):
        place.open()
        place.gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
        spec: dict[str, Any] = {"targets": [{"service": "db"}], "retry": {"max_retries": 0}}
        wrong = {"tls": {"ca": "ca", "sni": "other.internal"}}
        place.gateway.apply(document("TrafficPolicy", "p", spec | {"tls": {"ca": "ca", "sni": "db.internal"}}))
        reader, writer = await place.connect()
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 10.0) == b"hello"
        writer.close()
        await place.line()
        place.gateway.apply(document("TrafficPolicy", "p", spec | wrong))
        assert await place.ask() == b""
        line = await place.line()
        assert line["reason"] == "connect_failed"
        assert "certificate" in line["detail"]


def tls_route(service: str, *hosts: str, name: str, **fields: Any) -> Change:
    spec = {"listeners": ["bytes"], "hosts": list(hosts), "destinations": [{"service": service}]}
    return document("TlsRoute", name, spec | fields)


@pytest.mark.proves("TlsRoute.hosts", "TlsRoute.listeners", "TlsRoute.destinations")
async def test_handshakes_are_passed_on_by_the_name_they_ask_for() -> None:
    a, b = ROOT.issue("a.example"), ROOT.issue("*.b.example", "b.example")
    async with (
        serving(echo(), ssl=server(a)) as first,
        serving(echo(), ssl=server(b)) as second,
        carrying(
            running("a", "1", port=first),
            running("b", "1", port=second),
            listener(protocol="tls"),
            tls_route("a", "a.example", name="a"),
            tls_route("b", "*.b.example", name="b"),
        ) as place,
    ):
        place.open(spoken="passthrough")

        async def shown(name: str) -> bytes:
            _, writer = await place.connect(ssl=trusting(), server_hostname=name)
            der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            return der

        assert await shown("a.example") == a.der, "the service's own, end to end"
        assert await shown("x.b.example") == b.der
        assert await by_tls(place, b"hello", trusting(), "x.b.example") == b"hello"
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            await shown("c.example")
        lines = {line["service"]: line for line in place.gateway.lines}
        assert (lines["default/a"]["route"], lines["default/a"]["authority"]) == ("default/a", "a.example")
        assert (lines[""]["reason"], lines[""]["policy"]) == ("no_route", "listener bytes")
        assert lines[""]["authority"] == "c.example"
        assert lines[""]["detail"] == "no TlsRoute of listener bytes takes connections of 127.0.0.1 for c.example"
        place.gateway.apply(tls_route("a", "*", name="any"))
        with pytest.raises(ssl.SSLCertVerificationError):
            await shown("c.example")
        denied = {"targets": [{"service": "a"}], "rules": [{"action": "deny", "from": [{"cidr": ["127.0.0.0/8"]}]}]}
        place.gateway.apply(document("AccessPolicy", "away", denied))
        with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
            await shown("a.example")


@pytest.mark.proves(
    "TlsRoute.source", "TlsRoute.idle", "TlsRoute.half_close", "TlsRoute.max_duration", "TlsRoute.limits"
)
async def test_what_is_passed_on_is_bounded_as_bytes_are() -> None:
    async with (
        serving(echo(), ssl=server(ROOT.issue("a.example"))) as port,
        carrying(running("a", "1", port=port), listener(protocol="tls")) as place,
    ):
        place.open(spoken="passthrough")
        for fields, leap_s, reason in (
            ({"idle": "10m"}, 601.0, "idle_timeout"),
            ({"max_duration": "5m"}, 301.0, "max_duration"),
        ):
            place.gateway.apply(tls_route("a", "*", name="a", **fields))
            reader, writer = await place.connect(ssl=trusting(), server_hostname="a.example")
            writer.write(b"x")
            assert await asyncio.wait_for(reader.readexactly(1), 10.0) == b"x"
            place.gateway.leap(leap_s)
            assert (await place.line())["reason"] == reason
            writer.close()
        place.gateway.apply(tls_route("a", "*", name="a", source=["10.0.0.0/8"]))
        with pytest.raises(ssl.SSLError):
            await place.connect(ssl=trusting(), server_hostname="a.example")
        assert (await place.line())["reason"] == "no_route"
        place.gateway.apply(tls_route("a", "*", name="a", limits={"connections": 1}, half_close="0s"))
        _, writer = await place.connect(ssl=trusting(), server_hostname="a.example")
        with pytest.raises(ssl.SSLError):
            await place.connect(ssl=trusting(), server_hostname="a.example")
        assert (await place.line())["reason"] == "too_many_connections"
        with socket.socket(fileno=writer.get_extra_info("socket").fileno()) as half:
            half.shutdown(socket.SHUT_WR)
            line = await place.line()
            half.detach()
        assert (line["reason"], line["status"]) == ("", 200), "the other half is not waited for"
        writer.close()


async def test_a_hello_that_is_none_or_does_not_come_ends_the_connection() -> None:
    async with (
        serving(echo()) as port,
        carrying(running("a", "1", port=port), listener(protocol="tls"), tls_route("a", "*", name="a")) as place,
    ):
        place.open(spoken="passthrough")
        assert (await place.ask(b"GET / HTTP/1.1\r\n\r\n"))[:1] == b"\x15", "an alert"
        assert (await place.line())["reason"] == "bad_client_hello"
        reader, writer = await place.connect()
        writer.write(b"\x16\x03\x01")
        await asyncio.sleep(0.05)
        place.gateway.leap(5.1)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 10.0)
        assert (await place.line())["reason"] == "head_timeout"
        writer.close()
