"""`-o jsonpath=…`: some values of an answer, one a line, for scripts without a JSON tool.

As much of kubectl's notation as names and lists need: `{.items[*].metadata.name}`, `.spec.rules[0]["name"]`, `[-1]`.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.cli.failure import USAGE, CliError

Step = str | int | None  # a name, a place in a list, or all there are
_STEP: Final = re.compile(
    r"""\.?(?:(?P<name>[A-Za-z0-9_-]+)|\[(?P<place>-?[0-9]+)\]|\[(?P<quoted>"[^"]*"|'[^']*')\]|(?P<all>\[\*\]|\*))"""
)


def parse(written: str) -> list[Step]:
    """Raises CliError 2 with the place that cannot be read."""
    text = written.strip()
    if not text:
        raise CliError(USAGE, "-o jsonpath= names no path", mend="such as jsonpath={.items[*].metadata.name}")
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = text.removeprefix("$")
    steps: list[Step] = []
    at = 0
    while at < len(text) and text != ".":
        found = _STEP.match(text, at)
        if found is None:
            raise CliError(
                USAGE,
                f"-o jsonpath={written}: {text[at:]!r} is no step of a path",
                mend="such as jsonpath={.items[*].metadata.name}",
            )
        at = found.end()
        if found["name"] is not None:
            steps.append(found["name"])
        elif found["place"] is not None:
            steps.append(int(found["place"]))
        else:
            steps.append(found["quoted"][1:-1] if found["quoted"] is not None else None)
    return steps


def values(root: Any, steps: list[Step]) -> Iterator[str]:
    """Texts as they are, all else as JSON. Where there is nothing, nothing comes."""
    found = [root]
    for step in steps:
        found = [inner for one in found for inner in _inner(one, step)]
    for one in found:
        yield one if isinstance(one, str) else msgspec.json.encode(one).decode()


def _inner(value: Any, step: Step) -> list[Any]:
    if isinstance(value, dict):
        if step is None:
            return list(value.values())
        return [value[step]] if step in value else []
    if isinstance(value, list):
        if step is None:
            return value
        if isinstance(step, int) and -len(value) <= step < len(value):
            return [value[step]]
    return []
