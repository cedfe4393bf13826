"""The bytes of a backup: gzip around one line that names the format, frames of rows, and a frame that closes it.

A frame is a 4-byte big-endian length and one msgpack map tagged `t`. Rows are maps by field name, so that a later
version may add fields. The last frame counts the rows and holds the SHA-256 of everything before it: a file that was
cut, or changed by a bit, is refused whole. Secrets in it are sealed as in the store, by a data key whose master key is
not in it; nothing else is encrypted, unless all of the file is (`sealed.py`).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from typing import IO, TYPE_CHECKING, Final

import msgspec

from registry.backup.sealed import SealedFile, SealedReader, is_sealed
from registry.store.authorities import AuthorityRecord, TrustRecord
from registry.store.certificates import CertificateRecord
from registry.store.interface import (
    AuditHeadRecord,
    AuditRecord,
    DataKeyRecord,
    DocumentRecord,
    HistoryRecord,
    InstanceRecord,
    OnceRecord,
    PeopleRecord,
    TokenRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 2
_LINE: Final = b"meshway backup 1\n"
_MAX_FRAME: Final = 64 << 20
_GZIP: Final = 31  # zlib's word for a gzip header around deflate with the largest window


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="begin"):
    """at: RFC 3339. meshway: the version that wrote it. schema: of the store it was taken from."""

    format: int
    meshway: str
    schema: str
    at: str
    epoch: str
    revision: int
    instance_number: int


class Rows(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="rows", omit_defaults=True):
    """A part of the tables. history_from: from which revision on their history is whole; in the last part alone.

    audit_head: the last row of the log, and where rows were forgotten the last of these. Format 1 has no tokens, people
    and audit.
    """

    namespaces: list[str] = []
    instances: list[InstanceRecord] = []
    documents: list[DocumentRecord] = []
    history: list[HistoryRecord] = []
    onces: list[OnceRecord] = []
    data_keys: list[DataKeyRecord] = []
    trust: list[TrustRecord] = []
    authorities: list[AuthorityRecord] = []
    certificates: list[CertificateRecord] = []
    tokens: list[TokenRecord] = []
    people: list[PeopleRecord] = []
    audit: list[AuditRecord] = []
    audit_head: list[AuditHeadRecord] = []
    history_from: int = 0

    @property
    def count(self) -> int:
        return sum(len(getattr(self, table)) for table in self.__struct_fields__ if table != "history_from")


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="end"):
    rows: int
    sha256: bytes


class BrokenArchive(ValueError):
    """Why a file is no backup, or not a whole one: one line."""


class KeyWanted(BrokenArchive):
    """It is sealed, and no key was named."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Begin | Rows | End)


class ArchiveWriter:
    """Each call gives the bytes that are ready, which may be none."""

    __slots__ = ("_count", "_digest", "_pack")

    def __init__(self) -> None:
        self._pack = zlib.compressobj(wbits=_GZIP)
        self._digest = hashlib.sha256()
        self._count = 0

    def begin(self, begin: Begin) -> bytes:
        return self._add(_LINE) + self._add(_framed(begin))

    def rows(self, rows: Rows) -> bytes:
        self._count += rows.count
        return self._add(_framed(rows))

    def end(self) -> bytes:
        end = End(rows=self._count, sha256=self._digest.digest())
        return self._pack.compress(_framed(end)) + self._pack.flush()

    def _add(self, data: bytes) -> bytes:
        self._digest.update(data)
        return self._pack.compress(data)


def read_archive(file: Path, key: bytes | None = None) -> Iterator[Begin | Rows]:
    """Begin first, then all rows. key: of one that is sealed. Raises BrokenArchive, at the latest at the end: nothing
    counts before it is over."""
    try:
        with file.open("rb") as outer:
            plain = _opened(outer, file, key)
            with gzip.GzipFile(str(file), "rb", fileobj=plain) as opened:
                yield from _frames(opened)
    except SealedFile as error:
        raise BrokenArchive(f"{file} cannot be opened: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BrokenArchive(f"{file} is damaged, or no backup: {error}") from error


def _opened(outer: IO[bytes], file: Path, key: bytes | None) -> IO[bytes]:
    if not is_sealed(outer):
        return outer
    if key is None:
        raise KeyWanted(f"{file} is encrypted")
    return io.BufferedReader(SealedReader(outer, key))


def _frames(opened: gzip.GzipFile) -> Iterator[Begin | Rows]:
    digest, count, is_begun = hashlib.sha256(), 0, False
    line = opened.read(len(_LINE))
    if line != _LINE:
        raise BrokenArchive(f"{opened.name} is no backup of this form: it begins with {line[:40]!r}")
    digest.update(line)
    while True:
        size = opened.read(4)
        length = int.from_bytes(size, "big")
        body = opened.read(length) if len(size) == 4 and length <= _MAX_FRAME else b""
        if not body or len(body) < length:
            raise BrokenArchive(f"{opened.name} is damaged: it is cut off, or was changed")
        frame = _frame(body, opened)
        if isinstance(frame, End):
            if frame.sha256 != digest.digest() or frame.rows != count or opened.read(1):
                raise BrokenArchive(f"{opened.name} is damaged: its digest is another")
            return
        if isinstance(frame, Begin) is is_begun:
            raise BrokenArchive(f"{opened.name} is damaged: it does not begin as a backup does")
        is_begun = True
        digest.update(size)
        digest.update(body)
        count += frame.count if isinstance(frame, Rows) else 0
        yield frame


def _frame(body: bytes, opened: gzip.GzipFile) -> Begin | Rows | End:
    try:
        frame: Begin | Rows | End = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenArchive(f"{opened.name} is damaged, or of a later version: {error}") from error
    return frame


def _framed(frame: Begin | Rows | End) -> bytes:
    body = _encode(frame)
    return len(body).to_bytes(4, "big") + body
