from typing import Any

from registry.catalog.registering import Deregister
from registry.revisions.draft import Draft
from registry.store.interface import OnceRecord
from registry.view.view import View
from tests.parts.registry_bench import Bench, empty_view, route_to, written


def test_a_revision_touches_its_service_and_its_namespace_only() -> None:
    bench = Bench()
    bench.register("books", "b1")
    bench.register("films", "f1")
    assert bench.view.revision_of("default", "books") == 1
    assert bench.view.revision_of("default", "films") == 2
    assert bench.view.revision_of("default") == 2
    assert bench.view.revision_of("other") == 0
    assert bench.view.revision_of("-") == 2


def test_a_service_document_touches_its_service_and_a_route_does_not() -> None:
    bench = Bench()
    bench.register()
    bench.apply(written("Service", "books", {"owner": "us"}))
    bench.apply(route_to("books"))
    assert bench.view.revision_of("default", "books") == 2


def test_services_are_known_by_document_or_by_instance() -> None:
    bench = Bench()
    bench.register("films", "f1")
    bench.apply(written("Service", "books", {}), written("Service", "x", {}, "other"))
    assert bench.view.service_keys("default") == [("default", "books"), ("default", "films")]
    assert len(bench.view.service_keys("-")) == 3


def test_a_service_goes_with_its_last_instance() -> None:
    bench = Bench()
    bench.register()
    row = bench.view.instance(("default", "books", "b1"))
    assert row is not None
    draft = Draft(bench.view, at=1.0)
    draft.remove_instance(row)
    draft.apply()
    assert bench.view.services == {}
    assert bench.view.instance(("default", "books", "b1")) is None


def test_followers_of_instances_see_before_and_after() -> None:
    bench, moves = Bench(), list[Any]()
    bench.view.on_instances.append(moves.extend)
    bench.register()
    bench.register(port=9000)
    (none, first), (before, after) = moves
    assert none is None
    assert before is first
    assert after.instance.port == 9000


def test_waiters_are_woken_after_the_view_has_moved() -> None:
    bench, seen = Bench(), []
    bench.view.waiters.add(("default", "books"), lambda: seen.append(bench.view.revision))
    bench.register("films", "f1")
    assert seen == []
    bench.register("books", "b1")
    assert seen == [2]


def test_names_that_came_and_went_do_not_fill_the_memory_and_never_look_older() -> None:
    view = empty_view()
    bench = Bench()
    bench.view = view
    bench.register("kept", "k1")
    view._touched.update({("default", f"s{at}"): at for at in range(2, 10_100)})
    view.revision = 20_000
    bench.register("kept", "k2")
    assert len(view._touched) < 100
    assert view.revision_of("default", "s5") >= 10_099
    assert view.revision_of("default", "kept") == 20_001


def test_idempotency_keys_are_forgotten_by_age() -> None:
    view: View = empty_view()
    for at in range(5):
        view.remember_once(OnceRecord(f"k{at}", b"", float(at), b""))
    view.forget_onces(3.0)
    assert list(view.onces) == ["k3", "k4"]


def test_after_a_restart_no_tag_of_before_stands_for_what_has_changed_since() -> None:
    before = Bench()
    before.register("books", "b1")
    before.register("books", "b2")
    before.apply(written("Service", "books", {"owner": "us"}))
    before.commit(Deregister(("default", "books", "b2")))
    assert before.view.revision_of("default", "books") == 4
    after = empty_view(revision=4)
    after.load(before.view.services["default", "books"].values(), before.view.documents["Service"].values())
    # 1 was the tag when b1 stood alone, 3 when b2 was there too.
    assert after.revision_of("default", "books") == 4
