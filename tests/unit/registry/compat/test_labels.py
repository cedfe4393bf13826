import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.compat.labels import MAX_NAME, is_label, label_of


def test_a_label_is_itself_and_another_name_is_readable_and_its_own() -> None:
    assert label_of("books-1") == "books-1"
    dotted = label_of("10.0.0.7:books:8080")
    assert dotted.startswith("10-0-0-7-books-8080-")
    assert dotted != label_of("10.0.0.7:BOOKS:8080")


@pytest.mark.parametrize("name", ["", "a" * (MAX_NAME + 1), "a\x00", "a\nb"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        label_of(name)


@given(st.lists(st.text(min_size=1, max_size=MAX_NAME), max_size=20))
def test_every_name_has_a_label_and_no_two_share_one(names: list[str]) -> None:
    printable = {name for name in names if name.isprintable()}
    labels = {label_of(name) for name in printable}
    assert len(labels) == len(printable)
    assert all(map(is_label, labels))
