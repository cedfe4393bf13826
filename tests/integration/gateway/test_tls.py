"""Callers by TLS: what they are shown, what is asked of them, and what becomes of their calls."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.channel import ChannelFrame, PairFrame
from gateway.exchange import MESH
from gateway.supervisor.certificate_sources import CertificateSources
from meshway.certificates import read_pair
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying
from tests.parts.authority import Authority, Issued
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.secrets import contents

ROOT = Authority()
FILES = {"certificate": "c.pem", "key": "k.pem"}


def certificate(name: str = "shop", namespace: str = "default", **fields: Any) -> Change:
    return document("Certificate", name, {"files": FILES} | fields, namespace)


def listener(name: str = "edge-tls", **spec: Any) -> Change:
    return document("Listener", name, spec, "mesh")


def trusting(authority: Authority = ROOT, *, names: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.check_hostname = names
    return context


def hold(gateway: CompiledGateway, issued: Issued, name: str = "shop", namespace: str = "default") -> None:
    gateway.serving.pairs.take((namespace, name), read_pair(issued.certificate, issued.key))


@asynccontextmanager
async def shop(*changes: Change, face: int = 0) -> AsyncIterator[CompiledGateway]:
    """A gateway that has a service behind shop.example and any other host, and the certificate `shop`."""
    async with saying("books").running() as books:
        service = [
            running("books", "b-1", port=books.port),
            document("Route", "r", edge_route(to("books"), hosts=["*"])),
        ]
        async with compiled_gateway(*service, *changes, face=face) as gateway:
            hold(gateway, ROOT.issue("shop.example", "*.shop.example"))
            yield gateway


async def shown(gateway: CompiledGateway, name: str | None, tls: ssl.SSLContext | None = None) -> bytes:
    """The certificate that a caller is shown who asks for the name, DER."""
    context = tls or trusting(names=name is not None)
    caller = await gateway.open_tls(context, name)
    try:
        shown: bytes = caller.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown
    finally:
        caller.writer.close()


async def is_refused(gateway: CompiledGateway, name: str | None, tls: ssl.SSLContext | None = None) -> str:
    """The alert's name that a handshake ended with."""
    context = tls or trusting(names=name is not None)

    def shake() -> str:
        with socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=10.0) as plain:
            try:
                context.wrap_socket(plain, server_hostname=name).close()
            except ssl.SSLError as error:
                return error.reason or type(error).__name__
        return ""

    return await asyncio.to_thread(shake)


@pytest.mark.proves("Certificate.files", "CertificateFiles.certificate", "CertificateFiles.key")
async def test_a_call_by_tls_reaches_the_service_and_says_so() -> None:
    async with shop() as gateway:
        assert await is_refused(gateway, "shop.example") == "TLSV1_UNRECOGNIZED_NAME"
        gateway.apply(certificate())
        status, _, body = await gateway.ask_by_tls(trusting())
        assert (status, body) == (200, "books")
        assert gateway.handshakes == [1, 1]


@pytest.mark.proves("Certificate.hosts")
async def test_a_certificate_is_for_its_hosts_and_exact_ones_win() -> None:
    exact, wide = ROOT.issue("pay.shop.example"), ROOT.issue("*.shop.example", "shop.example")
    async with shop(certificate(hosts=["*.shop.example"]), certificate("pay")) as gateway:
        hold(gateway, wide)
        hold(gateway, exact, "pay")
        assert await shown(gateway, "pay.shop.example") == exact.der
        assert await shown(gateway, "new.shop.example") == wide.der
        assert await is_refused(gateway, "shop.example") == "TLSV1_UNRECOGNIZED_NAME"
        gateway.apply(certificate())
        assert await shown(gateway, "shop.example") == wide.der


@pytest.mark.proves("Certificate.listeners")
async def test_a_certificate_is_shown_where_it_says() -> None:
    async with shop(certificate(listeners=["mesh-tls"])) as edge:
        assert await is_refused(edge, "shop.example") == "TLSV1_UNRECOGNIZED_NAME"
    async with shop(certificate(listeners=["mesh-tls"]), face=MESH) as mesh:
        assert (await mesh.ask_by_tls(trusting()))[0] == 404  # of no service's name


