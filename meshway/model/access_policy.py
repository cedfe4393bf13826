"""AccessPolicy: who may call what. Deny wins over allow, whichever document says so."""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, field

from meshway.model.document import Label, Part, Spec, Target
from meshway.model.external_check import ExternalCheck
from meshway.model.match import PathMatch, Text

MOST_RULES: Final = 1000


class AccessCaller(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who calls; all parts must hold. namespace: whose Route the call comes by. cidr, ip_list: of the caller's address,
    not_cidr, not_ip_list: of one that is in none of these.

    service: as its certificate, or its token, proves it: of `namespace`, or else of the policy's. via: `route`: the
    Routes of a namespace; `call`: its services, as they prove it; `any`: both. principal: as
    an Authentication proved it, `ISSUER#SUBJECT`. consumer, consumer_group: of the policy's namespace, or of `mesh`.
    anonymous: nobody proved anything.
    """

    namespace: Label | None = None
    service: Label | None = None
    via: Literal["any", "route", "call"] | None = None
    cidr: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    ip_list: Label | None = None
    not_cidr: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    not_ip_list: Label | None = None
    principal: Text | None = None
    consumer: Label | None = None
    consumer_group: Label | None = None
    anonymous: bool = False


class AccessOperation(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is called; all parts must hold. A rule that denies takes every reading of a path for the path."""

    path: PathMatch | None = None
    methods: tuple[str, ...] = ()
    headers: dict[str, Text] = {}
    query: dict[str, Text] = {}


class AccessCondition(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """claims: of the caller's token, by name or by path (`realm.roles`); all of them, of a list one member."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"time"})

    claims: dict[str, Text]


class AccessRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Any of `from` (none: everybody) for any of `to` (none: everything), where `when` holds."""

    name: Label | None = None
    action: Literal["allow", "deny"]
    from_: Annotated[tuple[AccessCaller, ...], Meta(max_length=64)] = field(name="from", default=())
    to: Annotated[tuple[AccessOperation, ...], Meta(max_length=64)] = ()
    when: AccessCondition | None = None


class AccessPolicy(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule that denies decides, then one that allows, then the nearest document's default.

    default: `inherit` is `deny` where a rule allows somebody. mode: `audit` counts what it would refuse, and refuses
    nothing. external: a service that is asked as well, of calls that the rules let pass.
    """

    plural: ClassVar[str] = "access-policies"

    targets: tuple[Target, ...] = ()
    default: Literal["inherit", "allow", "deny"] = "inherit"
    rules: Annotated[tuple[AccessRule, ...], Meta(max_length=MOST_RULES)] = ()
    mode: Literal["enforce", "audit"] = "enforce"
    external: ExternalCheck | None = None
