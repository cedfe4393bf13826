"""What readers of GET /v1/live are shown beside revisions, worked out once for all of them.

States, no queues: each reader is owed the newest of each topic, whatever came between. While nobody reads, nothing is
done; and however many windows are read, working out takes a fifth of the time at most.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, get_args

import msgspec

from meshway.problem import Problem, soon
from meshway.tasks import spawn
from registry.insight.asking import Span
from registry.insight.sight import Sight
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry.gateways import GatewayState
    from registry.insight.asking import Asking
    from registry.notices import Notices

Topic = Literal["revisions", "signals", "alerts", "rollouts", "gateways"]
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)
EVERY_S: Final = 2.0
SHARE: Final = 5.0  # what working out took, times this, is the shortest time between two rounds
MOST_WINDOWS: Final = 32
# How old a gateway's last report may be shown as.
_AGE_S: Final = 10.0
_log = logging.getLogger("registry.live")
_encode: Final = msgspec.json.Encoder().encode


class Shown(NamedTuple):
    """What one reader is shown of signals. window_s: up to now. services: `namespace/name`; none: all of them."""

    window_s: float
    sight: Sight
    namespace: str | None
    services: frozenset[str]


class Reader(Protocol):
    """signals: None where it does not read them. owe: called with the newest text of a topic, once a change."""

    topics: frozenset[Topic]
    signals: Shown | None

    def owe(self, topic: Topic, text: bytes) -> None: ...

    def notice(self, topic: Topic, namespaces: frozenset[str]) -> None:
        """There is something new of a topic in these."""


class _Told(NamedTuple):
    """number: grows with each change. state: what it says, for comparing. text: the event."""

    number: int
    state: bytes
    text: bytes


_NOTHING: Final = _Told(0, b"", b"")


class LiveTopics:
    """wall: seconds since 1970. gateways: what they say of themselves now."""

    def __init__(
        self,
        asking: Asking,
        gateways: Callable[[], list[GatewayState]],
        notices: Notices,
        wall: Callable[[], float],
    ) -> None:
        self._asking = asking
        self._gateways = gateways
        self._wall = wall
        self._readers: dict[Reader, dict[Topic, int]] = {}
        self._told: dict[Shown | Literal["gateways"], _Told] = {}
        self._number = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        notices.listen(self._noticed)

    def join(self, reader: Reader) -> None:
        """It is owed all it reads as soon as that is known. Raises Problem (503): as many windows are read already as
        may be at once."""
        shown = reader.signals
        if shown is not None:
            windows = {(one.window_s, one.sight) for each in self._readers if (one := each.signals) is not None}
            if (shown.window_s, shown.sight) not in windows and len(windows) >= MOST_WINDOWS:
                raise Problem(
                    503,
                    "too_many_windows",
                    "Too many windows",
                    detail=f"{MOST_WINDOWS} windows of signals are read live, and this registry works out no more",
                    mend="read one that others read too (window_s), or GET /v1/insight/services now and then",
                    headers=soon(),
                )
        self._readers[reader] = {}
        self._woken.set()
        if self._task is None:
            self._task = spawn(self._run(), name="live topics")

    def leave(self, reader: Reader) -> None:
        self._readers.pop(reader, None)
        if not self._readers and self._task is not None:
            self._task.cancel()
            self._task = None
            self._told.clear()

    def _noticed(self, topic: Topic, namespaces: frozenset[str]) -> None:
        for reader in self._readers:
            if topic in reader.topics:
                reader.notice(topic, namespaces)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            began = loop.time()
            try:
                self._look_at_gateways()
                await self._look_at_signals()
            except Exception:  # else nobody would be shown anything until all readers have gone
                _log.exception("live topics stay as they are now")
            rest_s = max(0.0, SHARE * (loop.time() - began))
            await asyncio.sleep(min(rest_s, EVERY_S))
            try:
                async with asyncio.timeout(max(EVERY_S, rest_s) - min(rest_s, EVERY_S)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _look_at_gateways(self) -> None:
        readers = [reader for reader in self._readers if "gateways" in reader.topics]
        if readers:
            states = self._gateways()
            rough = [msgspec.structs.replace(one, last_report_s=one.last_report_s // _AGE_S * _AGE_S) for one in states]
            told = self._tell("gateways", _encode(rough), lambda: {"items": states}, "gateways")
            for reader in readers:
                self._owe(reader, "gateways", told)

    async def _look_at_signals(self) -> None:
        groups: dict[Shown, list[Reader]] = {}
        for reader in self._readers:
            if reader.signals is not None:
                groups.setdefault(reader.signals, []).append(reader)
        for gone in [key for key in self._told if key != "gateways" and key not in groups]:
            del self._told[gone]
        for shown, readers in groups.items():
            try:
                told = await self._signals(shown)
            except StoreUnavailable as error:  # what is shown grows old, and says so
                _log.warning("live signals cannot be worked out now: %s", error)
                return
            for reader in readers:
                if reader in self._readers:
                    self._owe(reader, "signals", told)

    async def _signals(self, shown: Shown) -> _Told:
        now = self._wall()
        span = Span(now - shown.window_s, now)
        found = await self._asking.services(span, shown.sight, shown.namespace)
        items = [each for each in found if not shown.services or f"{each.namespace}/{each.name}" in shown.services]
        state = _encode(items)
        about = {"first": span.first, "end": span.end, "window_s": shown.window_s, "items": msgspec.Raw(state)}
        return self._tell(shown, state, lambda: about, "signals")

    def _tell(
        self, key: Shown | Literal["gateways"], state: bytes, body: Callable[[], Mapping[str, object]], topic: Topic
    ) -> _Told:
        """Anew when the state is another one."""
        known = self._told.get(key, _NOTHING)
        if known.number and known.state == state:
            return known
        self._number += 1
        text = b"event: %b\ndata: %b\n\n" % (topic.encode(), _encode(body()))
        made = self._told[key] = _Told(self._number, state, text)
        return made

    def _owe(self, reader: Reader, topic: Topic, told: _Told) -> None:
        has = self._readers[reader]
        if has.get(topic) != told.number:
            has[topic] = told.number
            reader.owe(topic, told.text)
