"""A line as an AccessLog document wants it, made from the line that a call has anyhow.

What may be a credential is never in it, whatever a document asks for (meshway/secrecy.py).
"""

import ipaddress
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.exchange import Exchange
from gateway.telemetry.call_plan import LogPlan
from meshway.http1.fields import find
from meshway.http1.query import decoded
from meshway.secrecy import is_secret, without_secrets

MOST_ADDED: Final = 1024  # bytes of an added value
MASKED: Final = "***"
_V4_PREFIX: Final = 24
_V6_PREFIX: Final = 64
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def written(plan: LogPlan, exchange: Exchange, line: bytes) -> bytes:
    """line: of LineWriter. With its LF."""
    is_as_it_was = not plan.added and not plan.dropped and plan.query == "drop" and plan.address == "full"
    if is_as_it_was and not plan.is_combined:
        return line
    fields = _decode(line)
    fields["path"] += _query(plan.query, exchange.query)
    fields["peer"] = _address(plan.address, fields["peer"])
    if plan.is_combined:
        return _combined(fields, exchange)
    for name, read in plan.added:
        value = read(exchange)
        if value is not None:
            fields[name] = _shown(name, value, plan)
    for name in plan.dropped:
        fields.pop(name, None)
    return _encode(fields) + b"\n"


def _shown(name: str, value: bytes, plan: LogPlan) -> str:
    if is_secret(name.encode(), value):
        return MASKED
    for mask in plan.masks:
        value = mask.sub(MASKED.encode(), value)
    return value[:MOST_ADDED].decode("utf-8", "replace")


def _query(wish: str, query: bytes) -> str:
    """query: with its `?`, or b""."""
    if wish == "drop" or len(query) < 2:
        return ""
    if wish == "full":
        return without_secrets(query).decode("latin-1")
    names = [decoded(pair.partition(b"=")[0]).decode("utf-8", "replace") for pair in query[1:].split(b"&") if pair]
    return "?" + "&".join(names)


def _address(wish: str, peer: str) -> str:
    if wish == "full":
        return peer
    if wish == "drop":
        return ""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    length = _V4_PREFIX if address.version == 4 else _V6_PREFIX
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


def _combined(fields: dict[str, Any], exchange: Exchange) -> bytes:
    """NCSA's combined format, as Apache and nginx write it."""
    moment = datetime.fromisoformat(fields["time"]).strftime("%d/%b/%Y:%H:%M:%S +0000")
    asked = f"{fields['method']} {fields['path']} {fields['protocol']}"
    referer, agent = (find(exchange.block, name) or b"-" for name in (b"referer", b"user-agent"))
    told = f'{fields["peer"] or "-"} - {_plain(fields["principal"]) or "-"} [{moment}] "{_plain(asked)}" '
    told += (
        f'{fields["status"]} {fields["bytes_out"]} "{_plain(_without(referer))}" "{_plain(agent.decode("latin-1"))}"'
    )
    return told.encode() + b"\n"


def _without(referer: bytes) -> str:
    return without_secrets(referer).decode("latin-1")


def _plain(text: str) -> str:
    """Nothing in it ends a quoted text or a line."""
    return "".join(
        char if char.isprintable() and char not in '"\\' else f"\\x{ord(char):02x}" if ord(char) < 256 else "?"
        for char in text
    )
