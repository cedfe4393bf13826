"""IpList: networks under one name, for `from` of AccessPolicies."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from meshway.model.document import Part, Spec

MOST_ENTRIES: Final = 10_000


class IpEntry(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """until: RFC 3339, from then on the entry says nothing. note: for people."""

    cidr: str
    until: str | None = None
    note: Annotated[str, Meta(max_length=200)] = ""


class IpList(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """In namespace `mesh` it is for every namespace that has none of this name itself."""

    plural: ClassVar[str] = "ip-lists"
    max_size: ClassVar[int] = 1 << 20

    entries: Annotated[tuple[IpEntry, ...], Meta(max_length=MOST_ENTRIES)] = ()
