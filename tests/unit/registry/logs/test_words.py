import pytest

from registry.logs.words import BadSearch, read_search, words_of
from registry.store.logs import Phrase


def test_words_are_runs_of_letters_and_digits_and_chinese_characters_are_words_each() -> None:
    assert words_of("GET /cart?id=42 refused: card_declined") == [
        "get",
        "cart",
        "id",
        "42",
        "refused",
        "card",
        "declined",
    ]
    assert words_of("支付failed了 Grüße") == ["支", "付", "failed", "了", "grüße"]
    assert words_of("") == []


def test_a_search_holds_words_beginnings_phrases_and_what_is_left_out() -> None:
    assert read_search('refused pay* "card declined" -retry 支付') == (
        Phrase(("refused",)),
        Phrase(("pay",), is_prefix=True),
        Phrase(("card", "declined")),
        Phrase(("retry",), is_not=True),
        Phrase(("支", "付")),
    )
    assert read_search("card_declined") == (Phrase(("card", "declined")),)
    assert read_search("  ") == ()


@pytest.mark.parametrize("text", ['"open', "***", "x" * 2_000, " ".join(["x"] * 40)])
def test_what_cannot_be_searched_for_is_refused(text: str) -> None:
    with pytest.raises(BadSearch):
        read_search(text)
