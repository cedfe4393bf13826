"""Lines of header fields as a document writes them: fixed ones as bytes, those with variables made for each call."""

from collections.abc import Callable, Iterable, Sequence

from gateway.exchange import Exchange
from gateway.routing.captures import compile_captures
from gateway.routing.path import canonical
from meshway.model.header_values import REQUEST_ID, Variable, has_variables, parse_value
from meshway.model.match import PathMatch
from meshway.model.route import HeaderChanges

LinesOf = Callable[[Exchange], bytes]
Field = tuple[str, str]


def fixed_lines(changes: HeaderChanges) -> bytes:
    """Of `set`, then `add`."""
    lines = [f"{name}: {value}\r\n" for name, value in _fields(changes) if not has_variables(value)]
    return "".join(lines).encode("latin-1")


def variable_lines(changes: HeaderChanges, paths: Sequence[PathMatch]) -> LinesOf | None:
    """None: no value holds a variable. paths: canonical, of the rule's matches."""
    parts = list(_parts(field for field in _fields(changes) if has_variables(field[1])))
    if not parts:
        return None
    wants_path = any(isinstance(part, Variable) and part.name != REQUEST_ID for part in parts)
    capture = compile_captures(paths) if wants_path else None

    def lines(exchange: Exchange) -> bytes:
        # Of the path as it came: a rewrite may have changed the exchange's.
        captured = {} if capture is None else capture(canonical(exchange.head.target)[0])
        made = b""
        for part in parts:
            if isinstance(part, bytes):
                made += part
            elif part.name == REQUEST_ID:
                made += exchange.request_id
            else:
                made += captured.get(part.captured, b"")
        return made

    return lines


def _fields(changes: HeaderChanges) -> tuple[Field, ...]:
    return (*changes.set.items(), *changes.add.items())


def _parts(fields: Iterable[Field]) -> Iterable[bytes | Variable]:
    for name, value in fields:
        yield f"{name}: ".encode("latin-1")
        for part in parse_value(value):
            yield part if isinstance(part, Variable) else part.encode("latin-1")
        yield b"\r\n"
