"""What may be a secret of a caller: names and values that nothing which is kept, logged or shown may hold.

Whoever has such a value can call as somebody else.
"""

import re
from typing import Final

from meshway.http1.query import decoded

# Of names of headers, query parameters and cookies.
_NAMES: Final = re.compile(
    rb"auth|cookie|token|secret|passw|session|api[-_]?key|credential|signature|jwt|otp|\A(?:key|code|sig|state|nonce)\Z",
    re.IGNORECASE,
)
# A JSON Web Token (two parts that begin with `{"` in base64url) or an API key, wherever an Authentication has callers
# put it. Looked for at the beginning of a word only, so that a long value costs no more than its length.
_VALUES: Final = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+|mw_[A-Za-z0-9_-]{8}_[A-Za-z0-9_-]{43})"
)


def is_secret_name(name: bytes) -> bool:
    return _NAMES.search(name) is not None


def is_secret(name: bytes, value: bytes) -> bool:
    return is_secret_name(name) or _VALUES.search(value) is not None


def without_secrets(target: bytes) -> bytes:
    """A request's target, the query's secret values taken out; its names stay."""
    path, mark, query = target.partition(b"?")
    if not mark:
        return target
    pairs = [pair.partition(b"=") for pair in query.split(b"&")]
    kept = [name + sign + (b"" if is_secret(decoded(name), decoded(value)) else value) for name, sign, value in pairs]
    return path + b"?" + b"&".join(kept)
