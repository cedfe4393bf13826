"""Where a registry is and how it is asked; used by the follower and the reporter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from meshway.outbound.connection import NOT_ASKED, PlainConnection, PlainError
from meshway.problem import Problem
from meshway.settings import SettingError, read_secret

CONNECT_S: Final = 3.0


@dataclass(slots=True, frozen=True)
class RegistryUrl:
    """One registry replica. text: as it was given, for people. token_file: holds what this gateway signs in by."""

    host: str
    port: int
    text: str
    token_file: Path | None = None

    @classmethod
    def parse(cls, text: str, token_file: Path | None = None) -> Self:
        """Raises Problem with the mend."""
        parts = urlsplit(text)
        try:
            port = parts.port or 8500
        except ValueError:
            port = 0
        if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/"):
            raise Problem(
                400,
                "bad_registry_url",
                f"{text!r} is no registry URL",
                mend="write http://HOST:PORT, such as http://127.0.0.1:8500",
            )
        return cls(parts.hostname, port, f"http://{parts.netloc}", token_file)

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

    async def connect(self) -> PlainConnection:
        """Raises PlainError."""
        return await PlainConnection.open(self.host, self.port, CONNECT_S)
