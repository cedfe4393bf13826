"""Where a document was written: which line a field's is, and which files may be named."""

import msgspec
import pytest

from meshway.model.document_source import DocumentSource, enclosing
from meshway.model.fields import read_struct

SOURCE = DocumentSource(file="shop/cart.yaml", line=3, lines={"spec": 5, "spec.rules[1]": 9, "spec.rules[1].retry": 11})


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 3),
        ("metadata.name", 3),
        ("spec.rules[0].match[0]", 5),
        ("spec.rules[1].match[0]", 9),
        ("spec.rules[1].retry.max_retries", 11),
        ("spec.rules[10]", 5),
    ],
)
def test_a_field_without_a_line_of_its_own_stands_where_the_block_around_it_does(path: str, line: int) -> None:
    assert SOURCE.line_of(path) == line


def test_the_place_is_file_and_line_of_the_document() -> None:
    assert SOURCE.place == "shop/cart.yaml:3"


def test_names_with_dots_and_brackets_are_walked_out_of() -> None:
    assert enclosing('spec.headers["a.b"].exact', {"spec.headers"}) == "spec.headers"
    assert enclosing("spec", ()) == ""


@pytest.mark.parametrize(
    "file",
    ["/etc/cart.yaml", "~/cart.yaml", "../cart.yaml", "a/../b.yaml", "C:\\cart.yaml", "", "a\nb", "a\n", "x" * 257],
)
def test_a_file_that_tells_of_a_machine_is_refused(file: str) -> None:
    read, errors = read_struct({"file": file, "line": 1}, DocumentSource, "source")
    assert read is None
    assert [error.path for error in errors] == ["source.file"]


@pytest.mark.parametrize("file", ["cart.yaml", "shop/cart.yaml", "stdin", "..cart.yaml", "a..b/c d.yaml"])
def test_a_file_below_a_folder_is_taken(file: str) -> None:
    read, errors = read_struct({"file": file, "line": 1}, DocumentSource, "source")
    assert (errors, msgspec.to_builtins(read)) == ([], {"file": file, "line": 1})
