"""How long a session holds, and what its refresh comes to."""

import asyncio
from typing import Any

import msgspec

from gateway.authentication.oidc_client import OidcClient
from gateway.authentication.oidc_method import OidcMethod
from gateway.authentication.proof import Proof
from gateway.authentication.session_cookie import Jar, Session
from gateway.consumer_ring import ConsumerRing
from gateway.exchange import EDGE, Exchange
from gateway.secret_ring import SecretRing
from meshway.http1.head import HeadLimits, RequestReader
from meshway.issuers.code_flow import IssuerAway, LoginRefused, Tokens
from meshway.issuers.key_ring import KeyRing
from meshway.issuers.link import IssuerLink
from meshway.model.oidc import Oidc, OidcSession
from meshway.snapshot import SecretContents, SecretFrame
from meshway.units import Duration
from tests.parts.clock import ManualClock

NAME = "https://id.example#ada"


class Issuer(OidcClient):
    """Answers refreshes as the test says, in place of the network."""

    answer: Tokens | Exception
    asked = 0

    async def refresh(self, token: str, subject: object) -> Tokens:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Bench:
    """One worker and one browser."""

    def __init__(self, session_key: bytes = b"k" * 32, **fields: Any) -> None:
        self.clock = ManualClock(1_800_000_000.0)
        self.secrets = SecretRing()
        data = {"client_secret": "s"}
        self.secrets.take(SecretFrame("default", "login", "opaque", [], [SecretContents(None, data, session_key)]))
        session = OidcSession(lifetime=Duration(3600.0), idle=Duration(600.0))
        spec = Oidc(issuer="https://id.example", client_id="desk", client_secret="login", session=session, **fields)
        link = IssuerLink(allow_loopback=False)
        self.client = Issuer(spec, "default", "default/people", KeyRing(), self.secrets, link, self.clock, self.clock)
        jar = Jar("default/people", "", "lax")
        self.method = OidcMethod(
            self.client, jar, "default", "Authentication default/people", ConsumerRing(), self.clock, self.clock
        )
        self.fields = b""

    def log_in(self, **changes: Any) -> None:
        now = self.clock()
        session = msgspec.structs.replace(Session(now, now, 0.0, "", "", {"sub": "ada"}), **changes)
        self.take(self.method.cookies(session, b"") or b"")

    def take(self, given: bytes) -> None:
        if given:
            pairs = [line.partition(b": ")[2].partition(b";")[0] for line in given.split(b"\r\n") if line]
            self.fields = b"Cookie: " + b"; ".join(pairs) + b"\r\n"

    async def call(self) -> str:
        """Who the caller is."""
        head = RequestReader(HeadLimits()).read(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % self.fields)
        assert head is not None
        exchange = Exchange(head, EDGE, "10.0.0.7", self.clock())
        waiting = self.method.prepare(exchange)
        if waiting is not None:
            await waiting
        shown = self.method.shown(exchange)
        self.take(exchange.added)
        if not shown:
            return "nobody"
        proof = self.method.judge(shown[0])
        assert isinstance(proof, Proof)
        return proof.principal.name


async def test_a_session_that_is_used_ends_with_its_lifetime_and_one_that_is_not_when_it_was_idle() -> None:
    bench = Bench()
    bench.log_in()
    for _ in range(11):
        bench.clock.advance(300.0)
        assert await bench.call() == NAME
    bench.clock.advance(301.0)
    assert await bench.call() == "nobody"
    bench.log_in()
    bench.clock.advance(599.0)
    kept = bench.fields
    assert await bench.call() == NAME
    bench.fields = kept  # the cookie that does not tell of that call
    bench.clock.advance(2.0)
    assert await bench.call() == "nobody"


async def test_calls_of_one_session_share_a_refresh() -> None:
    bench = Bench()
    bench.log_in(expires=bench.clock() + 100.0, refresh="r1")
    assert (await bench.call(), bench.client.asked) == (NAME, 0)
    bench.clock.advance(41.0)
    bench.client.answer = Tokens(None, "a", "", "r2", bench.clock() + 100.0)
    before = bench.fields
    assert await asyncio.gather(*(bench.call() for _ in range(5))) == [NAME] * 5
    assert (bench.client.asked, bench.fields != before) == (1, True)
    assert (await bench.call(), bench.client.asked) == (NAME, 1)


async def test_a_session_outlives_its_issuers_absence_and_not_its_refusal() -> None:
    bench = Bench()
    bench.log_in(expires=bench.clock() + 10.0, refresh="r1")
    bench.client.answer = IssuerAway("down")
    for _ in range(3):
        assert await bench.call() == NAME
        bench.clock.advance(31.0)
    assert bench.client.asked == 3
    bench.client.answer = LoginRefused("gone")
    assert await bench.call() == "nobody"
    assert await bench.call() == "nobody"


async def test_a_refusal_before_the_tokens_end_may_be_anothers_use_of_the_refresh_token() -> None:
    bench = Bench()
    bench.log_in(expires=bench.clock() + 50.0, refresh="r1")
    bench.client.answer = LoginRefused("used")
    assert await bench.call() == NAME
    bench.clock.advance(51.0)
    assert await bench.call() == "nobody"


async def test_a_token_that_has_ended_is_not_forwarded() -> None:
    bench = Bench(forward="access_token")
    bench.log_in(expires=bench.clock() + 50.0, forwarded="a1")
    assert await bench.call() == NAME
    bench.clock.advance(51.0)
    assert await bench.call() == "nobody"


async def test_without_a_key_of_the_registry_there_are_no_sessions() -> None:
    bench = Bench(session_key=b"")
    bench.log_in()
    assert (bench.fields, await bench.call()) == (b"", "nobody")


async def test_another_key_ends_the_sessions_of_the_former_one() -> None:
    bench = Bench()
    bench.log_in()
    assert await bench.call() == NAME
    other = SecretContents(None, {"client_secret": "s"}, b"K" * 32)
    bench.secrets.take(SecretFrame("default", "login", "opaque", [], [other]))
    bench.method.forget()
    assert await bench.call() == "nobody"
