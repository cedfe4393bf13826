import pytest

from gateway.routing.pattern_set import Pattern, PatternSet


def test_all_that_hold_are_found_by_their_places() -> None:
    patterns = [Pattern("/[0-9]+"), Pattern("/1.*"), Pattern("/x"), Pattern("/1", is_prefix=True)]
    found = PatternSet(patterns)
    assert sorted(found.match(b"/12")) == [0, 1, 3]
    assert found.match(b"/x") == (2,)
    assert sorted(found.match(b"/12/")) == [1, 3]
    assert found.match(b"/") == ()


def test_an_expression_is_for_the_whole_path() -> None:
    assert PatternSet([Pattern("a"), Pattern("/a")]).match(b"/a/b") == ()


def test_a_prefix_is_text_and_no_expression() -> None:
    found = PatternSet([Pattern("/a.b+", is_prefix=True)])
    assert found.match(b"/a.b+/c") == (0,)
    assert found.match(b"/axbb") == ()


def test_some_fold_letters_beside_others_that_do_not() -> None:
    found = PatternSet([Pattern("/a"), Pattern("/A", ignore_case=True), Pattern("/b", True, True)])
    assert sorted(found.match(b"/a")) == [0, 1]
    assert found.match(b"/A") == (1,)
    assert found.match(b"/BC") == (2,)


def test_nothing_holds_where_there_is_nothing() -> None:
    assert PatternSet([]).match(b"/a") == ()


def test_a_set_that_outgrows_its_memory_is_parted_and_finds_the_same() -> None:
    count = 40
    found = PatternSet([Pattern(f"/shop{at}/[^/]{{1,900}}x") for at in range(count)])
    assert len(found._sets) > 1, "the expressions must be large enough to be parted"
    for at in range(count):
        assert found.match(b"/shop%d/ab12x" % at) == (at,)


def test_an_expression_that_no_set_can_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="more memory"):
        PatternSet([Pattern("(((a{1,100}){1,100}){1,100})")])
