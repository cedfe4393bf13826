"""A StringMatch as one step: from a value, or None when it is missing, to whether it holds."""

from collections.abc import Callable

from meshway.model.match import StringMatch, Text
from meshway.model.regex import compile_test

HoldsText = Callable[[bytes | None], bool]


def compile_string(text: Text) -> HoldsText:
    """Text is compared as UTF-8. A missing value holds only where it is asked for, or in what is inverted."""
    if isinstance(text, str):
        text = StringMatch(exact=text)
    if text.present is not None:
        return (lambda value: value is not None) if text.present else (lambda value: value is None)
    holds = _compile(text)
    if text.ignore_case and text.regex is None:
        holds = _folding(holds)
    if text.invert:
        return lambda value: value is None or not holds(value)
    return lambda value: value is not None and holds(value)


def _compile(text: StringMatch) -> Callable[[bytes], bool]:
    """The words of the document are folded here when case does not count, the values by `_folding`."""

    def word(written: str) -> bytes:
        return written.encode().lower() if text.ignore_case else written.encode()

    if text.exact is not None:
        return word(text.exact).__eq__
    if text.prefix is not None:
        prefix = word(text.prefix)
        return lambda value: value.startswith(prefix)
    if text.suffix is not None:
        suffix = word(text.suffix)
        return lambda value: value.endswith(suffix)
    if text.contains is not None:
        part = word(text.contains)
        return lambda value: value.find(part) >= 0
    if text.regex is not None:
        return compile_test(text.regex, ignore_case=text.ignore_case)
    return frozenset(word(one) for one in text.in_).__contains__


def _folding(holds: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    return lambda value: holds(value.lower())


def text_in_words(text: Text) -> str:
    """What is asked of a value, for people: `is "jason"`, `does not begin with "x" (in any case)`."""
    if isinstance(text, str):
        text = StringMatch(exact=text)
    if text.present is not None:
        return "is there" if text.present else "is absent"
    plain, inverted, written = _words_of(text)
    case = " (in any case)" if text.ignore_case else ""
    return f"{inverted if text.invert else plain} {written}{case}"


def _words_of(text: StringMatch) -> tuple[str, str, str]:
    if text.exact is not None:
        return "is", "is not", f'"{text.exact}"'
    if text.prefix is not None:
        return "begins with", "does not begin with", f'"{text.prefix}"'
    if text.suffix is not None:
        return "ends with", "does not end with", f'"{text.suffix}"'
    if text.contains is not None:
        return "holds", "does not hold", f'"{text.contains}"'
    if text.regex is not None:
        return "matches", "does not match", text.regex
    return "is", "is not", " or ".join(f'"{one}"' for one in text.in_)
