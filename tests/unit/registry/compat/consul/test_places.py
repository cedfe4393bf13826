"""Finding an instance by what a Consul client calls it."""

from typing import Any

from registry.catalog.registering import Deregister
from registry.compat.consul.attributes import KEY, Attributes, attributes_text
from registry.compat.consul.places import Places, check_id_of
from tests.parts.registry_bench import Bench


def _metadata(**attributes: Any) -> dict[str, str]:
    return {KEY: attributes_text(Attributes(check="ttl", **attributes))}


def test_an_id_and_a_check_s_id_lead_to_the_instance_however_it_came() -> None:
    bench = Bench()
    bench.register("books", "b1", metadata=_metadata())
    places = Places(bench.view)
    bench.register("books", "b2-0123456789", metadata=_metadata(id="b:2", check_id="alive"))
    bench.register("native", "n1")
    found = {name: places.by_id("default", name) for name in ("b1", "b:2", "native:n1", "n1", "b2-0123456789")}
    assert {name: row.instance.id if row else None for name, row in found.items()} == {
        "b1": "b1",
        "b:2": "b2-0123456789",
        "native:n1": "n1",
        "n1": None,
        "b2-0123456789": None,
    }
    alive, usual = places.by_check("default", "alive"), places.by_check("default", "service:b1")
    assert alive is not None
    assert usual is not None
    assert (alive.instance.id, usual.instance.id) == ("b2-0123456789", "b1")
    assert places.by_check("default", "service:b:2") is None
    assert places.by_id("other", "b1") is None
    assert [check_id_of(row) for row in (alive, usual)] == ["alive", "service:b1"]


def test_what_goes_is_forgotten_unless_its_id_was_taken_over() -> None:
    bench = Bench()
    places = Places(bench.view)
    bench.register("books", "b1", metadata=_metadata(check_id="alive"))
    bench.register("shop", "b1", metadata=_metadata(check_id="alive"))
    bench.commit(Deregister(("default", "books", "b1")))
    row = places.by_id("default", "b1")
    assert row is not None
    assert row.instance.service == "shop"
    bench.commit(Deregister(("default", "shop", "b1")))
    assert places.by_id("default", "b1") is None
    assert places.by_check("default", "alive") is None


def test_nonsense_under_our_key_is_an_instance_of_another_protocol() -> None:
    bench = Bench()
    places = Places(bench.view)
    bench.register("books", "b1", metadata={KEY: "{no json"})
    assert places.by_id("default", "b1") is None
    assert places.by_id("default", "books:b1") is not None
