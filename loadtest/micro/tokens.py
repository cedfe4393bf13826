"""What asking callers for a token costs a call once the token is known, without loop and kernel, as relay.py.

Run: python -m loadtest.micro.tokens [bare|token|asked] [calls]: `bare` is the plain get, `token` the same with a token
that nobody asks for, `asked` with an Authentication that does. For instructions, run it under valgrind twice and divide
the difference by that of the calls: valgrind --tool=callgrind python -m loadtest.micro.tokens asked 2000
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.micro.relay import Bench
from meshway.snapshot import Change
from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, token

ROUNDS: Final = 5
CALLS: Final = 10_000
PROFILES: Final = ("bare", "token", "asked")


def changes(*documents: tuple[str, dict[str, Any]]) -> list[Change]:
    plain: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Service", {"type": "static", "endpoints": [{"address": "127.0.0.1", "port": 9000}]}),
        ("Route", {"rules": [{"destinations": [{"service": "upstream"}]}]}),
    )
    return [_change(kind, spec) for kind, spec in (*plain, *documents)]


def _change(kind: str, spec: dict[str, Any]) -> Change:
    value = {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": "upstream"}, "spec": spec}
    return Change("put", kind, "default", "upstream", msgspec.Raw(msgspec.msgpack.encode(value)))


def measure(profile: str, calls: int, rounds: int = ROUNDS) -> float:
    """µs of CPU per call, the best round."""
    key = SigningKey("EC")  # made by about the same number of instructions each time
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": {"keys": [key.jwk()]}}
    policy = ("Authentication", {"methods": [{"jwt": jwt}]})
    credential = "" if profile == "bare" else f"Authorization: Bearer {token(key)}\r\n"
    request = f"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8580\r\n{credential}\r\n".encode()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(changes(policy) if profile == "asked" else changes(), Path(folder))
        best = min(bench.round([request] * calls) for _ in range(rounds))
        bench.close()
    return best


def main(arguments: Sequence[str]) -> None:
    calls = int(arguments[1]) if len(arguments) > 1 else CALLS
    for profile in arguments[:1] or PROFILES:
        print(f"{profile:<8}{measure(profile, calls, 1 if arguments else ROUNDS):6.2f} µs")


if __name__ == "__main__":
    main(sys.argv[1:])
