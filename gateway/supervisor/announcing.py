"""What changes about a host as a whole, told once each: its first readiness, its revision, what it refuses."""

import logging
from collections.abc import Callable
from pathlib import Path

from gateway.channel import Refusal
from gateway.hot_path import HotPath
from gateway.settings import Addresses
from gateway.supervisor.ready_file import write_ready_file
from gateway.supervisor.service_manager import ServiceManager

_log = logging.getLogger("meshway.gateway.supervisor")


class Announcing:
    """ready_file: written when the host is ready, None: none is. manager: told when it is and no other process has its
    place. on_changed: the registry should hear of it."""

    def __init__(
        self, addresses: Addresses, ready_file: Path | None, manager: ServiceManager, on_changed: Callable[[], None]
    ) -> None:
        self._addresses, self._ready_file, self._manager, self._on_changed = addresses, ready_file, manager, on_changed
        self._has_told_manager = False
        self._told: tuple[int, list[Refusal]] = (0, [])
        self._was_ready = False

    def look(
        self, revision: int, refused: list[Refusal], hot_path: HotPath, *, is_ready: bool, has_place: bool
    ) -> None:
        """After whatever may have changed. revision, hot_path: what all workers run."""
        if is_ready and has_place and not self._has_told_manager:
            self._has_told_manager = True
            self._tell_manager(revision)
        if (revision, refused) != self._told:
            self._log_refused(refused)
            self._told = (revision, refused)
            self._on_changed()
        if is_ready and not self._was_ready:
            self._was_ready = True
            self._on_changed()
            edge, mesh = self._addresses.edge, self._addresses.mesh
            why = f": {hot_path.why}" if hot_path.why else ""
            _log.info("ready: edge %s mesh %s at r%d, hot path %s%s", edge, mesh, revision, hot_path.word, why)
            self._write()

    def reloaded(self, revision: int) -> None:
        if self._has_told_manager:
            self._tell_manager(revision)

    def _tell_manager(self, revision: int) -> None:
        self._manager.ready(f"edge {self._addresses.edge} mesh {self._addresses.mesh} at r{revision}")

    def _log_refused(self, refused: list[Refusal]) -> None:
        for each in refused:
            if each not in self._told[1]:
                place = f" at {each.path}" if each.path else ""
                level, verb = (logging.INFO, "waits with") if each.is_pending else (logging.ERROR, "refused")
                _log.log(level, "%s %s %s/%s%s: %s", verb, each.kind, each.namespace, each.name, place, each.reason)

    def _write(self) -> None:
        if self._ready_file is None:
            return
        try:
            write_ready_file(self._ready_file, self._addresses)
        except OSError as error:  # calls go on without it
            _log.error("cannot write the ready file %s: %s", self._ready_file, error)
