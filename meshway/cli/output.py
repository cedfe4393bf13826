"""Answers in the form that was asked for: tables for people, JSON and YAML for programs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from meshway.cli.session import Session

Row = Sequence[str]
_GAP: Final = "  "
_SHORT: Final = 4  # numbers that may stand below each other
_COLORS: Final = {"✓": "32", "✗": "31", "■": "31", "!": "33", "▲": "33", "~": "33", "+": "32", "-": "31"}


def show_list(
    session: Session,
    items: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Callable[[Mapping[str, Any]], str]],
    *,
    wide: Mapping[str, Callable[[Mapping[str, Any]], str]] | None = None,
    name: Callable[[Mapping[str, Any]], str],
    empty: str,
) -> None:
    """items: the API's own. columns, wide: heading to cell. empty: said on stderr when there is nothing."""
    form = session.output or "table"
    if form == "json":
        session.put(pretty_json({"items": list(items)}))
    elif form == "jsonl":
        for item in items:
            session.put(msgspec.json.encode(item).decode())
    elif form == "yaml":
        session.put(yaml_stream(items).rstrip("\n"))
    elif form == "name":
        for item in items:
            session.put(name(item))
    elif not items:
        session.say(empty)
    else:
        shown = dict(columns) | (dict(wide or {}) if form == "wide" else {})
        rows = [[cell(item) for cell in shown.values()] for item in items]
        session.put(table(list(shown), rows, color=session.color))


def show_one(session: Session, item: Mapping[str, Any], *, name: str, text: Callable[[], str]) -> None:
    """text: for people; made only when it is shown."""
    match session.output or "table":
        case "json":
            session.put(pretty_json(item))
        case "jsonl":
            session.put(msgspec.json.encode(item).decode())
        case "yaml":
            session.put(yaml_stream([item]).rstrip("\n"))
        case "name":
            session.put(name)
        case _:
            session.put(text())


def row_text(cells: Iterable[str]) -> str:
    """Of a list that goes on, so that nobody knows how wide its columns will be."""
    return _GAP.join(map(harmless, cells))


def table(heading: Row, rows: Iterable[Row], *, color: bool = False) -> str:
    """Columns aligned, two blanks between them, no blanks at the ends of lines."""
    lines = [list(heading), *([harmless(cell) for cell in row] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heading))]
    text = []
    for line in lines:
        padded = _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        text.append(painted(padded) if color else padded)
    return "\n".join(text)


def harmless(cell: str) -> str:
    """Without what a terminal would obey: others wrote it, some of them without having signed in."""
    if cell.isprintable():
        return cell
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cell)


def painted(line: str) -> str:
    """The line with its marks in their colours."""
    return "".join(
        f"\033[{_COLORS[sign]}m{sign}\033[0m" if _is_mark(line, at) else sign for at, sign in enumerate(line)
    )


def _is_mark(line: str, at: int) -> bool:
    """A sign of its own, not a dash inside a name."""
    before, after = line[at - 1 : at] if at else " ", line[at + 1 : at + 2] or " "
    return line[at] in _COLORS and before == " " and after == " "


def pretty_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def yaml_stream(documents: Iterable[Mapping[str, Any]]) -> str:
    """One YAML document each, in the order of their fields."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # which of the two is installed
        """Numbers in a row stand in a row: the statuses of `5xx` are a hundred."""

    def numbers_in_a_row(dumper: Any, items: list[Any]) -> Any:
        is_row = len(items) > _SHORT and all(isinstance(item, int) for item in items)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=is_row or None)

    Dumper.add_representer(list, numbers_in_a_row)
    return yaml.dump_all(
        [dict(document) for document in documents],
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=120,
    )
