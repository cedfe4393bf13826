"""Where a registry is and how it is asked; used by the follower and the reporter."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from meshway.outbound.connection import PlainConnection
from meshway.problem import Problem

CONNECT_S: Final = 3.0


@dataclass(slots=True, frozen=True)
class RegistryUrl:
    """One registry replica. text: as it was given, for people."""

    host: str
    port: int
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
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
        return cls(parts.hostname, port, f"http://{parts.netloc}")

    @property
    def host_field(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"Host: {host}:{self.port}\r\n".encode("latin-1")

    async def connect(self) -> PlainConnection:
        """Raises PlainError."""
        return await PlainConnection.open(self.host, self.port, CONNECT_S)
