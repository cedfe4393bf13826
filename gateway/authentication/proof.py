"""What a credential proves, and what is said of one that proves nothing."""

from typing import NamedTuple, Protocol

from meshway.identity import Principal


class Proof(NamedTuple):
    """lines: fields that tell the service, each `Name: value CRLF`. until: monotonic seconds, from then on it is to be
    proved anew."""

    principal: Principal
    lines: bytes
    until: float


class Fault(NamedTuple):
    """reason: in words, nothing of the credential in it. is_unknown: another method may know better."""

    reason: str
    is_unknown: bool = False


class Method(Protocol):
    """One way of proving who calls. challenge: for WWW-Authenticate, without its realm: `Bearer`."""

    challenge: bytes

    def judge(self, credential: bytes) -> Proof | Fault: ...
