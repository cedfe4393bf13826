import msgspec
import pytest

from meshway.assignments.messages import MOST_ASKS, Ask, Asks, Budget, loan_of
from meshway.snapshot import MAX_FRAME
from registry.machine.surface import BODY_LIMIT


def bucket(limit: int) -> Budget:
    return Budget(id="b", limit=limit, rate=1.0)


def test_a_quarter_of_a_bucket_may_be_borrowed_by_all_workers_together() -> None:
    assert [loan_of(bucket(100), workers) for workers in (0, 1, 8, 25, 26)] == [0, 25, 3, 1, 0]


def test_a_window_lends_nothing() -> None:
    assert loan_of(Budget(id="w", kind="window", limit=100, rate=1.0, window_s=100.0, segments=10), 2) == 0


@pytest.mark.parametrize("wrong", [{"want": -1}, {"key": "x" * 65}, {"worker": ""}, {"held": 1 << 41}])
def test_asks_are_read_with_their_bounds(wrong: dict[str, object]) -> None:
    right = {"budget": 0, "key": "k", "worker": "1", "want": 1}
    body = {"node": "gw", "workers": 1, "budgets": [{"id": "b", "limit": 1, "rate": 1.0}], "asks": [right]}
    assert msgspec.json.decode(msgspec.json.encode(body), type=Asks).asks == (Ask(**right),)  # type: ignore[arg-type]
    body["asks"] = [right | wrong]
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(body), type=Asks)


def test_the_largest_body_fits_into_a_frame_and_a_request() -> None:
    names = [f"{'n' * 63}/{'l' * 63}@route/{'n' * 63}/{number:063}" for number in range(MOST_ASKS)]
    day = Budget(id="d", kind="window", limit=10**6, rate=1 / 3, window_s=86_400.0, segments=60)
    budgets = tuple(msgspec.structs.replace(day, id=name) for name in names)
    asks = tuple(
        Ask(budget=at, key="0" * 32, worker="4194304", want=4096, held=4096, back=4096, mark=10**9)
        for at in range(MOST_ASKS)
    )
    body = Asks(node="n" * 253, workers=64, budgets=budgets, asks=asks)
    assert len(msgspec.json.encode(body)) <= BODY_LIMIT
    assert len(msgspec.msgpack.encode(body)) <= MAX_FRAME - 100
