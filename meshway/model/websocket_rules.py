"""What must hold inside a rule's websocket block."""

from collections.abc import Iterator
from typing import Any, Final

from meshway.model.cors_rules import origin_fault
from meshway.model.match import StringMatch
from meshway.model.names import TOKEN
from meshway.model.rule_kit import BlockRule, Finding, bounded, unique
from meshway.model.websocket import MAX_FRAME_DEFAULT, MAX_MESSAGE_BOUND, MAX_MESSAGE_DEFAULT

_LEAST: Final = 125  # bytes, of a control frame that every endpoint takes
_REST: Final = ("max_frame", "max_message", "ping_every", "origins", "subprotocols")


def _origins(part: Any) -> Iterator[Finding]:
    if not isinstance(part.origins, tuple):
        return
    for at, text in enumerate(part.origins):
        if not isinstance(text, StringMatch) and (reason := origin_fault(text)) is not None:
            yield Finding(f".origins[{at}]", "out_of_bounds", f'"{text}": {reason}')


def _subprotocols(part: Any) -> Iterator[Finding]:
    for at, name in enumerate(part.subprotocols):
        if not TOKEN.match(name):
            yield Finding(f".subprotocols[{at}]", "bad_name", f'"{name}" is no name of a subprotocol')
    yield from unique(part.subprotocols, lambda at: f".subprotocols[{at}]", "subprotocol")


def _refused(part: Any) -> Iterator[Finding]:
    """Limits of what is not allowed would be read as if it were."""
    if part.allow:
        return
    usual = (MAX_FRAME_DEFAULT, MAX_MESSAGE_DEFAULT, 0, None, ())
    for name, default in zip(_REST, usual, strict=True):
        if getattr(part, name) != default:
            yield Finding(f".{name}", "forbidden_combination", "has no use beside allow: false")


WEBSOCKET_RULES: Final[tuple[BlockRule, ...]] = (
    bounded("max_frame", _LEAST, MAX_MESSAGE_BOUND, zero=False),
    bounded("max_message", _LEAST, MAX_MESSAGE_BOUND, zero=False),
    bounded("ping_every", 1.0, 3600.0, zero=True),
    BlockRule(("origins",), _origins),
    BlockRule(("subprotocols",), _subprotocols),
    BlockRule(("allow", *_REST), _refused),
)
