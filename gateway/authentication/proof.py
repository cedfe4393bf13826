"""What a credential proves, and what is said of one that proves nothing."""

from collections.abc import Awaitable
from typing import Final, NamedTuple, Protocol

from meshway.identity import Principal

REMEMBERED_S: Final = 60.0  # longer, and a credential that was taken back would go on for too long


class Proof(NamedTuple):
    """lines: fields that tell the service, each `Name: value CRLF`. until: monotonic seconds, from then on it is to be
    proved anew."""

    principal: Principal
    lines: bytes
    until: float


class Fault(NamedTuple):
    """reason: in words, nothing of the credential in it. is_unknown: another method may know better. is_busy: it was
    not judged, and may be shown again."""

    reason: str
    is_unknown: bool = False
    is_busy: bool = False


class Method(Protocol):
    """One way of proving who calls. challenge: for WWW-Authenticate, without its realm: `Bearer`."""

    challenge: bytes

    def judge(self, credential: bytes) -> Proof | Fault | Awaitable[Proof | Fault]:
        """What takes long is waited for beside the loop."""

    def forget(self) -> None:
        """What was believed is to be proved anew."""
