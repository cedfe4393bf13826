"""DNS questions as dnslib writes them."""

from dnslib import EDNS0, DNSRecord


def question(name: str, kind: str = "A", klass: str = "IN", *, payload: int = 0, version: int = 0) -> bytes:
    """payload: bytes taken over UDP by EDNS; 0: no EDNS."""
    asked = DNSRecord.question(name, kind, klass)
    if payload:
        asked.add_ar(EDNS0(udp_len=payload, version=version))
    return bytes(asked.pack())
