"""Values of headers that hold something of the call: `${request_id}`, `${path.NAME}`."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from meshway.model.nearest import did_you_mean

REQUEST_ID: Final = "request_id"
PATH: Final = "path."
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_NAMES: Final = (REQUEST_ID, "path.NAME")
_UNPROVEN: Final = frozenset({"principal", "consumer", "source.service", "source.namespace"})


class Variable(NamedTuple):
    """name: `request_id`, or `path.` and a name of the rule's paths."""

    name: str

    @property
    def captured(self) -> str:
        """The name of the path, of a variable that is not the request id."""
        return self.name.removeprefix(PATH)


class UnprovenVariable(ValueError):
    """It tells who calls, which no gateway can prove yet."""


def parse_value(text: str) -> tuple[str | Variable, ...]:
    """Texts and variables in turn. Raises ValueError with the reason."""
    parts: list[str | Variable] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        if found.start() > at:
            parts.append(text[at : found.start()])
        parts.append(_variable(found[1]))
        at = found.end()
    rest = text[at:]
    if "${" in rest:
        raise ValueError(f'"{rest}": a variable ends with a brace, ${{{REQUEST_ID}}}')
    return (*parts, rest) if rest or not parts else tuple(parts)


def path_variables(values: Mapping[str, str]) -> frozenset[str]:
    """The names that these values want of the path. values: sound."""
    return frozenset(
        part.captured
        for value in values.values()
        for part in parse_value(value)
        if isinstance(part, Variable) and part.name.startswith(PATH)
    )


def has_variables(value: str) -> bool:
    return "${" in value


def _variable(name: str) -> Variable:
    if name == REQUEST_ID or (name.startswith(PATH) and len(name) > len(PATH)):
        return Variable(name)
    if name in _UNPROVEN:
        raise UnprovenVariable(
            f"${{{name}}} needs a caller who has proved who he is, which gateways cannot ask for yet"
        )
    raise ValueError(f'"${{{name}}}" is no variable{did_you_mean(name, _NAMES)}')
