from gateway.compiler.blame import Blamed, blame
from gateway.compiler.diff import Entry
from meshway.model.document import Spec


def entry(name: str) -> Entry[Spec]:
    return Entry("TrafficPolicy", "default", name, Spec())


def test_of_several_documents_the_last_new_one_is_blamed() -> None:
    old, first, last = entry("old"), entry("first"), entry("last")
    found = blame({old.key: old, first.key: entry("first")}, [first, last, old], KeyError("it"))
    assert isinstance(found, Blamed)
    assert (found.key, found.error.reason) == (last.key, "internal error: KeyError: 'it'")


def test_where_nothing_is_new_nobody_is_blamed() -> None:
    old, error = entry("old"), KeyError("it")
    assert blame({old.key: old}, [old], error) is error
