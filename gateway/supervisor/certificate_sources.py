"""Finds the pairs that Certificates name, in files of this host or in Secrets, and hands them to all workers.

Files are read anew every 10 s and when the host is reloaded, Secrets when they are others. A pair that may not serve
leaves the former one in force and is reported as a refused document.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.channel import ChannelFrame, PairFrame, PairsWanted, Refusal
from gateway.compiler.diff import DocumentKey, read_changes
from gateway.secret_ring import SecretRing
from meshway.certificates import MAX_PEM, CertificateFault, Pair, covers, is_soon_over, read_pair
from meshway.model.certificate import Certificate, CertificateFiles
from meshway.model.secret import secret_ref
from meshway.snapshot import Change

READ_AGAIN_S: Final = 10.0

_log = logging.getLogger("meshway.gateway.certificates")


@dataclass(slots=True)
class _Source:
    """text: what was read last, certificate and key. pair: the last one that may serve. fault: of what was read last.

    was_warned: that its end is near has been told.
    """

    spec: Certificate
    text: tuple[bytes, bytes] = (b"", b"")
    pair: Pair | None = None
    fault: str = ""
    was_warned: bool = field(default=False, compare=False)


class CertificateSources:
    """folder: below which the files lie. secrets: what is known. send: a frame to all workers. on_refused: what is
    refused is other."""

    def __init__(
        self,
        folder: Path,
        secrets: SecretRing,
        send: Callable[[ChannelFrame], None],
        on_refused: Callable[[], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = secrets
        self._folder, self._send, self._on_refused, self._wall = folder, send, on_refused, wall
        self._sources: dict[DocumentKey, _Source] = {}
        self._woken = asyncio.Event()

    def replace(self, changes: Iterable[Change]) -> None:
        """A snapshot is held. A document whose new version cannot be read goes on as it was."""
        held = [change for change in changes if change.kind == Certificate.__name__]
        gone = self._sources.keys() - {change.key for change in held}
        self._drop(gone)
        self.take(held)

    def take(self, changes: Iterable[Change]) -> None:
        """Changes are held."""
        diff = read_changes(change for change in changes if change.kind == Certificate.__name__)
        for key, entry in diff.documents.items():
            if entry is None:
                self._drop({key})
            elif (known := self._sources.get(key)) is None or known.spec != entry.spec:
                self._sources[key] = _Source(entry.spec, pair=None if known is None else known.pair)
                if entry.spec.secret is not None:
                    self._secrets.watch(secret_ref(entry.spec.secret).secret, self)
        if diff.documents:
            self.wake()

    def forget(self) -> None:
        """A Secret is another."""
        self.wake()

    def wake(self) -> None:
        """The files may be others."""
        self._woken.set()

    def frames(self) -> list[ChannelFrame]:
        """What a new worker must know."""
        return [_frame(key, source.pair) for key, source in self._sources.items() if source.pair is not None]

    @property
    def refused(self) -> list[Refusal]:
        return [
            Refusal(*key, path="spec.secret" if source.spec.files is None else "spec.files", reason=source.fault)
            for key, source in self._sources.items()
            if source.fault
        ]

    def ends(self) -> list[tuple[DocumentKey, float]]:
        """When each certificate in force is over, seconds since 1970."""
        return [(key, source.pair.not_after) for key, source in self._sources.items() if source.pair is not None]

    async def run(self) -> None:
        while True:
            await self.refresh()
            try:
                async with asyncio.timeout(READ_AGAIN_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Reads all files once."""
        self._woken.clear()
        faults = {key: source.fault for key, source in self._sources.items()}
        for key, source in tuple(self._sources.items()):
            files = source.spec.files
            if files is not None:
                text, fault = await asyncio.to_thread(_read, self._folder, files)
            else:
                text, fault = self._read_secret(key[1], source.spec)
            if self._sources.get(key) is source:
                self._judge(key, source, text, fault)
        if faults != {key: source.fault for key, source in self._sources.items()}:
            self._on_refused()

    def _read_secret(self, namespace: str, spec: Certificate) -> tuple[tuple[bytes, bytes], str]:
        """As `_read`."""
        assert spec.secret is not None
        name = secret_ref(spec.secret).secret
        frame = self._secrets.held(namespace, name)
        if frame is None or frame.type != "tls":
            return (b"", b""), f'Secret "{name}" is not known here, or of another type'
        data = frame.versions[0].data
        return (str(data["certificate"]).encode(), str(data["private_key"]).encode()), ""

    def _judge(self, key: DocumentKey, source: _Source, text: tuple[bytes, bytes], fault: str) -> None:
        if not fault and (text != source.text or source.fault):
            try:
                pair = self._accepted(source.spec, text)
            except CertificateFault as error:
                fault = str(error)
            else:
                self._put(key, source, pair)
        source.text = text
        if fault and fault != source.fault:
            kept = ", the former pair stays" if source.pair is not None else ""
            _log.error("Certificate %s/%s: %s%s", *key[1:], fault, kept)
        source.fault = fault
        self._warn(key, source)

    def _accepted(self, spec: Certificate, text: tuple[bytes, bytes]) -> Pair:
        """Raises CertificateFault."""
        pair = read_pair(*text, self._wall())
        for host in spec.hosts:
            if not covers(pair.hosts, host):
                raise CertificateFault(f"its names do not cover {host}")
        return pair

    def _put(self, key: DocumentKey, source: _Source, pair: Pair) -> None:
        if pair == source.pair:
            return
        source.pair, source.was_warned = pair, False
        _log.info("Certificate %s/%s: %s by %s", *key[1:], pair.fingerprint[:16], pair.issuer)
        if pair.is_reordered:
            _log.warning("Certificate %s/%s: its chain is in another order, which was mended", *key[1:])
        self._send(_frame(key, pair))

    def _warn(self, key: DocumentKey, source: _Source) -> None:
        pair = source.pair
        if pair is None or source.was_warned:
            return
        wall_s = self._wall()
        if is_soon_over(pair.not_before, pair.not_after, wall_s):
            source.was_warned = True
            _log.warning("Certificate %s/%s is over in %.1f days", *key[1:], (pair.not_after - wall_s) / 86_400.0)

    def _drop(self, gone: Iterable[DocumentKey]) -> None:
        found = [key for key in gone if self._sources.pop(key, None) is not None]
        if found:
            self._send(PairsWanted(names=[(key[1], key[2]) for key in self._sources]))
            self._on_refused()


def _read(folder: Path, files: CertificateFiles) -> tuple[tuple[bytes, bytes], str]:
    """Both files and why they cannot be had, or ""; in a thread."""
    found: list[bytes] = []
    for name in (files.certificate, files.key):
        path = folder / name
        try:
            if not path.resolve().is_relative_to(folder.resolve()):
                return (b"", b""), f"{name} leads out of the folder of certificates"
            if path.stat().st_size > MAX_PEM:
                return (b"", b""), f"{name} is larger than {MAX_PEM >> 10} KiB"
            found.append(path.read_bytes())
        except OSError as error:
            return (b"", b""), f"{name} below {folder}: {error.strerror or error}"
    return (found[0], found[1]), ""


def _frame(key: DocumentKey, pair: Pair) -> ChannelFrame:
    return PairFrame(namespace=key[1], name=key[2], pair=pair)
