"""The words of a line, and what a search for some of them means; pure, and the same for both stores.

A word is a run of letters and digits, in lower case; of Chinese, Japanese and Korean, which put no blanks between
words, each character is one, and several in a row are searched as they stand.
"""

import re
from typing import Final

from registry.store.logs import Phrase

MOST_WORDS: Final = 2_000  # of a line
MOST_TERMS: Final = 32
MOST_LENGTH: Final = 1_024  # of a search
_LONGEST: Final = 64  # characters of a word; what is longer is found by its beginning
_CJK: Final = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD: Final = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])[^\W_])+")
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')


class BadSearch(ValueError):
    """Why a search cannot be read, in words for people."""


def words_of(text: str) -> list[str]:
    return [word[:_LONGEST] for word in _WORD.findall(text.lower())[:MOST_WORDS]]


def read_search(text: str) -> tuple[Phrase, ...]:
    """`refused "card declined" pay* -retry`: all must hold. Raises BadSearch."""
    if len(text) > MOST_LENGTH:
        raise BadSearch(f"a search has at most {MOST_LENGTH} characters")
    if text.count('"') % 2:
        raise BadSearch("a quote is not closed")
    phrases = []
    for minus, quoted, plain in _TERM.findall(text):
        words = words_of(quoted or plain)
        if words:
            phrases.append(Phrase(tuple(words), is_prefix=plain.endswith("*"), is_not=bool(minus)))
        elif quoted or plain:
            raise BadSearch(f"{quoted or plain} holds no letter and no digit: they are what is searched for")
    if len(phrases) > MOST_TERMS:
        raise BadSearch(f"a search has at most {MOST_TERMS} words")
    return tuple(phrases)
