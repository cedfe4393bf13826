"""Query strings as Consul reads them: what it does not know it passes over, and a bare name is a flag."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from registry.compat.consul.durations import parse_go_duration
from registry.compat.consul.names import namespace_of
from registry.compat.consul.refusals import Refusal
from registry.compat.consul.showing import DATACENTER
from registry.view.view import FIRST_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_WAIT_S: Final = 300.0
MAX_WAIT_S: Final = 600.0
_JITTER: Final = 16
_MAX_FIELDS: Final = 100
# How long and whom somebody asks, and not for what.
_MANNERS: Final = frozenset({"index", "wait", "token", "stale", "consistent", "cached", "near", "pretty"})
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class ConsulQuery:
    """The parameters, each with all its values. Raises Refusal 400, also from its methods."""

    __slots__ = ("_values", "namespace")

    def __init__(self, query: str) -> None:
        self._values: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:
            raise Refusal(400, f"Invalid query: more than {_MAX_FIELDS} parameters") from None
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self.namespace = namespace_of(self.text("ns") or FIRST_NAMESPACE)
        self._refuse_elsewhere()

    def namespace_or(self, written: str) -> str:
        """The body's own, which goes before the query's."""
        return namespace_of(written) if written else self.namespace

    def text(self, name: str) -> str:
        """The first value, or nothing."""
        return self._values.get(name, ("",))[0]

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """Given without a value it is true."""
        if name not in self._values:
            return False
        text = self.text(name)
        if text == "" or text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise Refusal(400, f"Invalid value for ?{name}")

    def needed_flag(self, name: str) -> bool:
        if not self.text(name):
            raise Refusal(400, f'Missing value for "{name}"')
        return self.flag(name)

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """What the answer depends on, as far as it stands in the query: equal for all who ask the same."""
        return tuple((name, value) for name, values in self._values.items() if name not in _MANNERS for value in values)

    @property
    def filter(self) -> str:
        """The filter expression, see filters.py."""
        return self.text("filter")

    def index(self) -> int:
        """What the caller has seen; 0: nothing."""
        text = self.text("index")
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise Refusal(400, "Invalid index")
        return int(text)

    def wait_s(self, chance: Callable[[], float] = random.random) -> float:
        """How long a blocking query is held, with up to a sixteenth more so that many do not come back at once."""
        text = self.text("wait")
        try:
            wait_s = parse_go_duration(text) if text else DEFAULT_WAIT_S
        except ValueError:
            raise Refusal(400, "Invalid wait time") from None
        wait_s = min(wait_s or DEFAULT_WAIT_S, MAX_WAIT_S)
        return wait_s * (1.0 + chance() / _JITTER)

    def _refuse_elsewhere(self) -> None:
        datacenter = self.text("dc")
        if datacenter not in ("", DATACENTER):
            raise Refusal(400, f'No path to datacenter: there is "{DATACENTER}" only')
        if "stale" in self._values and "consistent" in self._values:
            raise Refusal(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
        if self.text("peer"):
            raise Refusal(400, "Peers are not supported")
