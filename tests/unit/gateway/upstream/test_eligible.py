from msgspec.structs import replace

from gateway.upstream.eligible import eligible_endpoints, state_of
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Status
from tests.parts.endpoints import ELIGIBLE, endpoint


def ids(*some: Endpoint, now: float = 100.0) -> tuple[list[str], bool]:
    eligible = eligible_endpoints(some, (), ELIGIBLE, "", now)
    return [one.id for one in eligible.endpoints], eligible.is_panicking


def in_status(identity: str, status: Status) -> Endpoint:
    made = endpoint(identity)
    made.instance = replace(made.instance, status=status)
    return made


def failing(identity: str, failed_at: float, *, refused: bool = False) -> Endpoint:
    made = endpoint(identity)
    made.is_check_failing = True
    made.is_connect_refused = refused
    made.outlier = type("Record", (), {"failed_at": failed_at})()
    return made


def ejected(identity: str, until: float = 200.0) -> Endpoint:
    made = endpoint(identity)
    made.ejected_until = until
    return made


def test_only_who_passes_with_a_weight_and_is_not_ejected_nor_failing_may_serve() -> None:
    out = (
        in_status("critical", "critical"),
        in_status("draining", "draining"),
        in_status("maintenance", "maintenance"),
        endpoint("weightless", weight=0),
        ejected("ejected"),
        failing("failing", 1.0),
    )
    assert ids(endpoint("a"), *out, endpoint("b")) == (["a", "b"], False)
    assert [state_of(one, 100.0) for one in out] == [
        "critical", "draining", "maintenance", "drained", "ejected", "check_failing",
    ]  # fmt: skip
    assert state_of(endpoint("a"), 100.0) == "passing"


def test_an_ejection_ends_by_time() -> None:
    assert ids(ejected("a", until=100.0), endpoint("b")) == (["a", "b"], False)


def test_when_none_is_healthy_suspects_serve_the_least_recently_failed_first() -> None:
    some = (failing("late", 90.0), ejected("never"), failing("early", 10.0))
    assert ids(*some) == (["never", "early", "late"], True)


def test_not_even_in_panic_may_those_serve_who_drain_or_refuse_connections() -> None:
    some = (in_status("a", "draining"), in_status("b", "critical"), failing("c", 1.0, refused=True), endpoint("d", 0))
    assert ids(*some) == ([], False)
