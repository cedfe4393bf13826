"""What calls get that an open breaker keeps away."""

import msgspec
import pytest

from meshway.model.instance import Instance
from meshway.snapshot import Change
from tests.integration.gateway.test_actions import ask, request
from tests.integration.gateway.test_decisions import saying
from tests.integration.gateway.test_healing import ROUTE, answering, breaker
from tests.parts.changes import document, running
from tests.parts.compiled import compiled_gateway


def spare(port: int) -> list[Change]:
    """Another service, and the subset that stands in; a call of the other subset would find nobody."""
    subsets = [{"name": "old", "match": {"version": "old"}}, {"name": "none", "match": {"version": "none"}}]
    return [running("spare", "1", port=port, version="old"), document("Service", "spare", {"subsets": subsets})]


@pytest.mark.proves("Breaker.fallback", "Fallback.respond", "Breaker.failures")
async def test_an_open_breaker_answers_what_its_policy_has_for_it() -> None:
    fallback = {"respond": {"status": 200, "body": "[]", "content_type": "application/json"}}
    policy = breaker(failure_percent=50, failures=[500], fallback=fallback)
    async with answering(status=500) as books, compiled_gateway(books, ROUTE, policy) as gateway:
        assert [(await gateway.ask())[0] for _ in range(3)] == [500] * 3
        status, head, body = await gateway.ask()
        assert (status, body) == (200, "[]")
        assert "Content-Type: application/json" in head
        assert "meshway-reason: breaker_open" in head


@pytest.mark.proves("Fallback.destination")
async def test_an_open_breaker_sends_calls_to_who_stands_in_bodies_and_all() -> None:
    upstream = saying("spare")
    policy = breaker(
        failure_percent=50, failures=[500], fallback={"destination": {"service": "spare", "subset": "old"}}
    )
    async with (
        answering(status=500) as books,
        upstream.running(),
        compiled_gateway(books, *spare(upstream.port), ROUTE, policy) as gateway,
    ):
        assert [(await gateway.ask())[0] for _ in range(3)] == [500] * 3
        assert (await gateway.ask("/a"))[::2] == (200, "spare")
        assert (await ask(gateway, request("POST", "Content-Length: 5\r\n", "hello", "/b")))[::2] == (200, "spare")
        assert [(one.target, one.body) for one in upstream.requests] == [(b"/a", b""), (b"/b", b"hello")]
        gateway.apply(breaker(failure_percent=50, failures=[500]))
        assert (await gateway.ask())[0] == 503


async def test_who_stands_in_hands_nobody_on() -> None:
    """The policy is for both services: each is the other's way out, and neither's is open for the other's calls."""
    policies = [
        document(
            "TrafficPolicy",
            of,
            {
                "targets": [{"service": of}],
                "breaker": {
                    "minimum_requests": 3,
                    "failures": [500],
                    "fallback": {"destination": {"service": other}},
                },
            },
        )
        for of, other in (("books", "films"), ("films", "books"))
    ]
    async with answering(status=500) as books, answering(status=500) as other:
        films = running("films", "1", port=port_of(other))
        async with compiled_gateway(books, films, ROUTE, *policies) as gateway:
            assert [(await gateway.ask())[0] for _ in range(6)] == [500] * 6
            status, _, body = await gateway.ask()
            assert (status, "the breaker of default/films is open" in body) == (503, True)


async def test_a_way_out_that_is_full_or_gone_says_so() -> None:
    fallback = {"destination": {"service": "spare", "subset": "none"}}
    policy = breaker(failure_percent=50, failures=[500], fallback=fallback)
    async with answering(status=500) as books, compiled_gateway(books, *spare(1), ROUTE, policy) as gateway:
        assert [(await gateway.ask())[0] for _ in range(3)] == [500] * 3
        status, _, body = await gateway.ask()
        assert (status, "default/spare#none has no instance" in body) == (503, True)


def port_of(change: Change) -> int:
    assert change.value is not None
    return msgspec.msgpack.decode(change.value, type=Instance).port
