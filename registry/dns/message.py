"""DNS messages as bytes (pure): queries read strictly, answers written.

RFC 1035 §4 (messages), RFC 2181 §9 (TC), RFC 2782 (SRV), RFC 6891 (EDNS). What reads like a query but is none gets an
rcode; what is no query at all gets no answer, so that two servers never talk to each other for ever.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
AAAA: Final = 28
SRV: Final = 33
OPT: Final = 41
TRANSFERS: Final = frozenset({251, 252})  # IXFR, AXFR
ANY: Final = 255
IN: Final = 1

NOERROR: Final = 0
FORMERR: Final = 1
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
BADVERS: Final = 16

PLAIN_LIMIT: Final = 512  # bytes over UDP without EDNS, RFC 1035 §4.2.1
EDNS_LIMIT: Final = 1232  # what passes every path unfragmented: 1280 of IPv6 less its and UDP's heads
STREAM_LIMIT: Final = 65535
OWNER: Final = b"\xc0\x0c"  # a pointer to the question's name
_MAX_NAME: Final = 255
_OPT_SIZE: Final = 11

_head: Final = struct.Struct("!HHHHHH")
_record: Final = struct.Struct("!HHIH")
_two: Final = struct.Struct("!HH")
_soa: Final = struct.Struct("!IIIII")
_srv: Final = struct.Struct("!HHH")


class Query(msgspec.Struct, frozen=True, gc=False):
    """question: as it came, for the echo. name: its name in lower case, as on the wire. rcode: why it is not answered.

    payload: bytes its sender takes over UDP; 0: it speaks no EDNS.
    """

    id: int
    flags: int
    question: bytes = b""
    name: bytes = b""
    type: int = 0
    klass: int = 0
    payload: int = 0
    rcode: int = NOERROR


class RecordSet(msgspec.Struct, frozen=True, gc=False):
    """records: whole, each owned by the question's name. extras: what goes with each in the additional section."""

    records: tuple[bytes, ...]
    extras: tuple[bytes, ...] = ()
    size: int = 0

    def one(self, at: int) -> RecordSet:
        whole = self.records[at]
        return RecordSet((whole,), size=len(whole))


class _BadMessage(Exception):
    """It ends too early, or a name in it is none."""


def read_query(data: bytes) -> Query | None:
    """None: no answer at all (too short, or an answer itself)."""
    if len(data) < 12:
        return None
    number, flags, questions, answers, authority, additional = _head.unpack_from(data)
    if flags & 0x8000:
        return None
    if flags & 0x7800:
        return Query(number, flags, rcode=NOTIMP)
    try:
        if questions != 1:
            raise _BadMessage
        end = _question_name_end(data)
        kind, klass = _two.unpack_from(data, end)
        question, name = data[12 : end + 4], data[12:end].lower()
        if not (answers or authority or additional) and len(data) == end + 4:
            return Query(number, flags, question, name, kind, klass)
        payload, rcode = _read_rest(data, end + 4, answers + authority, additional)
    except (_BadMessage, struct.error, IndexError):
        return Query(number, flags, rcode=FORMERR)
    return Query(number, flags, question, name, kind, klass, payload, rcode)


def labels_of(name: bytes) -> list[bytes]:
    """The labels of a name as on the wire, without the root."""
    labels = []
    at = 0
    while length := name[at]:
        labels.append(name[at + 1 : at + 1 + length])
        at += 1 + length
    return labels


def wire_name(text: str) -> bytes:
    """`ns.mesh.mesh` as on the wire; labels must be ASCII, 1 to 63 characters."""
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in text.split(".")) + b"\0"


def record(owner: bytes, kind: int, ttl_s: int, data: bytes) -> bytes:
    return owner + _record.pack(kind, IN, ttl_s, len(data)) + data


def srv_data(weight: int, port: int, target: bytes) -> bytes:
    """target: never compressed, RFC 2782. Priority is always 0."""
    return _srv.pack(0, weight, port) + target


def soa_data(primary: bytes, mailbox: bytes, serial: int, *, negative_ttl_s: int) -> bytes:
    """negative_ttl_s: how long a resolver may remember that a name is not there, RFC 2308 §4."""
    return primary + mailbox + _soa.pack(serial & 0xFFFFFFFF, 3600, 600, 86400, negative_ttl_s)


