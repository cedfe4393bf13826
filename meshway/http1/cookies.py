"""The Cookie field of a request, also where HTTP/2 has parted it into several (RFC 9113 §8.2.3)."""

from meshway.http1.fields import find_all


def cookie_values(block: bytes) -> dict[bytes, bytes]:
    """Of a block of fields: names and values as they stand (RFC 6265 §5.4 sends them unquoted); of a repeated name the
    first."""
    values: dict[bytes, bytes] = {}
    for line in find_all(block, b"cookie"):
        for pair in line.split(b";"):
            name, equals, value = pair.partition(b"=")
            if equals:
                values.setdefault(name.strip(b" \t"), value.strip(b" \t"))
    return values


def cookie_value(block: bytes, wanted: bytes) -> bytes | None:
    """One of `cookie_values`; None: there is none of this name."""
    for line in find_all(block, b"cookie"):
        for pair in line.split(b";"):
            name, equals, value = pair.partition(b"=")
            if equals and name.strip(b" \t") == wanted:
                return value.strip(b" \t")
    return None
