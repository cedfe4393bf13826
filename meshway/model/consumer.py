"""Consumer: an outside client by name, whatever it proves itself by."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from meshway.model.document import Label, Part, Spec


class ConsumerKey(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An API key. id: the 8 characters between `mw_` and the next `_`. hash: SHA-256 of the whole key, which is shown
    once and kept nowhere. expires: RFC 3339, from then on it is refused. created: likewise, for people."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"secret"})

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8}$(?!\n)")]
    hash: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]
    expires: str | None = None
    created: str | None = None


class ConsumerToken(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Tokens of an issuer about a subject, as an Authentication's `jwt` believes them."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"claim"})

    issuer: Annotated[str, Meta(min_length=1, max_length=512)]
    subject: Annotated[str, Meta(min_length=1, max_length=256)]


class ConsumerUser(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A user of the Secret that an Authentication's `basic` names."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"secret"})
    unsupported_because: ClassVar[Mapping[str, str]] = {"secret": "is what `basic` of the Authentication names"}

    username: Annotated[str, Meta(min_length=1, max_length=128)]


class ConsumerCredential(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"mtls"})

    api_key: ConsumerKey | None = None
    jwt: ConsumerToken | None = None
    basic: ConsumerUser | None = None


class Consumer(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Authentications of its namespace find it; one in namespace `mesh` those of every namespace.

    groups: what AccessPolicies and limits may name instead of it. metadata: for people. suspended: who proves to be it
    is refused with 403 until it is so no more; its credentials stay.
    """

    plural: ClassVar[str] = "consumers"

    credentials: Annotated[tuple[ConsumerCredential, ...], Meta(max_length=10)] = ()
    groups: Annotated[tuple[Label, ...], Meta(max_length=32)] = ()
    metadata: Annotated[dict[str, str], Meta(max_length=32)] = {}
    suspended: bool = False
