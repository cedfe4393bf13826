import asyncio
import logging

import pytest

from meshway.http1.head import HeadLimits, RequestReader
from meshway.problem import Problem
from registry.compat.outcomes import in_form, reason_of
from registry.machine.request import Reply, Request
from registry.rights.caller import TRUSTED

FULL = Problem(503, "busy", "Busy", detail="too many writes wait", mend="come again")


def _refuse(problem: Problem) -> Reply:
    return Reply(problem.status, reason_of(problem).encode())


def _raises(error: Exception) -> Reply:
    raise error


def _request() -> Request:
    head = RequestReader(HeadLimits(), strip=False).read(b"GET /eureka/apps HTTP/1.1\r\nHost: localhost\r\n\r\n", 0)
    assert head is not None
    segments = ("eureka", "apps")
    return Request(
        head, b"", method="GET", path="/eureka/apps", segments=segments, query="", peer="127.0.0.1", caller=TRUSTED
    )


def _later() -> asyncio.Future[Reply]:
    return asyncio.get_running_loop().create_future()


async def test_what_is_raised_at_once_and_what_comes_later_get_the_same_form() -> None:
    request = _request()
    now = in_form(request, lambda _: _raises(FULL), _refuse)
    assert isinstance(now, Reply)
    assert (now.status, now.body) == (503, b"too many writes wait (come again)")
    waited = _later()
    later = in_form(request, lambda _: waited, _refuse)
    assert isinstance(later, asyncio.Future)
    waited.set_exception(FULL)
    assert (await later).body == now.body


async def test_an_answer_passes_as_it_is_and_a_stop_is_a_stop() -> None:
    request = _request()
    reply = Reply(200)
    assert in_form(request, lambda _: reply, _refuse) is reply
    waited = [_later(), _later()]
    answered = in_form(request, lambda _: waited[0], _refuse)
    cancelled = in_form(request, lambda _: waited[1], _refuse)
    assert isinstance(answered, asyncio.Future)
    assert isinstance(cancelled, asyncio.Future)
    waited[0].set_result(reply)
    waited[1].cancel()
    assert await answered is reply
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_fault_of_ours_keeps_its_reason_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    request = _request()
    with caplog.at_level(logging.ERROR):
        answer = in_form(request, lambda _: _raises(RuntimeError("the secret reason")), _refuse)
    assert isinstance(answer, Reply)
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "the secret reason" in caplog.text
