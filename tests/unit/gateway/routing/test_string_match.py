import pytest

from gateway.routing.string_match import compile_string, text_in_words
from meshway.model.match import StringMatch, Text


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("a", [b"a"], [b"A", b"ab", b"", None]),
        ("é", ["é".encode()], [b"e", "é".encode("latin-1")]),
        (StringMatch(exact="Aé", ignore_case=True), ["aé".encode(), "Aé".encode()], ["AÉ".encode(), None]),
        (StringMatch(prefix="ab"), [b"ab", b"abc"], [b"a", b"xab", None]),
        (StringMatch(suffix="Bc", ignore_case=True), [b"abC", b"BC"], [b"bcd", None]),
        (StringMatch(contains="b"), [b"b", b"abc"], [b"B", b"", None]),
        (StringMatch(regex="a+"), [b"a", b"aaa"], [b"ab", b"A", b"", None]),
        (StringMatch(regex="a.c", ignore_case=True), [b"ABC"], [b"abcd", None]),
        (StringMatch(in_=("a", "b")), [b"a", b"b"], [b"c", b"A", None]),
        (StringMatch(in_=("A",), ignore_case=True), [b"a", b"A"], [b"b"]),
        (StringMatch(present=True), [b"", b"x"], [None]),
        (StringMatch(present=False), [None], [b"", b"x"]),
        (StringMatch(exact="a", invert=True), [None, b"b", b"A"], [b"a"]),
        (StringMatch(regex="a.*", invert=True, ignore_case=True), [None, b"ba"], [b"Ab"]),
    ],
)
def test_it_holds_for_these_and_not_for_those(text: Text, yes: list[bytes | None], no: list[bytes | None]) -> None:
    holds = compile_string(text)
    assert [value for value in yes if not holds(value)] == []
    assert [value for value in no if holds(value)] == []


def test_a_value_of_any_bytes_is_looked_at_and_not_decoded() -> None:
    assert compile_string(StringMatch(contains="a"))(b"\xff\x00a")
    assert not compile_string(StringMatch(regex="a"))(b"\xff")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jason", 'is "jason"'),
        (StringMatch(prefix="x", ignore_case=True, invert=True), 'does not begin with "x" (in any case)'),
        (StringMatch(suffix="x"), 'ends with "x"'),
        (StringMatch(contains="x"), 'holds "x"'),
        (StringMatch(regex="a|b"), "matches a|b"),
        (StringMatch(in_=("a", "b")), 'is "a" or "b"'),
        (StringMatch(present=False), "is absent"),
    ],
)
def test_what_is_asked_is_said_in_words(text: Text, words: str) -> None:
    assert text_in_words(text) == words
