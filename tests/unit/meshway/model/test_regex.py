import pytest

from meshway.model.regex import compile_regex, compile_test, group_count, group_names, regex_fault, regex_takes


@pytest.mark.parametrize("pattern", ["(", "[a", "a**", r"(a)\1", "(?=a)", "((a{1,1000}){1,1000})"])
def test_what_re2_does_not_take_has_a_reason(pattern: str) -> None:
    reason = regex_fault(pattern)
    assert reason
    with pytest.raises(ValueError, match=r".+"):
        compile_regex(pattern)


def test_a_sound_expression_has_no_fault_and_is_over_bytes() -> None:
    assert regex_fault("/[a-z]+") is None
    assert compile_regex("é").fullmatch("é".encode()) is not None
    assert compile_regex("a", ignore_case=True).fullmatch(b"A") is not None
    assert compile_regex("a").fullmatch(b"A") is None


def test_groups_are_counted_and_named() -> None:
    assert group_count("(a)(?P<b>c)(?:d)") == 2
    assert group_names("(a)(?P<b>c)(?<d>e)") == ("b", "d")
    assert group_names(r"\(a\)") == ()


def test_all_of_a_text_is_taken_or_none() -> None:
    assert regex_takes("a+", "aaa")
    assert not regex_takes("a+", "aab")
    assert regex_takes("A", "a", ignore_case=True)
    assert not regex_takes("(", "(")


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize(
    "pattern",
    [
        ".", "..", "é", "[^a]", "(?i)ex", ".*b", "a|ab", "(?s).", "(?m)^a$", "^a$", "a\\b", "\\x{e9}", "a*", "(a|b)*c",
        "\\x01",
    ],
)  # fmt: skip
def test_the_quick_test_says_what_a_full_match_says(pattern: str, ignore_case: bool) -> None:
    quick, whole = compile_test(pattern, ignore_case=ignore_case), compile_regex(pattern, ignore_case=ignore_case)
    texts = ["", "a", "A", "ab", "é", "éx", "\n", "a\n", "\x01", "b\xff", "Ex", "c", "abc", "\x00"]
    for value in [text.encode(encoding) for text in texts for encoding in ("utf-8", "latin-1")]:
        assert quick(value) == (whole.fullmatch(value) is not None), value
