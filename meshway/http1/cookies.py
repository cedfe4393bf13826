"""The Cookie field of a request."""


def cookie_values(cookie: bytes) -> dict[bytes, bytes]:
    """Names and values as they stand (RFC 6265 §5.4 sends them unquoted); of a repeated name the first."""
    values: dict[bytes, bytes] = {}
    for pair in cookie.split(b";"):
        name, equals, value = pair.partition(b"=")
        if equals:
            values.setdefault(name.strip(b" \t"), value.strip(b" \t"))
    return values
