"""Lines of header fields as a document writes them: fixed ones as bytes, those with variables made for each call."""

from collections.abc import Callable, Iterable, Sequence

from gateway.exchange import Exchange
from gateway.plan import STRICT
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
    parts, tail = _parts(field for field in _fields(changes) if has_variables(field[1]))
    if not parts:
        return None
    wants_path = any(name is not None for _, name in parts)
    capture = compile_captures(paths) if wants_path else None

    def lines(exchange: Exchange) -> bytes:
        captured = {} if capture is None else capture(_path_as_it_came(exchange))
        made = b""
        for before, name in parts:
            made += before + (exchange.request_id if name is None else captured.get(name, b""))
        return made + tail

    return lines


def _path_as_it_came(exchange: Exchange) -> bytes:
    """A rewrite may have changed the exchange's."""
    plan, read = exchange.plan, exchange.head.path
    if plan is not None and plan.slashes is not STRICT:
        return canonical(exchange.head.target, plan.slashes)[0]
    return (canonical(exchange.head.target) if read is None else read)[0]


def _fields(changes: HeaderChanges) -> tuple[Field, ...]:
    return (*changes.set.items(), *changes.add.items())


def _parts(fields: Iterable[Field]) -> tuple[list[tuple[bytes, str | None]], bytes]:
    """Each variable (a name in a path, None = the request id) with the text before it; and the text after the last."""
    parts: list[tuple[bytes, str | None]] = []
    text = ""
    for name, value in fields:
        text += f"{name}: "
        for part in parse_value(value):
            if isinstance(part, Variable):
                parts.append((text.encode("latin-1"), None if part.name == REQUEST_ID else part.captured))
                text = ""
            else:
                text += part
        text += "\r\n"
    return parts, text.encode("latin-1")
