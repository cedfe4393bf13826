"""Signed requests (RFC 9421) through real sockets: what is covered, when, by whose key, once, and with which body."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from meshway.snapshot import Change, encode_frame
from tests.integration.gateway.test_credentials import GOOD, authentication, consumer, shown, statuses
from tests.integration.gateway.test_decisions import route, saying, services
from tests.parts.changes import to
from tests.parts.compiled import compiled_gateway
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.secrets import contents, kept
from tests.parts.signed_requests import COMPONENTS, HMAC_KEYS, digest_of, signed
from tests.parts.tokens import SigningKey


def tills(**fields: Any) -> Change:
    return authentication({"hmac": {"keys": "tills"} | fields}, name="tills")


@pytest.mark.proves("AuthenticationMethod.hmac", "Hmac.keys", "Hmac.max_age", "Hmac.nonce")
async def test_only_a_fresh_signature_of_this_very_request_by_a_known_key_is_let_in() -> None:
    upstream, now = saying("1"), int(time.time())
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), tills()) as gateway:
        assert await statuses(gateway, signed()) == [401]
        gateway.secrets.take(contents("tills", "hmac_keys", HMAC_KEYS))
        status, head, _ = await gateway.ask()
        assert (status, 'WWW-Authenticate: Signature realm="default/tills"\r\n' in head) == (401, True)
        bad = {
            "another path": signed("/a"),
            "another query": signed("/?a=1"),
            "another method": signed(method="POST"),
            "another host": signed(host="shop.example.evil"),
            "another secret": signed(secret=bytes(32)),
            "unknown key": signed(keyid="pos-8"),
            "no key": signed(keyid=None),
            "another algorithm": signed(alg="ed25519"),
            "no time": signed(created=None),
            "too old": signed(created=now - 400),
            "of a time to come": signed(created=now + 400),
            "expired": signed(expires=now - 1),
            "no nonce": signed(nonce=None),
            "unknown parameter": signed(context="a"),
            "too little covered": signed(components=COMPONENTS[:3]),
            "nothing covered": signed(components=("@method",)),
            "twice covered": signed(components=(*COMPONENTS, "@path")),
            "a field that is not there": signed(components=(*COMPONENTS, "x-not"), fields={"x-not": "a"}).replace(
                "x-not: a\r\n", ""
            ),
            "two signatures": signed() + signed(),
            "no input": signed().partition("Signature: ")[0],
            "no signature": "Signature: " + signed().partition("Signature: ")[2],
            "names that differ": signed().replace("Signature: sig1", "Signature: sig2"),
            "nonsense": "Signature-Input: sig1=()\r\nSignature: sig1=:AA==:\r\n",
        }
        found = {name: (await gateway.ask(fields=fields))[0] for name, fields in bad.items()}
        assert {name: status for name, status in found.items() if status != 401} == {}
        assert not upstream.requests
        once = signed(nonce="only-once")
        assert await statuses(gateway, signed(), once, once, signed()) == [200, 200, 401, 200]
        assert (await gateway.ask("/a/b?c=%41&d", fields=signed("/a/b?c=%41&d")))[0] == 200
        assert gateway.lines[-1]["principal"] == "signature:pos-7"
        assert all(not one.values(b"signature") and not one.values(b"signature-input") for one in upstream.requests)
        gateway.apply(tills(nonce="optional", max_age="1m"))
        plain = signed(nonce=None)
        assert await statuses(gateway, plain, plain, signed(created=now - 100, nonce=None)) == [200, 200, 401]
        gateway.secrets.take(contents("tills", "hmac_keys", [HMAC_KEYS[0] | {"expires": "2020-01-01"}]))
        assert await statuses(gateway, signed()) == [401]


@pytest.mark.proves("Hmac.components", "Hmac.max_body")
async def test_a_body_is_held_until_its_digest_agrees_and_is_forwarded_whole() -> None:
    upstream = saying("1")
    policy = tills(components=[*COMPONENTS, "x-till"], max_body=4096)
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), policy) as gateway:
        gateway.secrets.take(contents("tills", "hmac_keys", HMAC_KEYS))
        sale, till = b"a sale", {"x-till": "7"}
        covered = (*COMPONENTS, "content-digest", "x-till")

        async def post(fields: str, body: bytes) -> int:
            return (await gateway.ask(method="POST", fields=fields, body=body.decode()))[0]

        def of(body: bytes, **more: Any) -> str:
            return signed(method="POST", body=body, components=covered, **({"fields": till} | more))

        assert await post(of(sale), sale) == 200
        assert bytes(upstream.requests[-1].body) == sale
        assert await post(of(sale, fields=till | {"content-digest": digest_of(sale, "sha-512")}), sale) == 200
        count = len(upstream.requests)
        assert await post(of(sale), b"a theft"[:6]) == 401
        assert json.loads((await gateway.ask(method="POST", fields=of(sale), body="a salt"))[2])["policy"].endswith(
            "tills"
        )
        for digest in ("md5=:AAAA:", "sha-256=:A:", f"{digest_of(sale)}, sha-512=:AAAAA:"):
            assert await post(of(sale, fields=till | {"content-digest": digest}), sale) == 401, digest
        assert (
            await post(signed(method="POST", body=sale, components=(*COMPONENTS, "x-till"), fields=till), sale) == 401
        )
        assert await post(signed(method="POST", body=sale), sale) == 401, "x-till is not covered"
        large = bytes(5000).replace(b"\0", b"a")
        assert await post(of(large), large) == 413
        assert len(upstream.requests) == count
        chunked = of(sale).replace("Content-Length: 6", "Transfer-Encoding: chunked")
        assert await post(chunked, b"2\r\na \r\n4\r\nsale\r\n0\r\n\r\n") == 200
        assert bytes(upstream.requests[-1].body) == sale
        assert await post(chunked, b"2\r\na \r\n4\r\nsalt\r\n0\r\n\r\n") == 401


async def test_a_body_is_held_too_where_another_method_names_the_caller() -> None:
    upstream = saying("1")
    both = authentication({"api_key": {}}, {"hmac": {"keys": "tills"}}, name="tills", require="all")
    acme = consumer("acme", {"api_key": kept(GOOD)})
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), both, acme) as gateway:
        gateway.secrets.take(contents("tills", "hmac_keys", HMAC_KEYS))
        for body, status in (("a sale", 200), ("a salt", 401)):
            fields = signed(method="POST", body=b"a sale") + shown(GOOD)
            assert (await gateway.ask(method="POST", fields=fields, body=body))[0] == status
        assert [bytes(one.body) for one in upstream.requests] == [b"a sale"]


async def test_a_body_that_comes_slowly_or_in_the_end_too_large_is_waited_for_and_refused() -> None:
    upstream = saying("1")
    async with (
        services(upstream) as books,
        compiled_gateway(*books, route(to("books")), tills(max_body=2048)) as gateway,
    ):
        gateway.secrets.take(contents("tills", "hmac_keys", HMAC_KEYS))
        for pieces, status in (
            ((b"1" * 700, b"2" * 700), 200),
            ((b"1" * 700, b"3" * 700), 401),
            ((b"1" * 1500,) * 3, 413),
        ):
            expected = b"1" * 700 + b"2" * 700
            fields = signed(method="POST", body=expected).replace("Content-Length: 1400", "Transfer-Encoding: chunked")
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(f"POST / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n".encode())
            for piece in pieces:
                await asyncio.sleep(0.02)
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            writer.write(b"0\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10.0)
            writer.close()
            assert int(head[9:12]) == status, pieces[-1][:1]
        assert [bytes(one.body) for one in upstream.requests] == [expected]


async def test_public_keys_of_a_secret_verify_what_their_owners_sign() -> None:
    upstream = saying("1")
    ed, ec, other = SigningKey("OKP"), SigningKey("EC"), SigningKey("EC")
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), tills()) as gateway:
        gateway.secrets.take(contents("tills", "jwks", {"keys": [ed.jwk("ed"), ec.jwk("ec")]}))
        by_ed: dict[str, Any] = {"alg": "ed25519", "keyid": "ed"}
        by_ec: dict[str, Any] = {"alg": "ecdsa-p256-sha256", "keyid": "ec"}
        good = (signed(key=ed, **by_ed), signed(key=ec, **by_ec), signed(key=ec, **by_ec | {"alg": None}))
        assert await statuses(gateway, *good) == [200, 200, 200]
        bad = (signed(key=other, **by_ec), signed(key=ec, **by_ec | {"alg": "hmac-sha256"}), signed(keyid="ec"))
        assert await statuses(gateway, *bad) == [401, 401, 401]
        shared = {"kty": "oct", "kid": "pos-7", "alg": "HS256", "k": "A" * 43}
        gateway.secrets.take(contents("tills", "jwks", {"keys": [shared]}))
        assert await statuses(gateway, signed(secret=bytes(32))) == [401], "hmac_keys are for that"


async def test_who_waits_to_be_told_to_send_the_body_is_told_before_there_is_a_service() -> None:
    upstream, body = saying("1"), b"a sale"
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), tills()) as gateway:
        gateway.secrets.take(contents("tills", "hmac_keys", HMAC_KEYS))
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = (
            f"POST / HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\n{signed(method='POST', body=body)}\r\n"
        )
        writer.write(head.encode())
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert not upstream.requests
        writer.write(body)
        while (head_line := await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0)).startswith(b"HTTP/1.1 100 "):
            pass
        writer.close()
        assert head_line.startswith(b"HTTP/1.1 200 ")


async def test_a_request_that_is_shown_again_is_refused_by_every_worker(tmp_path: Path) -> None:
    async with services(saying("1")) as books, Feed() as feed:
        feed.commit(*books, route(to("books")), tills())
        async with GatewayProcess(tmp_path, feed.url, workers=2) as gateway:
            feed.send(encode_frame(contents("tills", "hmac_keys", HMAC_KEYS)))
            port = int(gateway.edge.rpartition(":")[2])

            async def call(fields: str) -> int:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n".encode())
                line = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10.0)
                writer.close()
                return int(line[9:12])

            end = time.monotonic() + 20.0
            while set(await asyncio.gather(*(call(signed(nonce=f"a{time.monotonic_ns()}")) for _ in range(8)))) != {
                200
            }:
                assert time.monotonic() < end, gateway.text()
                await asyncio.sleep(0.05)
            for _ in range(3):
                again = signed()
                answers = await asyncio.gather(*(call(again) for _ in range(12)))
                assert sorted(answers) == [200] + [401] * 11
            await gateway.kill()
            await gateway.start()
            end = time.monotonic() + 20.0
            while await call(signed(nonce=f"b{time.monotonic_ns()}")) != 200:
                assert time.monotonic() < end, gateway.text()
                feed.send(encode_frame(contents("tills", "hmac_keys", HMAC_KEYS)))  # it may follow only now
                await asyncio.sleep(0.05)
            assert [await call(again) for _ in range(4)] == [401] * 4
