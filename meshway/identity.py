"""Who calls, proved: the one place where a Principal is made, and where the names of workloads are read and written."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

DEFAULT_TRUST_DOMAIN: Final = "mesh.internal"
GATEWAY: Final = "gateway"
RENEWAL: Final = b"meshway renewal\0"  # begins what the owner of a certificate signs for the next, and nothing else
TOKEN_REQUEST: Final = b"meshway token\0"  # likewise, for a service token
AUDIENCE: Final = "meshway"  # of service tokens: the gateways of the mesh
# SPIFFE-ID §2.1 and §2.3: lower case, no port, no user, 255 bytes; the whole at most 2048.
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9._]{0,253}[a-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# SPIFFE-ID §2.2: letters, digits, dots, dashes, underscores; neither `.` nor `..`.
_SEGMENT: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,253}")
SCHEME: Final = "spiffe://"


class Principal(msgspec.Struct, frozen=True):
    """The caller of a request, proved.

    name: `anonymous`, `loopback`; by a token `ISSUER#SUBJECT` (an issuer has no `#`, so no two callers share a name);
    by an API key the consumer's `namespace/name`. namespace, service: of a workload; service "" = the caller is none.
    consumer: `namespace/name` of the Consumer it was found to be, "" = none; groups: that one's; key_id: of the API key
    it showed. claims: of its token.
    token_groups: those that its token names, by the word of policy's namespace.
    method: how it was proved (`jwt`, `api_key`), "" = not at all. policy: by whose word (`Authentication shop/people`).
    """

    name: str
    namespace: str = "default"
    service: str = ""
    consumer: str = ""
    groups: frozenset[str] = frozenset()
    token_groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = msgspec.field(default_factory=dict)
    method: str = ""
    policy: str = ""
    key_id: str = ""
    # Set here, once, so that the end of a call looks at one field: `name` of a workload, `consumer credential` of a
    # Consumer, "" = its calls are counted as everybody's.
    counted_as: str = ""

    def __post_init__(self) -> None:
        if self.service:
            counted_as = self.name
        elif self.consumer:
            counted_as = f"{self.consumer} {self.credential}"
        else:
            return
        msgspec.structs.force_setattr(self, "counted_as", counted_as)

    @property
    def credential(self) -> str:
        """What a Consumer proved itself by: the id of its key, or the method."""
        return self.key_id or self.method


ANONYMOUS = Principal("anonymous")
LOOPBACK = Principal("loopback")


class IdentityFault(ValueError):
    """Why a text is no name of ours, in words for people."""


class SpiffeId(msgspec.Struct, frozen=True, kw_only=True):
    """The name of a workload, or of a gateway (SPIFFE-ID; docs/internals/identity.md). Exactly one of the two.

    namespace, service: of a workload. instance: one copy of it, for records alone: nothing matches on it. gateway: its
    host, of a gateway.
    """

    trust_domain: str
    namespace: str = ""
    service: str = ""
    instance: str = ""
    gateway: str = ""

    @property
    def text(self) -> str:
        if self.gateway:
            return f"{SCHEME}{self.trust_domain}/meshway/gateway/{self.gateway}"
        copy = f"/instance/{self.instance}" if self.instance else ""
        return f"{SCHEME}{self.trust_domain}/ns/{self.namespace}/svc/{self.service}{copy}"

    @property
    def dns_names(self) -> tuple[str, ...]:
        """For clients that check the host's name."""
        return () if self.gateway else (f"{self.service}.{self.namespace}.mesh",)

    def principal(self, method: str) -> Principal:
        """method: how it was proved."""
        if self.gateway:
            return Principal(self.text, method=method)
        name = msgspec.structs.replace(self, instance="").text
        return Principal(name, namespace=self.namespace, service=self.service, method=method)


def parse_spiffe_id(text: str) -> SpiffeId:
    """One of the three forms, written exactly so; nothing is decoded or folded. Raises IdentityFault."""
    if not text.startswith(SCHEME):
        raise IdentityFault(f"{shown(text)} does not begin with {SCHEME}")
    trust_domain, *path = text[len(SCHEME) :].split("/")
    if not is_trust_domain(trust_domain):
        raise IdentityFault(f"{shown(text)} names no trust domain")
    match path:
        case ["meshway", "gateway", host] if _SEGMENT.fullmatch(host):
            return SpiffeId(trust_domain=trust_domain, gateway=host)
        case ["ns", namespace, "svc", service] if _LABEL.fullmatch(namespace) and _LABEL.fullmatch(service):
            return SpiffeId(trust_domain=trust_domain, namespace=namespace, service=service)
        case ["ns", namespace, "svc", service, "instance", instance] if (
            _LABEL.fullmatch(namespace) and _LABEL.fullmatch(service) and _SEGMENT.fullmatch(instance)
        ):
            return SpiffeId(trust_domain=trust_domain, namespace=namespace, service=service, instance=instance)
    raise IdentityFault(f"{shown(text)} is neither /ns/NAMESPACE/svc/SERVICE nor /meshway/gateway/HOST")


def parse_subject(text: str, trust_domain: str) -> SpiffeId:
    """Whom a certificate is for, as people write it: `NAMESPACE/SERVICE`, or `gateway/HOST`: services of a namespace
    called gateway can have no certificate. Raises IdentityFault."""
    first, slash, second = text.partition("/")
    if first == GATEWAY and slash and _SEGMENT.fullmatch(second):
        return SpiffeId(trust_domain=trust_domain, gateway=second)
    if not slash or first == GATEWAY or not _LABEL.fullmatch(first) or not _LABEL.fullmatch(second):
        raise IdentityFault(f"{shown(text)} is neither NAMESPACE/SERVICE nor gateway/HOST")
    return SpiffeId(trust_domain=trust_domain, namespace=first, service=second)


def token_issuer(trust_domain: str) -> str:
    """Of service tokens."""
    return f"{SCHEME}{trust_domain}"


def serial_hash(serial: int) -> int:
    """64 bits that stand for a certificate's serial where it is listed as revoked."""
    return int.from_bytes(hashlib.sha256(serial_bytes(serial)).digest()[:8], "big")


def serial_bytes(serial: int) -> bytes:
    """In others' certificates it may be below nought (RFC 5280 §4.1.2.2 asks readers to put up with that)."""
    bits = serial.bit_length() + (serial < 0)
    return serial.to_bytes((bits + 7) // 8 or 1, "big", signed=serial < 0)


def is_trust_domain(text: str) -> bool:
    return _TRUST_DOMAIN.fullmatch(text) is not None


def shown(text: str) -> str:
    """Of what others sent, for messages: short and printable."""
    return repr(text if len(text) <= 200 else text[:200] + "…")


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of this name, or the member that a path of names with dots leads to; None: there is none.

    A whole name wins over a path, since names may hold dots (`https://id.example/roles`).
    """
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def claim_texts(value: object) -> tuple[str, ...]:
    """What may be compared of a claim: a text, a whole number, true or false as JSON writes them; of a list each of its
    members that is one of these. Anything else has none."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, list | tuple):
        return tuple(text for member in value if not isinstance(member, list | tuple) for text in claim_texts(member))
    return ()