@pytest.mark.proves("ListenerTls.default", "Listener.tls")
async def test_who_names_no_host_or_an_unknown_one_is_shown_the_default() -> None:
    fallback = ROOT.issue("other.example")
    async with shop(certificate(), certificate("main", "mesh", listeners=["mesh-tls"])) as gateway:
        hold(gateway, fallback, "main", "mesh")
        for name in ("nobody.example", None):
            assert await is_refused(gateway, name) == "TLSV1_UNRECOGNIZED_NAME"
        gateway.apply(listener(tls={"default": "main"}))
        for name in ("other.example", None):
            assert await shown(gateway, name) == fallback.der


async def test_a_namespace_is_shown_for_no_host_of_another_whatever_its_certificate_names() -> None:
    ours, theirs = ROOT.issue("shop.example"), ROOT.issue("shop.example", "free.example", "books.default.mesh")
    owner = document("Namespace", "default", {"edge_hosts": ["shop.example"]}, "mesh")
    async with shop(certificate("a", "aaa")) as gateway:
        hold(gateway, theirs, "a", "aaa")
        hold(gateway, ours)
        assert await shown(gateway, "shop.example") == theirs.der
        gateway.apply(owner)
        assert await is_refused(gateway, "shop.example") == "TLSV1_UNRECOGNIZED_NAME"
        assert await is_refused(gateway, "books.default.mesh") == "TLSV1_UNRECOGNIZED_NAME"
        gateway.apply(certificate())
        assert await shown(gateway, "shop.example") == ours.der
        assert await shown(gateway, "free.example") == theirs.der


async def test_the_better_key_is_shown_to_who_takes_it() -> None:
    elliptic, rsa = ROOT.issue("shop.example"), ROOT.issue("shop.example", rsa_bits=2048)
    async with shop(certificate(), certificate("a-rsa")) as gateway:
        hold(gateway, elliptic)
        hold(gateway, rsa, "a-rsa")
        old = trusting()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await shown(gateway, "shop.example", old) == elliptic.der
        old.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        assert await shown(gateway, "shop.example", old) == rsa.der
        assert await shown(gateway, "shop.example") == elliptic.der


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.proves("ListenerTls.min_version")
async def test_only_what_is_safe_is_spoken() -> None:
    async with shop(certificate()) as gateway:
        of_before = trusting()
        of_before.minimum_version = ssl.TLSVersion.TLSv1_2
        of_before.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await is_refused(gateway, "shop.example", of_before) == ""
        weak = trusting()
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA384")
        assert "HANDSHAKE_FAILURE" in await is_refused(gateway, "shop.example", weak)
        ancient = trusting()
        ancient.minimum_version, ancient.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        ancient.set_ciphers("ALL:@SECLEVEL=0")
        assert await is_refused(gateway, "shop.example", ancient) == "TLSV1_ALERT_PROTOCOL_VERSION"
        gateway.apply(listener(tls={"min_version": "1.3"}))
        assert await is_refused(gateway, "shop.example", of_before) == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert await is_refused(gateway, "shop.example") == ""


async def test_a_connection_says_what_it_speaks_and_is_resumed() -> None:
    async with shop(certificate()) as gateway:
        tls = trusting()
        tls.set_alpn_protocols(["h2", "http/1.1"])
        tls.maximum_version = ssl.TLSVersion.TLSv1_2  # whose ticket comes with the handshake

        def twice() -> tuple[str | None, bool | None]:
            first = tls.wrap_socket(
                socket.create_connection(("127.0.0.1", gateway.tls_port)), server_hostname="shop.example"
            )
            kept, said = first.session, first.selected_alpn_protocol()
            first.close()
            again = socket.create_connection(("127.0.0.1", gateway.tls_port))
            second = tls.wrap_socket(again, server_hostname="shop.example", session=kept)
            was_resumed = second.session_reused
            second.close()
            return said, was_resumed

        assert await asyncio.to_thread(twice) == ("h2", True)


