"""Whether one path fits a PathMatch, asked of a call that has found its rule already: of policies that are for some
calls only. Rules themselves are found by the tables (`table.py`, `pattern_routes.py`)."""

from collections.abc import Callable

from gateway.routing.captures import read_template
from meshway.model.match import PathMatch
from meshway.model.path_template import parse_template
from meshway.model.regex import compile_test

PathTest = Callable[[bytes], bool]


def compile_path(path: PathMatch) -> PathTest | None:
    """path: canonical, a prefix without its trailing slash. None: every path fits."""
    if path.regex is not None:
        return compile_test(path.regex, ignore_case=path.ignore_case)
    if path.template is not None:
        read = read_template(parse_template(path.template), path.ignore_case)
        return lambda asked: read(asked) is not None
    test = _compile_text(path)
    if test is None or not path.ignore_case:
        return test
    return lambda asked: test(asked.lower())


def _compile_text(path: PathMatch) -> PathTest | None:
    text = (path.exact or path.prefix or path.string_prefix or "").encode()
    if path.ignore_case:
        text = text.lower()
    if path.exact is not None:
        return lambda asked: asked == text
    if path.string_prefix is not None:
        return lambda asked: asked.startswith(text)
    if not text:
        return None
    below = text + b"/"
    return lambda asked: asked == text or asked.startswith(below)
