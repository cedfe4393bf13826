import msgspec

from gateway.channel import Buckets
from gateway.compiler.filters import Limits, SpentLimits
from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from meshway.snapshot import Change
from tests.parts.changes import document, running
from tests.parts.clock import ManualClock


def limits(*changes: Change) -> Limits:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.0))
    compiler.snapshot(1, [running("books", "1"), *changes])
    return compiler.limits


def limit(name: str, service: str = "books") -> Change:
    return document("RateLimit", name, {"targets": [{"service": service}], "token_bucket": {"rate": "1/s", "burst": 3}})


def on_the_channel(spent: SpentLimits) -> SpentLimits:
    frame = msgspec.msgpack.decode(msgspec.msgpack.encode(Buckets(limits=spent)), type=Buckets)
    return frame.limits


def test_the_next_worker_goes_on_with_what_was_spent_of_limits_it_knows() -> None:
    old, new = limits(limit("same"), limit("gone")), limits(limit("same"), limit("fresh"))
    for each in old:
        each.counts.take("anna", 10.0)
    new.adopt(on_the_channel(old.spent(10.0, 1000)), 10.0)
    assert {each.name: each.counts.left("anna", 10.0) for each in new} == {"same": 2.0, "fresh": 3.0}


def test_when_there_is_no_room_for_all_the_longest_unused_are_left_out() -> None:
    old = limits(limit("one"))
    (only,) = old
    for number in range(10):
        only.counts.take(f"key{number}", 10.0)
    ((_, kept),) = old.spent(10.0, 3 * (4 + 9 + 16))
    assert [key for key, _ in kept] == ["key7", "key8", "key9"]
    assert old.spent(10.0, 0) == []
