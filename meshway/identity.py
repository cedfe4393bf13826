"""Who calls, proved: the one place where a Principal is made."""

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """The caller of a request. name: `anonymous`, `loopback`, later a SPIFFE id."""

    name: str
    namespace: str = "default"


ANONYMOUS = Principal("anonymous")
LOOPBACK = Principal("loopback")
