import msgspec
import pytest

from meshway.problem import Problem
from registry.catalog.registering import Deregister, Registered, RegisterOne
from registry.documents.applying import Apply
from registry.documents.claims import host_claim
from registry.documents.document_key import Key
from registry.revisions.draft import Draft, Once, Repeatable
from tests.parts.registry_bench import Bench, registration, route_to


class Refuses(msgspec.Struct):
    """Changes things, then thinks better of it."""

    size: int = 1

    def judge(self, draft: Draft) -> None:
        RegisterOne(registration("films", "f1"), lambda row: None).judge(draft)
        RegisterOne(registration("books", "b1", port=1), lambda row: None).judge(draft)
        raise Problem(409, "no", "No")


def register(service: str, instance_id: str, **fields: int) -> RegisterOne:
    return RegisterOne(registration(service, instance_id, **fields), lambda row: None)


def test_each_write_that_changes_something_takes_the_next_revision() -> None:
    bench = Bench()
    draft = Draft(bench.view, at=1.0)
    assert draft.judge(register("books", "b1")).revision == 1
    draft.judge(Deregister(("default", "none", "n")))
    assert draft.judge(register("books", "b2")).revision == 2
    assert [entry.revision for entry in draft.entries] == [1, 2]
    assert bench.view.revision == 0


def test_every_registration_gets_64_random_bits_of_its_own() -> None:
    bench = Bench()
    drafts = [Draft(bench.view, at=1.0) for _ in range(2)]
    tokens = [draft.next_token() for draft in drafts for _ in range(500)]
    assert len(set(tokens)) == 1000
    assert {len(bytes.fromhex(token)) for token in tokens} == {8}
    answer = drafts[0].judge(register("books", "b1"))
    assert answer.lease_id.split("-")[2] not in tokens


def test_a_refused_write_leaves_nothing_and_takes_no_revision() -> None:
    bench = Bench()
    draft = Draft(bench.view, at=1.0)
    draft.judge(register("books", "b1"))
    with pytest.raises(Problem):
        draft.judge(Refuses())
    assert draft.instance(("default", "films", "f1")) is None
    row = draft.instance(("default", "books", "b1"))
    assert row is not None
    assert row.instance.port == 8000
    assert draft.judge(register("books", "b2")).revision == 2
    assert len(draft.batch().instances) == 2


def test_a_write_is_judged_against_those_before_it_in_the_batch() -> None:
    draft = Draft(Bench().view, at=1.0)
    assert draft.judge(register("books", "b1")).created
    again = draft.judge(register("books", "b1"))
    assert (again.created, again.generation) == (False, 2)


def test_a_batch_holds_the_last_state_of_a_row_and_every_change() -> None:
    draft = Draft(Bench().view, at=1.0)
    draft.judge(register("books", "b1"))
    draft.judge(register("books", "b1", port=9000))
    draft.judge(register("books", "b2"))
    draft.judge(Deregister(("default", "books", "b2")))
    batch = draft.batch()
    assert [row.revision for row in batch.instances] == [2]
    assert batch.gone_instances == [("default", "books", "b2")]
    assert [(row.revision, row.value is None) for row in batch.changes] == [
        (1, False),
        (2, False),
        (3, False),
        (4, True),
    ]
    assert (batch.base, batch.head) == (0, 4)


def test_a_namespace_is_noted_at_its_first_use() -> None:
    bench = Bench()
    draft = Draft(bench.view, at=1.0)
    draft.judge(RegisterOne(registration(namespace="shop"), lambda row: None))
    assert draft.batch().namespaces == ["shop"]
    draft.apply()
    assert bench.view.namespaces == {"default", "shop"}


def test_claims_of_a_document_that_was_deleted_are_free_in_the_same_batch() -> None:
    bench = Bench()
    bench.register()
    bench.apply(route_to("books", "one"))
    bench.apply(route_to("books", "two"), delete=(Key("Route", "default", "one"),))
    assert set(bench.view.documents["Route"]) == {("default", "two")}


def test_who_shares_a_host_is_told_once_each_and_without_what_was_refused() -> None:
    bench = Bench()
    bench.register()
    bench.apply(route_to("books", "kept", "/kept"))
    draft = Draft(bench.view, at=1.0)
    for name, prefix in (("a", "/a"), ("b", "/b"), ("a", "/c")):
        draft.judge(Apply((route_to("books", name, prefix),), (), "tests"))
    with pytest.raises(Problem):
        draft.judge(Apply((route_to("books", "refused", "/d"), route_to("nobody", "e", "/e")), (), "tests"))
    draft.judge(Apply((), (Key("Route", "default", "b"),), "tests"))
    assert sorted(key[2] for key in draft.holders(host_claim("edge", "*"))) == ["a", "kept"]


def test_a_key_makes_a_write_happen_once_and_answers_the_same() -> None:
    bench = Bench()
    write = Repeatable(register("books", "b1"), Once("k", b"1"), Registered)
    first = bench.commit(write)
    again = bench.commit(write)
    assert again == first
    assert bench.view.revision == 1


def test_the_same_key_in_one_batch_counts_too() -> None:
    draft = Draft(Bench().view, at=1.0)
    write = Repeatable(register("books", "b1"), Once("k", b"1"), Registered)
    assert draft.judge(write) == draft.judge(write)
    assert len(draft.entries) == 1


def test_the_same_key_with_another_body_is_refused() -> None:
    bench = Bench()
    bench.commit(Repeatable(register("books", "b1"), Once("k", b"1"), Registered))
    with pytest.raises(Problem) as refused:
        bench.commit(Repeatable(register("books", "b2"), Once("k", b"2"), Registered))
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


def test_a_refused_write_does_not_use_up_its_key() -> None:
    bench = Bench()
    with pytest.raises(Problem):
        bench.commit(Repeatable(Refuses(), Once("k", b"1"), type(None)))
    assert bench.commit(Repeatable(register("books", "b1"), Once("k", b"1"), Registered)).created
