import msgspec

from registry.api import texts
from registry.api.texts import Texts


class Counted(msgspec.Struct):
    calls: int


def test_an_answer_that_several_get_is_told_as_text_once() -> None:
    kept, map_ = Texts(), Counted(3)
    first = kept.of(map_)
    assert kept.of(map_) is first
    assert first.body == b'{"calls":3}\n'


def test_another_answer_has_another_tag_and_the_same_words_have_the_same() -> None:
    kept = Texts()
    assert kept.of(Counted(3)).tag == kept.of(Counted(3)).tag != kept.of(Counted(4)).tag


def test_only_the_last_few_are_kept() -> None:
    kept, first = Texts(), Counted(0)
    text = kept.of(first)
    others = [Counted(number) for number in range(1, texts._MOST + 1)]
    for other in others:
        kept.of(other)
    assert kept.of(first) is not text
    assert len(kept._kept) == texts._MOST
