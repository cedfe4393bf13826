"""Which machine route a request is for. What stands in no row goes to the ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from registry.machine.request import Handler


class Routes:
    """Rows of method, pattern (`/v1/services/{name}`: braces take one segment that is not empty) and handler."""

    __slots__ = ("_by_size", "_families", "patterns")

    def __init__(self, rows: Iterable[tuple[str, str, Handler]]) -> None:
        self.patterns: list[tuple[str, str]] = []
        self._by_size: dict[int, list[tuple[tuple[tuple[int, str], ...], dict[str, Handler]]]] = {}
        self._families: dict[tuple[str, ...], Handler] = {}
        self.add(rows)

    def add(self, rows: Iterable[tuple[str, str, Handler]], families: Mapping[str, Handler] | None = None) -> None:
        """families: who answers all other requests below a path of one or two segments (`/v1/kv`, `/eureka`), whatever
        their method, so that another protocol's surface refuses in that protocol's own form."""
        self._families.update({tuple(path.split("/")[1:]): handler for path, handler in (families or {}).items()})
        for method, pattern, handler in rows:
            self.patterns.append((method, pattern))
            segments = pattern.split("/")[1:]
            literals = tuple((at, text) for at, text in enumerate(segments) if not text.startswith("{"))
            known = self._by_size.setdefault(len(segments), [])
            for row_literals, methods in known:
                if row_literals == literals:
                    methods[method] = handler
                    break
            else:
                known.append((literals, {method: handler}))

    def find(self, method: str, segments: tuple[str, ...]) -> Handler | None:
        for literals, methods in self._by_size.get(len(segments), ()):
            for at, text in literals:
                if segments[at] != text:
                    break
            else:
                if "" not in segments and (handler := methods.get(method)) is not None:
                    return handler
        return self._families.get(segments[:2]) or self._families.get(segments[:1])

    def has(self, segments: tuple[str, ...]) -> bool:
        """Whether anything is served there, by whichever method."""
        return any(
            all(segments[at] == text for at, text in literals) for literals, _ in self._by_size.get(len(segments), ())
        )
