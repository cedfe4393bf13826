"""The query of a request target, read without changing it: names and values decoded, `+` is a space (HTML forms)."""

from urllib.parse import unquote_to_bytes


def first_value(query: bytes, name: bytes) -> bytes | None:
    """The first value of this name, decoded; None when it is not there. query: with its `?`, or b""."""
    for pair in query[1:].split(b"&"):
        key, _, value = pair.partition(b"=")
        if (key == name or decoded(key) == name) and pair:
            return decoded(value)
    return None


def first_values(query: bytes) -> dict[bytes, bytes]:
    """Every name with its first value, both decoded."""
    values: dict[bytes, bytes] = {}
    for pair in query[1:].split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            values.setdefault(decoded(name), decoded(value))
    return values


def decoded(text: bytes) -> bytes:
    if text.find(b"+") >= 0:
        text = text.replace(b"+", b" ")
    return text if text.find(b"%") < 0 else unquote_to_bytes(text)