async def test_a_request_for_a_host_of_another_certificate_is_misdirected() -> None:
    async with shop(certificate(hosts=["shop.example", "*.shop.example"]), certificate("other")) as gateway:
        hold(gateway, ROOT.issue("other.example"), "other")
        caller = await gateway.open_tls(trusting(), "shop.example")
        for host, status in (("shop.example", 200), ("a.shop.example", 200), ("unknown.example", 200)):
            caller.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await caller.answer())[0] == status
        caller.send(b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n")
        status, head, _ = await caller.answer()
        assert (status, b"meshway-reason: misdirected_request" in head, b"Connection: close" in head) == (
            421,
            True,
            True,
        )
        line = gateway.lines[-1]
        assert (line["status"], line["policy"]) == (421, "listener edge-tls")
        caller.writer.close()


async def test_a_new_pair_is_shown_to_new_callers_and_open_connections_go_on() -> None:
    async with shop(certificate()) as gateway:
        before, after = ROOT.issue("shop.example"), ROOT.issue("shop.example")
        hold(gateway, before)
        caller = await gateway.open_tls(trusting(), "shop.example")
        hold(gateway, after)
        assert await shown(gateway, "shop.example") == after.der
        caller.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        assert (await caller.answer())[0] == 200
        assert caller.writer.get_extra_info("ssl_object").getpeercert(binary_form=True) == before.der
        caller.writer.close()
        gateway.apply(document("Certificate", "shop", {"files": FILES, "hosts": ["a.shop.example"]}))
        assert await is_refused(gateway, "shop.example") == "TLSV1_UNRECOGNIZED_NAME"


@pytest.mark.proves("Listener.hsts", "Hsts.max_age", "Hsts.include_subdomains", "Hsts.preload")
async def test_browsers_are_told_to_stay_with_tls() -> None:
    async with shop(certificate()) as gateway:
        for hsts, line in (
            ({"max_age": "1h"}, "max-age=3600"),
            ({"include_subdomains": True}, "max-age=31536000; includeSubDomains"),
            ({"include_subdomains": True, "preload": True}, "max-age=31536000; includeSubDomains; preload"),
        ):
            gateway.apply(listener(hsts=hsts))
            for host in ("shop.example", "a.shop.example"):
                _, head, _ = await gateway.ask_by_tls(trusting(), host=host)
                assert f"Strict-Transport-Security: {line}\r\n" in head
        assert "Strict-Transport" not in (await gateway.ask())[1]


@pytest.mark.proves("Listener.redirect_https", "RedirectHttps.status", "RedirectHttps.port")
async def test_callers_without_tls_are_sent_there() -> None:
    async with shop(certificate()) as gateway:
        assert (await gateway.ask("/a?b=1"))[0] == 200
        gateway.apply(listener("edge", redirect_https={}))
        status, head, _ = await gateway.ask("/a//b?c=1")
        assert (status, "Location: https://shop.example/a/b?c=1\r\n" in head) == (308, True)
        assert (await gateway.ask("/.well-known/acme-challenge/x"))[0] == 200
        assert (await gateway.ask_by_tls(trusting()))[0] == 200
        gateway.apply(listener("edge", redirect_https={"status": 301, "port": 8543}))
        status, head, _ = await gateway.ask(host="shop.example:8580")
        assert (status, "Location: https://shop.example:8543/\r\n" in head) == (301, True)


@pytest.mark.proves("Listener.hosts")
async def test_a_listener_serves_its_hosts_alone() -> None:
    async with shop(listener("edge", hosts=["shop.example", "*.shop.example"])) as gateway:
        assert [(await gateway.ask(host=host))[0] for host in ("shop.example", "a.b.shop.example")] == [200, 200]
        assert [(await gateway.ask(host=host))[0] for host in ("other.example", "xshop.example")] == [404, 404]
        assert gateway.lines[-1]["policy"] == "listener edge"


@pytest.mark.proves("Listener.trusted_proxies")
async def test_a_proxy_is_believed_where_the_listener_says_so() -> None:
    async with shop() as gateway:
        for trusted, client in (([], "127.0.0.1"), (["127.0.0.0/8"], "203.0.113.9")):
            gateway.apply(listener("edge", trusted_proxies=trusted))
            await gateway.ask(fields="X-Forwarded-For: 203.0.113.9\r\n")
            assert gateway.lines[-1]["peer"] == client


async def test_silent_callers_do_not_keep_the_others_out() -> None:
    async with shop(certificate()) as gateway:
        silent = [socket.create_connection(("127.0.0.1", gateway.tls_port)) for _ in range(70)]
        try:
            for each in silent:
                each.send(b"\x16\x03\x01")  # a ClientHello that never goes on
            assert (await gateway.ask_by_tls(trusting()))[0] == 200
        finally:
            for each in silent:
                each.close()


@pytest.mark.proves("Certificate.secret")
async def test_a_certificate_of_a_secret_is_shown_and_replaced_with_it(tmp_path: Path) -> None:
    async with shop() as gateway:

        def take(frame: ChannelFrame) -> None:
            if isinstance(frame, PairFrame):
                gateway.serving.pairs.take((frame.namespace, frame.name), frame.pair)

        sources = CertificateSources(tmp_path, gateway.secrets, take, lambda: None)
        written = document("Certificate", "sealed", {"secret": "s"})
        gateway.apply(written)
        sources.take([written])
        await sources.refresh()
        assert await is_refused(gateway, "sealed.example") == "TLSV1_UNRECOGNIZED_NAME"
        for issued in (ROOT.issue("sealed.example"), ROOT.issue("sealed.example")):
            data = {"certificate": issued.certificate.decode(), "private_key": issued.key.decode()}
            gateway.secrets.take(contents("s", "tls", data))
            await sources.refresh()
            assert await shown(gateway, "sealed.example") == issued.der


@pytest.mark.proves("ListenerTls.certificates")
async def test_a_listener_shows_the_certificates_that_it_names_and_no_others() -> None:
    named = ROOT.issue("shop.example")
    async with shop(certificate(), certificate("main", "mesh", listeners=["mesh-tls"])) as gateway:
        hold(gateway, named, "main", "mesh")
        assert await shown(gateway, "shop.example") != named.der
        gateway.apply(listener(tls={"certificates": ["main"]}))
        assert await shown(gateway, "shop.example") == named.der
        assert await is_refused(gateway, "a.shop.example") == "TLSV1_UNRECOGNIZED_NAME"


@pytest.mark.proves("ListenerTls.resumption")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_goes_on_unless_the_listener_says_no(version: ssl.TLSVersion) -> None:
    async with shop(certificate()) as gateway:
        tls = trusting()
        tls.minimum_version = tls.maximum_version = version

        def is_resumed() -> bool:
            kept: ssl.SSLSession | None = None
            for _ in range(2):
                plain = socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=10.0)
                with tls.wrap_socket(plain, server_hostname="shop.example", session=kept) as caller:
                    caller.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
                    assert caller.recv(4096).startswith(b"HTTP/1.1 200")
                    kept, was_resumed = caller.session, bool(caller.session_reused)
            return was_resumed

        assert await asyncio.to_thread(is_resumed)
        gateway.apply(listener(tls={"resumption": False}))
        assert not await asyncio.to_thread(is_resumed)


@pytest.mark.proves("ListenerLimits.handshakes")
async def test_as_many_handshakes_are_under_way_as_the_listener_says() -> None:
    async with shop(certificate()) as gateway:
        gateway.apply(listener(limits={"handshakes": 2}))
        silent = [socket.create_connection(("127.0.0.1", gateway.tls_port)) for _ in range(3)]
        try:
            for each in silent:
                each.send(b"\x16\x03\x01")
            assert (await gateway.ask_by_tls(trusting()))[0] == 200  # who was silent for a second makes room
            assert gateway.handshakes[1] >= 1
        finally:
            for each in silent:
                each.close()
