"""Every field that can be written turns a call somewhere."""

from pathlib import Path

from tools.field_coverage import FOR_PEOPLE, PAGE, fields, of_one_value, page, proofs


def test_each_field_has_a_test_that_proves_it() -> None:
    missing = set(fields()) - set(proofs()) - FOR_PEOPLE - of_one_value()
    assert missing == set(), "mark the test with @pytest.mark.proves(…)"


def test_a_field_of_one_value_needs_no_proof_until_it_has_another() -> None:
    assert of_one_value() == {"External.resolve", "OidcSession.store"}


def test_proofs_name_fields_that_are_there() -> None:
    assert set(proofs()) - set(fields()) == set()


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(fields(), proofs()), "run: python -m tools.field_coverage"


def test_marks_and_tables_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_a.py").write_text(
        'CASES = [proved(1, "B.c"), proved(2, "B.d")]\n\n\n@pytest.mark.proves("A.b", "A.c")\ndef test_one(): ...\n'
    )
    assert proofs(folder) == {
        "A.b": ["tests/test_a.py::test_one"],
        "A.c": ["tests/test_a.py::test_one"],
        "B.c": ["tests/test_a.py::test_one"],
        "B.d": ["tests/test_a.py::test_one"],
    }
