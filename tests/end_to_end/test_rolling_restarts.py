"""bookinfo, all of it, replaced copy by copy under load: nobody who reads, reviews or rates notices.

A new copy registers, then the old one is told to go, as a deployment does it. The page tells of calls between the
services that failed (`x-bookinfo-errors`), so what readers do not see counts as well.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from meshway.tasks import spawn
from tests.parts.bookinfo import Bookinfo
from tests.parts.load import Load
from tests.parts.mesh import Mesh

RESTARTS = 100
REVIEW = b'{"text": "fine"}'
RATING = b'{"reviewer": "Ada", "stars": 4}'
# What each connection asks in turn. v1 of reviews is asked by who reads as jason only.
CALLS = (
    ("GET", "/productpage", "", b""),
    ("POST", "/api/reviews/0", "", REVIEW),
    ("GET", "/productpage", "end-user: jason\r\n", b""),
    ("POST", "/api/ratings/0", "", RATING),
    ("GET", "/api/details/0", "", b""),
)


def request_of(number: int) -> tuple[str, str, bytes]:
    method, path, fields, body = CALLS[number % len(CALLS)]
    request_id = f"restarts-{number:08d}"
    head = f"{method} {path} HTTP/1.1\r\nHost: bookinfo.example\r\nx-request-id: {request_id}\r\n{fields}"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return method, request_id, f"{head}\r\n".encode() + body


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_rolling_restarts_of_the_whole_shop_lose_no_call(start_mesh: Callable[..., Mesh]) -> None:
    mesh = start_mesh(2)
    bookinfo = Bookinfo(mesh)
    restarted: Counter[str] = Counter()
    load = Load(int(mesh.edge.rpartition(":")[2]), 8, request_of)
    try:
        bookinfo.start()
        roll = threading.Thread(target=roll_over, args=(bookinfo, restarted))
        roll.start()
        asyncio.run(run_while(load, roll))
        roll.join()
    finally:
        bookinfo.close()
    asked = Counter(call.method for call in load.calls)
    print(f"{sum(restarted.values())} restarts {dict(restarted)}, {dict(asked)}, {len(load.failures)} failures")
    assert load.failures == []
    assert sum(restarted.values()) == RESTARTS
    assert set(restarted) == {"details", "ratings", "reviews", "productpage"}
    assert min(asked["GET"], asked["POST"]) > 10 * RESTARTS


async def run_while(load: Load, roll: threading.Thread) -> None:
    running = spawn(load.run(), name="load")
    await asyncio.to_thread(roll.join)
    load.stopping.set()
    await running


def roll_over(bookinfo: Bookinfo, restarted: Counter[str]) -> None:
    """The copy that has run longest makes way, again and again."""
    for _ in range(RESTARTS):
        old = next(copy for copy in bookinfo.copies if copy.is_running())
        bookinfo.add(old.service, old.version)
        old.drain()
        restarted[old.service] += 1
