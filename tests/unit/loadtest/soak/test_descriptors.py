import asyncio
import os
import socket
from collections import Counter

from loadtest.soak import report
from loadtest.soak.descriptors import Count, Descriptors, changed_kinds, kinds_of, left
from loadtest.soak.trouble import STEADY


def counts(known: int, own: int, kept: int, at: float = 0.0) -> list[Count]:
    """Three of them; a gateway knows those to plain."""
    return [Count(at + 10.0 * turn, known, Counter({"pipe": own, "tcp to plain": kept})) for turn in range(3)]


def test_each_descriptor_is_told_by_what_it_is_and_with_whom() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(type=socket.SOCK_DGRAM) as sending:
        port = listening.getsockname()[1]
        before = kinds_of([os.getpid()], {port: "plain"})
        sending.connect(("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)), listening.accept()[0]:
            ends = os.pipe()
            found = kinds_of([os.getpid()], {port: "plain"}) - before
            for end in ends:
                os.close(end)
    assert {kind: number for kind, number in found.items() if "plain" in kind or kind == "pipe"} == {
        "tcp to plain": 1,
        "tcp from callers of plain": 1,
        "udp to plain": 1,
        "pipe": 2,
    }


def test_kept_connections_are_no_leak_and_hide_none() -> None:
    assert left(counts(known=10, own=4, kept=10), counts(known=30, own=4, kept=30)) == 0
    assert left(counts(known=30, own=4, kept=30), counts(known=10, own=9, kept=10)) == 5
    assert left(counts(known=10, own=4, kept=10), counts(known=10, own=4, kept=30)) == 20, "it does not know them"


def test_what_was_left_open_is_told_by_kind_the_most_first() -> None:
    before, after = counts(known=10, own=4, kept=10), counts(known=10, own=9, kept=30)
    assert list(changed_kinds(before, after)) == [("tcp to plain", 10, 30), ("pipe", 4, 9)]


def test_a_gateway_that_leaves_descriptors_open_is_wrong_and_one_that_was_never_counted() -> None:
    leaking = Descriptors(os.getpid, counts=counts(10, 4, 10, at=300.0) + counts(10, 13, 10, at=1_780.0))
    wrong: list[str] = []
    lines = list(report.of_descriptors({STEADY: leaking}, 1_800.0, wrong))
    assert wrong == [f"{STEADY}: 9 descriptors are left open that it does not know"]
    assert lines[-1] == f"- {STEADY}: 4 → 13 pipe"
    list(report.of_descriptors({STEADY: Descriptors(os.getpid)}, 1_800.0, wrong))
    assert wrong[1:] == [f"{STEADY}: its descriptors were not counted"]


async def test_one_that_does_not_answer_is_not_counted() -> None:
    async def gone() -> float:
        raise ConnectionRefusedError

    lost, there = Descriptors(os.getpid, gone), Descriptors(os.getpid)
    async with asyncio.timeout(5.0):
        await lost.count(1.0, {})
        await there.count(1.0, {})
    assert (lost.counts, len(there.counts)) == ([], 1)