def refuse(query: Query, rcode: int) -> bytes:
    """An answer without records."""
    return _encode(query, rcode, (), (), (), is_ours=False, is_cut=False)


def deny(query: Query, rcode: int, soa: bytes) -> bytes:
    """NXDOMAIN, or NOERROR for a name that holds nothing of that type. soa: the zone's, with the zone as its owner."""
    return _encode(query, rcode, (), (soa,), (), is_ours=True, is_cut=False)


def answer(query: Query, found: RecordSet, order: Sequence[int], limit: int) -> bytes:
    """order: places of records, the first ones win where not all fit. limit: bytes of the whole message.

    Records that do not fit set TC, but over a stream, where there is no second way to ask. Extras that do not fit are
    left out: whoever needs them asks for them (RFC 2181 §9).
    """
    room = limit - 12 - len(query.question) - (_OPT_SIZE if query.payload else 0)
    records = [found.records[at] for at in order]
    is_cut = found.size > room
    if is_cut:
        records = _fitting(records, room)
        return _encode(query, NOERROR, records, (), (), is_ours=True, is_cut=limit < STREAM_LIMIT)
    extras = _fitting([found.extras[at] for at in order], room - found.size) if found.extras else ()
    return _encode(query, NOERROR, records, (), extras, is_ours=True, is_cut=False)


def record_set(records: Iterable[tuple[bytes, bytes]]) -> RecordSet:
    """Pairs of a record and its extra, b"" where there is none."""
    pairs = tuple(records)
    wholes = tuple(whole for whole, _ in pairs)
    extras = tuple(extra for _, extra in pairs)
    return RecordSet(wholes, extras if any(extras) else (), sum(map(len, wholes)))


def udp_limit(query: Query) -> int:
    return min(max(query.payload, PLAIN_LIMIT), EDNS_LIMIT)


def _encode(
    query: Query,
    rcode: int,
    answers: Sequence[bytes],
    authority: Sequence[bytes],
    extras: Sequence[bytes],
    *,
    is_ours: bool,
    is_cut: bool,
) -> bytes:
    # QR, opcode and RD as they came; no recursion is ever available.
    flags = 0x8000 | (query.flags & 0x7900) | (0x0400 if is_ours else 0) | (0x0200 if is_cut else 0) | (rcode & 15)
    additional = len(extras)
    opt = b""
    if query.payload:
        additional += 1
        opt = b"\0" + _record.pack(OPT, EDNS_LIMIT, (rcode >> 4) << 24, 0)
    head = _head.pack(query.id, flags, 1 if query.question else 0, len(answers), len(authority), additional)
    return b"".join((head, query.question, *answers, *authority, *extras, opt))


def _fitting(parts: Sequence[bytes], room: int) -> list[bytes]:
    """The first ones that fit; b"" is none."""
    fitting = []
    for part in parts:
        if not part:
            continue
        room -= len(part)
        if room < 0:
            break
        fitting.append(part)
    return fitting


def _question_name_end(data: bytes) -> int:
    """Where the first name ends. Nothing stands before it that it could point to."""
    at = 12
    while length := data[at]:
        if length > 63:
            raise _BadMessage
        at += length + 1
    at += 1
    if at - 12 > _MAX_NAME:
        raise _BadMessage
    return at


def _read_rest(data: bytes, at: int, skipped: int, additional: int) -> tuple[int, int]:
    """Payload (0 without EDNS) and rcode; everything up to the last byte must be records."""
    payload, rcode = 0, NOERROR
    for number in range(skipped + additional):
        is_root = data[at] == 0
        at = _name_end(data, at)
        kind, klass, ttl, length = _record.unpack_from(data, at)
        at += _record.size + length
        if at > len(data):
            raise _BadMessage
        if kind != OPT:
            continue
        if payload or not is_root or number < skipped:  # one OPT, of the root, in the additional section
            raise _BadMessage
        payload = max(klass, PLAIN_LIMIT)
        rcode = BADVERS if (ttl >> 16) & 0xFF else NOERROR
    if at != len(data):
        raise _BadMessage
    return payload, rcode


def _name_end(data: bytes, at: int) -> int:
    """Where a name ends that nobody reads: a pointer ends it, wherever it leads."""
    begin = at
    while length := data[at]:
        if length >= 0xC0:
            return at + 2
        if length > 63 or at - begin > _MAX_NAME:
            raise _BadMessage
        at += length + 1
    return at + 1
