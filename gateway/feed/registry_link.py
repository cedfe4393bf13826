"""Where a registry is and how it is asked; used by the follower and the reporter."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from meshway.certificates import CertificateFault, Pair
from meshway.outbound.connection import NOT_ASKED, PlainConnection, PlainError
from meshway.problem import Problem
from meshway.settings import SettingError, read_secret
from meshway.tls import client_context, load_pair

CONNECT_S: Final = 3.0


@dataclass(slots=True, frozen=True)
class RegistryUrl:
    """One registry replica. text: as it was given, for people. token_file: holds what this gateway signs in by. tls:
    None: it speaks without."""

    host: str
    port: int
    text: str
    token_file: Path | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(cls, text: str, token_file: Path | None = None, ca_file: Path | None = None) -> Self:
        """Raises Problem with the mend."""
        parts = urlsplit(text)
        try:
            port = parts.port or 8500
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or not port or parts.path.strip("/"):
            raise Problem(
                400,
                "bad_registry_url",
                f"{text!r} is no registry URL",
                mend="write http://HOST:PORT or https://HOST:PORT, such as http://127.0.0.1:8500",
            )
        tls = _believing(ca_file) if parts.scheme == "https" else None
        return cls(parts.hostname, port, f"{parts.scheme}://{parts.netloc}", token_file, tls)

    @property
    def fields(self) -> bytes:
        """Host and, where there is a token, Authorization. The file is read each time: a token is replaced without a
        restart. Raises PlainError when it cannot be."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        fields = f"Host: {host}:{self.port}\r\n".encode("latin-1")
        if self.token_file is None:
            return fields
        try:
            return fields + f"Authorization: Bearer {read_secret(self.token_file)}\r\n".encode("ascii")
        except SettingError as error:
            raise PlainError(str(error), NOT_ASKED) from error

    def show(self, pair: Pair) -> None:
        """Of this gateway, to connections from now on: it signs in by it, where it has no token."""
        if self.tls is not None and self.token_file is None:
            load_pair(self.tls, pair)

    async def connect(self) -> PlainConnection:
        """Raises PlainError."""
        return await PlainConnection.open(self.host, self.port, CONNECT_S, self.tls)


def _believing(ca_file: Path | None) -> ssl.SSLContext:
    """Raises Problem."""
    try:
        return client_context(None if ca_file is None else ca_file.read_bytes())
    except (OSError, CertificateFault) as error:
        detail = f"{ca_file} says of no registry that it may be believed: {error}"
        raise Problem(400, "bad_ca_file", detail, mend="name certificates in PEM: --ca-file") from error
