"""Requests signed as a client of RFC 9421 signs them."""

import base64
import hashlib
import hmac
import time
from typing import Any

from tests.parts.tokens import Signer

SECRET = bytes(range(32))
KEY_ID = "pos-7"
COMPONENTS = ("@method", "@authority", "@path", "@query")
HMAC_KEYS = [{"key_id": KEY_ID, "secret": base64.b64encode(SECRET).decode()}]


def digest_of(body: bytes, algorithm: str = "sha-256") -> str:
    digest = hashlib.new(algorithm.replace("-", ""), body).digest()
    return f"{algorithm}=:{base64.b64encode(digest).decode()}:"


def signed(
    target: str = "/",
    *,
    method: str = "GET",
    host: str = "shop.example",
    body: bytes | None = None,
    components: tuple[str, ...] | None = None,
    fields: dict[str, str] | None = None,
    key: Signer | None = None,
    secret: bytes = SECRET,
    **parameters: Any,
) -> str:
    """Fields of the request. parameters: besides created, keyid, alg and nonce, or instead; None leaves one out."""
    path, _, query = target.partition("?")
    fields = dict(fields or {})
    if body is not None:
        fields.setdefault("content-digest", digest_of(body))
    covered = components or (*COMPONENTS, *(("content-digest",) if body is not None else ()))
    values = {"@method": method, "@authority": host, "@path": path, "@query": f"?{query}", "@scheme": "http"} | fields
    told = {"created": int(time.time()), "keyid": KEY_ID, "alg": "hmac-sha256", "nonce": f"n-{time.monotonic_ns()}"}
    told |= parameters
    names = " ".join(f'"{name}"' for name in covered)
    text = "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"'
        for name, value in told.items()
        if value is not None
    )
    line = f"({names}){text}"
    base = "".join(f'"{name}": {values[name]}\n' for name in covered) + f'"@signature-params": {line}'
    made = hmac.digest(secret, base.encode(), "sha256") if key is None else key.sign(base.encode())
    lines = [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"Signature-Input: sig1={line}", f"Signature: sig1=:{base64.b64encode(made).decode()}:"]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{one}\r\n" for one in lines)
