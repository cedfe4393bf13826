import asyncio
import gzip
import json

from meshway.tasks import spawn
from registry.compat.eureka.changes import Changes
from registry.compat.eureka.forms import JSON, XML
from registry.compat.eureka.lists import SLICE, Lists
from tests.parts.clock import ManualClock
from tests.parts.registry_bench import Bench


async def test_it_is_made_once_a_revision_and_never_older_than_the_question() -> None:
    bench = Bench()
    lists = Lists(bench.view, Changes(bench.view, ManualClock()))
    for number in range(2 * SLICE):
        bench.register("books", f"b{number}")
    early = [spawn(lists.document(JSON, is_delta=False, packed=False), name="early") for _ in range(3)]
    await asyncio.sleep(0)  # the first has begun, and gives others their turn
    bench.register("books", "late")
    late = await lists.document(JSON, is_delta=False, packed=False)
    made = await asyncio.gather(*early)
    assert made[0] is made[1] is made[2]
    (application,) = json.loads(late.body)["applications"]["application"]
    assert "late" in [instance["instanceId"] for instance in application["instance"]]
    assert await lists.document(JSON, is_delta=False, packed=False) is late
    assert (await lists.document(XML, is_delta=False, packed=False)).body.startswith(b"<?xml")


async def test_only_what_is_worth_it_is_packed() -> None:
    bench = Bench()
    lists = Lists(bench.view, Changes(bench.view, ManualClock()))
    assert not (await lists.document(JSON, is_delta=False, packed=True)).is_packed
    for number in range(150):
        bench.register("books", f"b{number}")
    packed = await lists.document(JSON, is_delta=False, packed=True)
    plain = await lists.document(JSON, is_delta=False, packed=False)
    assert packed.is_packed
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 10


async def test_a_delta_ends_with_its_window() -> None:
    bench, clock = Bench(), ManualClock()
    lists = Lists(bench.view, Changes(bench.view, clock))
    bench.register("books", "b1")
    delta = json.loads((await lists.document(JSON, is_delta=True, packed=False)).body)["applications"]
    (instance,) = delta["application"][0]["instance"]
    assert (instance["actionType"], delta["versions__delta"]) == ("ADDED", "1")
    clock.now_s += 200
    later = json.loads((await lists.document(JSON, is_delta=True, packed=False)).body)["applications"]
    assert (later["application"], later["apps__hashcode"]) == ([], "UP_1_")
