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

import msgspec

from gateway.channel import ChannelFrame, PairFrame, PairsWanted, Refusal
from gateway.compiler.diff import DocumentKey, read_changes
from gateway.secret_ring import SecretRing
from meshway.certificates import MAX_PEM, CertificateFault, Pair, Urgency, covers, read_pair, urgency
from meshway.model.certificate import Certificate, CertificateFiles, Expiry, issued_name
from meshway.model.document import MESH_NAMESPACE
from meshway.model.secret import SecretRef, secret_ref
from meshway.snapshot import Change

NOT_ISSUED: Final = "the mesh has issued none yet"
READ_AGAIN_S: Final = 10.0
MOST_TEXT: Final = 200

_log = logging.getLogger("meshway.gateway.certificates")


@dataclass(slots=True)
class _Source:
    """text: what was read last, certificate and key. pair: the last one that may serve. fault: of what was read last.

    warned: how near its end was when that was told last.
    """

    spec: Certificate
    text: tuple[bytes, bytes] = (b"", b"")
    pair: Pair | None = None
    fault: str = ""
    warned: Urgency = field(default="", compare=False)


class Shown(msgspec.Struct, frozen=True):
    """What callers are shown for a Certificate, as the registry is told. not_before, not_after: seconds since
    1970."""

    namespace: str
    name: str
    fingerprint: str
    not_after: float
    issuer: str
    serial: str
    not_before: float


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
        self._told: list[Refusal] = []
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
                if (wanted := _secret_of(key, entry.spec)) is not None:
                    self._secrets.watch(wanted.secret, self)
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
            Refusal(
                *key,
                path=_source_path(source.spec),
                reason=source.fault,
                is_pending=source.fault == NOT_ISSUED and source.pair is None,
            )
            for key, source in self._sources.items()
            if source.fault
        ] + self._rivals()

    def _rivals(self) -> list[Refusal]:
        """Those of which another one is shown, for the same host at the same listener and with the same kind of key: of
        files only a gateway can tell. The first by name is shown (gateway/worker/serving.py)."""
        shown: dict[tuple[str, str, str], DocumentKey] = {}
        found: list[Refusal] = []
        for key, source in sorted(self._sources.items()):
            pair = source.pair
            hosts = () if pair is None else source.spec.hosts or pair.hosts
            places = [(listener, host, pair.algorithm) for listener in source.spec.listeners for host in hosts if pair]
            other = next((shown[place] for place in places if place in shown), None)
            if other is not None:
                reason = f"conflict: Certificate {other[1]}/{other[2]} shows a key of the same kind for a host of it"
                found.append(Refusal(*key, path="spec.hosts", reason=reason))
            for place in places:
                shown.setdefault(place, key)
        return found

    def shown(self) -> list[Shown]:
        pairs = [(key, source.pair) for key, source in self._sources.items() if source.pair is not None]
        return [
            Shown(*key[1:], pair.fingerprint, pair.not_after, pair.issuer[:MOST_TEXT], pair.serial, pair.not_before)
            for key, pair in pairs
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
        for key, source in tuple(self._sources.items()):
            files = source.spec.files
            if files is not None:
                text, fault = await asyncio.to_thread(_read, self._folder, key[1], files)
            else:
                text, fault = self._read_secret(key, source.spec)
            if self._sources.get(key) is source:
                self._judge(key, source, text, fault)
        if (refused := self.refused) != self._told:
            self._told = refused
            self._on_refused()

    def _read_secret(self, key: DocumentKey, spec: Certificate) -> tuple[tuple[bytes, bytes], str]:
        """As `_read`."""
        wanted = _secret_of(key, spec)
        assert wanted is not None
        frame = self._secrets.held(key[1], wanted)
        if frame is None or frame.type != "tls":
            lacking = NOT_ISSUED if spec.mesh_ca is not None else ""
            return (b"", b""), lacking or f'Secret "{wanted.secret}" is not known here, or of another type'
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
        source.pair, source.warned = pair, ""
        _log.info("Certificate %s/%s: %s by %s", *key[1:], pair.fingerprint[:16], pair.issuer)
        if pair.is_reordered:
            _log.warning("Certificate %s/%s: its chain is in another order, which was mended", *key[1:])
        self._send(_frame(key, pair))

    def _warn(self, key: DocumentKey, source: _Source) -> None:
        pair = source.pair
        if pair is None:
            return
        wall_s, asked = self._wall(), source.spec.expiry or Expiry()
        near = urgency(pair.not_before, pair.not_after, wall_s, asked.warn, asked.critical)
        if near and near != source.warned:
            level = logging.ERROR if near == "critical" else logging.WARNING
            _log.log(level, "Certificate %s/%s is over in %.1f days", *key[1:], (pair.not_after - wall_s) / 86_400.0)
        source.warned = near

    def _drop(self, gone: Iterable[DocumentKey]) -> None:
        found = [key for key in gone if self._sources.pop(key, None) is not None]
        if found:
            self._send(PairsWanted(names=[(key[1], key[2]) for key in self._sources]))
            self._on_refused()


def _secret_of(key: DocumentKey, spec: Certificate) -> SecretRef | None:
    """By which the pair is held, None: it is in files."""
    if spec.mesh_ca is not None:
        return SecretRef(secret=issued_name(key[2]), namespace="own")
    return None if spec.secret is None else secret_ref(spec.secret)


def _source_path(spec: Certificate) -> str:
    return "spec.mesh_ca" if spec.mesh_ca is not None else "spec.secret" if spec.files is None else "spec.files"


def _read(folder: Path, namespace: str, files: CertificateFiles) -> tuple[tuple[bytes, bytes], str]:
    """Both files and why they cannot be had, or ""; in a thread. A namespace has those of its own folder alone, or it
    would show by another's key whatever it likes; `mesh` has all."""
    if namespace != MESH_NAMESPACE:
        folder = folder / namespace
        if not folder.is_dir() or folder.is_symlink():
            return (b"", b""), f"namespace {namespace} has no folder here: its files lie in {folder}, which is none"
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
