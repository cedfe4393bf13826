"""Questions find their gateways here and over the bus, and end with the answer, or with who was missing."""

import asyncio
from typing import Any, cast

import pytest

from meshway.problem import Problem
from meshway.snapshot import FrameReader, Question
from meshway.tasks import spawn
from registry.feed.feed import Feed
from registry.live.memory import MemoryBus
from registry.questions import MOST_WAITING, Questions


class Gateway:
    """A follower that answers what it is asked, at once; "" says nothing."""

    def __init__(self, node: str, answers: str) -> None:
        self.node = node
        self.asked: list[Question] = []
        self._answers = answers
        self.questions: Questions | None = None

    def ask(self, frame: bytes) -> None:
        (question,) = FrameReader().feed(frame)
        assert isinstance(question, Question)
        self.asked.append(question)
        if self._answers and self.questions is not None:
            asyncio.get_running_loop().call_soon(self.questions.take, question.id, self._answers)


class FeedOf:
    def __init__(self, *gateways: Gateway) -> None:
        self.followers = list(gateways)


def registry(*gateways: Gateway, ends: list[MemoryBus] | None = None) -> Questions:
    made = Questions(cast(Feed, FeedOf(*gateways)), MemoryBus(ends), is_shared=ends is not None)
    for gateway in gateways:
        gateway.questions = made
    return made


async def refusal(asking: Any) -> str:
    with pytest.raises(Problem) as caught:
        await asking
    return caught.value.code


async def test_one_gateway_is_asked_and_its_answer_is_the_answer() -> None:
    one, two = Gateway("gw-1", "1"), Gateway("gw-2", "2")
    assert await registry(one, two).ask("explain", {"a": 1}, wait_s=5.0) in ("1", "2")
    assert len(one.asked) + len(two.asked) == 1
    assert await registry(one, two).ask("explain", {}, node="gw-2", wait_s=5.0) == "2"


async def test_a_gateway_of_another_registry_is_asked_over_the_bus() -> None:
    ends: list[MemoryBus] = []
    here, elsewhere = registry(ends=ends), Gateway("gw-9", "9")
    registry(elsewhere, ends=ends)
    assert await here.ask("explain", {"a": 1}, wait_s=5.0) == "9"
    assert elsewhere.asked[0].body == {"a": 1}


async def test_all_gateways_answer_wherever_they_follow() -> None:
    ends: list[MemoryBus] = []
    here = registry(Gateway("gw-1", "1"), Gateway("gw-2", "2"), ends=ends)
    registry(Gateway("gw-3", "3"), ends=ends)
    assert sorted(await here.ask_all("rehearse", {}, count=3, wait_s=5.0)) == ["1", "2", "3"]
    assert sorted(await here.ask_all("rehearse", {}, count=4, wait_s=0.05)) == ["1", "2", "3"]


async def test_who_is_missing_is_told() -> None:
    assert await refusal(registry().ask("explain", {}, wait_s=5.0)) == "no_gateway"
    assert await refusal(registry(Gateway("gw-1", "1")).ask("explain", {}, node="gw-2", wait_s=5.0)) == "no_gateway"
    assert await refusal(registry(Gateway("gw-1", "")).ask("explain", {}, wait_s=0.02)) == "no_answer"


async def test_questions_are_bounded_in_size_and_number() -> None:
    silent = registry(Gateway("gw-1", ""))
    assert await refusal(silent.ask("explain", "x" * (1 << 20), wait_s=1.0)) == "too_large"
    waiting = [spawn(silent.ask("explain", {}, wait_s=30.0), name="question") for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    assert await refusal(silent.ask("explain", {}, wait_s=1.0)) == "busy"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not silent.take("anything", 1), "what nobody asked finds nobody"
