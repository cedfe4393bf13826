"""What a worker keeps and tells of the calls it has carried: numbers, lines, recorded calls, spans, and the tap."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import random

from gateway.compiler.telling import TellingPlans
from gateway.relay.relay import Relay
from gateway.secret_ring import SecretRing
from gateway.settings import WorkerSettings, own_version
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import BEYOND, Counters
from gateway.telemetry.finish import Finisher
from gateway.telemetry.otlp_sink import OtlpSinks
from gateway.telemetry.recorder import Recorder
from gateway.telemetry.tap import Tap
from gateway.telemetry.telling import Telling
from gateway.worker.telling import follow
from meshway.model.document import MESH_NAMESPACE
from meshway.outbound.guard import guarded_dial
from meshway.spans import Span


class CallRecords:
    """counters: the file of this worker's numbers. workers: how many the host has now. now: monotonic seconds."""

    def __init__(
        self,
        settings: WorkerSettings,
        counters: Path,
        secrets: SecretRing,
        workers: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        self.counters = Counters(counters, settings.max_series)
        self.counters.counter(BEYOND)  # shown while there are none, too
        dropped = self.counters.counter("meshway_access_log_dropped_total")
        dial = guarded_dial(allow_loopback=settings.calls_loopback)
        self.log_file = AccessLog(
            settings.access_log,
            settings.log_buffer,
            lambda count: self.counters.add(dropped, count),
            now=now,
            collectors=OtlpSinks(secrets, MESH_NAMESPACE, settings.node, own_version(), dial),
        )
        self.recorder = Recorder(Path(settings.recorded)) if settings.recorded else None
        self._telling = Telling(self.counters, self.log_file.writer, workers, keeps_lines=self.log_file.is_on)
        self.finisher = Finisher(self.counters, self.log_file, self.recorder, self._telling)
        self.tap = Tap(self.log_file.writer, self._turn_tap, random)
        self._told_by: TellingPlans | None = None

    def _turn_tap(self, is_heard: bool) -> None:
        self.finisher.listen(self.tap if is_heard else None)

    def follow(self, plans: TellingPlans | None, relay: Relay) -> None:
        """What documents say of it now; None: nothing."""
        if plans is not self._told_by:
            self._told_by = plans
            follow(plans, self.finisher, self.log_file, relay, self.counters)

    def beat(self, now: float) -> Iterator[tuple[list[bytes], list[Span]]]:
        """Writes what waits. Lines and spans that the supervisor is to be told."""
        self.finisher.flush()
        self.log_file.beat()
        if self.recorder is not None:
            self.recorder.beat()
        self.tap.beat(now)
        return self._telling.take()

    async def say_goodbye(self) -> None:
        self.finisher.flush()
        await self.log_file.say_goodbye()
        self.log_file.close()
        if self.recorder is not None:
            self.recorder.close()
