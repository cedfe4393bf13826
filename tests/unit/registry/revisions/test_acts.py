"""Rows of the audit log: bounded however much a write changes, and one for all instances of a caller."""

import msgspec

from meshway.audit import FIRST
from meshway.model.document import Document, Metadata
from meshway.snapshot import Change
from registry.documents.differences import document_changes
from registry.revisions.acts import MAX_DETAIL, MAX_DOCUMENTS, MAX_INSTANCES, Actor, Acts, DocumentAct

CI = Actor("token:ci", "10.0.0.1", "POST /v1/apply")


def put(name: str, text: str = "x") -> DocumentAct:
    spec = {"hosts": [text]}
    document = Document(kind="Route", metadata=Metadata(name=name, namespace="shop"), spec=spec)
    return DocumentAct(("Route", "shop", name), None, document)


def details(acts: Acts) -> list[dict[str, object]]:
    return [msgspec.json.decode(record.detail) for record in acts.records(0, FIRST, 1.0)]


def test_a_write_that_changes_much_names_it_and_does_not_show_how() -> None:
    acts = Acts(document_changes)
    acts.wrote(CI, 1, [put("a")], [])
    acts.wrote(CI, 2, [put("b", "y" * MAX_DETAIL)], [])
    acts.wrote(CI, 3, [put(f"r{at}") for at in range(MAX_DOCUMENTS + 1)], [])
    acts.wrote(CI, 4, [put(f"r{at}") for at in range(20_000)], [])
    short, long, many, endless = details(acts)
    named = {"op": "put", "document": "Route shop/b"}
    assert short["changes"] == [
        {"op": "put", "document": "Route shop/a", "fields": [{"path": "spec", "from": None, "to": {"hosts": ["x"]}}]}
    ]
    assert long["changes"] == [named]
    assert isinstance(many["changes"], list)
    assert len(many["changes"]) == MAX_DOCUMENTS + 1
    assert "fields" not in many["changes"][0]
    assert endless == {"changes": [], "count": 20_000}
    assert all(len(record.detail) <= MAX_DETAIL for record in acts.records(0, FIRST, 1.0))


def test_all_instances_of_one_caller_in_a_commit_are_one_row() -> None:
    acts = Acts(document_changes)
    for at in range(MAX_INSTANCES + 5):
        acts.moved_instances("token:ci", "10.0.0.1", at + 1, [Change("delete", "Instance", "shop", f"books/i{at}")])
    acts.moved_instances("token:ed", "10.0.0.1", 9, [Change("delete", "Instance", "shop", "books/x")])
    first, second = details(acts)
    assert first["count"] == MAX_INSTANCES + 5
    assert isinstance(first["instances"], list)
    assert len(first["instances"]) == MAX_INSTANCES
    assert second == {"instances": [["delete", "shop/books/x", 9]], "count": 1}
    assert [record.revision for record in acts.records(0, FIRST, 1.0)] == [MAX_INSTANCES + 5, 9]


def test_nothing_done_is_no_row() -> None:
    acts = Acts(document_changes)
    assert not acts
    acts.refused(CI, 403)
    assert acts
    assert details(acts) == [{"status": 403}]
