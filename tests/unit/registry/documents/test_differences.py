import msgspec

from registry.documents.differences import ValueChange, differences, document_changes
from tests.parts.registry_bench import written


def test_the_smallest_values_that_differ_are_named() -> None:
    before = {"rules": [{"name": "a", "retry": {"max_retries": 1}}], "priority": 1}
    after = {"rules": [{"name": "a", "retry": {"max_retries": 3}}, {"name": "b"}]}
    assert list(differences(before, after, "spec")) == [
        ValueChange(path="spec.rules[0].retry.max_retries", before=1, after=3),
        ValueChange(path="spec.rules[1]", before=None, after={"name": "b"}),
        ValueChange(path="spec.priority", before=1, after=None),
    ]


def test_names_with_dots_are_quoted() -> None:
    assert next(differences({}, {"a.b": 1}, "metadata.labels")).path == 'metadata.labels["a.b"]'


def test_equal_meaning_is_no_change_however_it_was_written() -> None:
    one = written("TrafficPolicy", "p", {"timeouts": {"attempt": "90s"}})
    other = written("TrafficPolicy", "p", {"timeouts": {"attempt": "1m30s"}})
    assert document_changes(one.document, other.document) == []


def test_labels_count() -> None:
    one = written("Service", "s", {})
    other = written("Service", "s", {}, labels={"team": "a"})
    assert [change.path for change in document_changes(one.document, other.document)] == ["metadata.labels.team"]


def test_a_change_is_written_as_from_and_to() -> None:
    assert msgspec.to_builtins(ValueChange(path="p", before=1, after=2)) == {"path": "p", "from": 1, "to": 2}
