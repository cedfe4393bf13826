import pytest

from meshway.problem import Problem
from registry.catalog.catalog import Catalog
from registry.revisions.revisions import Revisions
from tests.parts.fake_store import FakeStore
from tests.parts.lease_bench import LeaseBench
from tests.parts.registry_bench import written


def catalog() -> tuple[LeaseBench, Catalog]:
    bench = LeaseBench()
    return bench, Catalog(bench.view, Revisions(bench.view, FakeStore(), wall=lambda: 1.0), bench.leases)


def test_instances_are_found_by_status_tag_zone_and_version() -> None:
    bench, found = catalog()
    bench.register(instance_id="b1", tags=("blue",), zone="z1", version="v1")
    bench.register(instance_id="b2", tags=("blue", "green"), zone="z2", version="v2")

    def ids(**filters: str) -> list[str]:
        return [item.id for item in found.instances("default", "books", **filters).items]  # type: ignore[arg-type]

    assert ids() == ["b1", "b2"]
    assert ids(tag="green") == ["b2"]
    assert ids(zone="z1") == ["b1"]
    assert ids(version="v2") == ["b2"]
    assert ids(status="critical") == []


def test_a_service_nobody_knows_has_no_instances_and_no_page() -> None:
    _, found = catalog()
    assert found.instances("default", "none").items == []
    with pytest.raises(Problem) as refused:
        found.service("default", "none")
    assert refused.value.status == 404


def test_instances_come_in_pages() -> None:
    bench, found = catalog()
    for at in range(5):
        bench.register(instance_id=f"b{at}")
    first = found.instances("default", "books", limit=3)
    rest = found.instances("default", "books", limit=3, cursor=first.next)
    assert [item.id for item in first.items + rest.items] == [f"b{at}" for at in range(5)]
    assert rest.next is None


async def test_a_service_shows_how_its_instances_are() -> None:
    bench, found = catalog()
    bench.register(instance_id="b1", ttl_s=3)
    bench.register(instance_id="b2", ttl_s=60)
    bench.apply(written("Service", "books", {"owner": "us"}))
    await bench.sweep(5.0)
    summary = found.service("default", "books")
    assert (summary.status.passing, summary.status.critical) == (1, 1)
    assert (summary.documented, summary.spec, summary.revision) == (True, {"owner": "us"}, 4)
    assert [one.name for one in found.services("-").items] == ["books"]
    assert found.services("other").items == []


def test_an_instance_shows_what_is_left_of_its_lease() -> None:
    bench, found = catalog()
    bench.register(ttl_s=10)
    bench.clock.advance(4)
    one = found.instance("default", "books", "b1")
    assert (one.expires_in_s, one.ttl_s, one.unrenewed) == (6.0, 10, False)


def test_a_heartbeat_by_id_needs_no_lease_id() -> None:
    bench, found = catalog()
    bench.register(ttl_s=10)
    bench.clock.advance(4)
    found.heartbeat_by_id("default", "books", "b1")
    assert bench.leases.expires_in_s(1) == 10.0
    with pytest.raises(Problem) as refused:
        found.heartbeat_by_id("default", "books", "b2")
    assert refused.value.status == 404
