"""Which calls a rule is for: the path, and what else is asked of a request."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Part

Path = Annotated[str, Meta(pattern="^/", max_length=1024)]
Regex = Annotated[str, Meta(min_length=1, max_length=512)]

_NO_PROOF: Final = (
    "needs a caller who has proved who he is, which gateways cannot ask for yet: an address or a header proves "
    "nothing. Take it out"
)


class StringMatch(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of the first seven. A value that is missing fulfils only `present: false` and what is inverted.

    regex: RE2, over the whole value. ignore_case: of ASCII letters. A bare text in its place means `exact`.
    """

    exact: str | None = None
    prefix: Annotated[str, Meta(min_length=1)] | None = None
    suffix: Annotated[str, Meta(min_length=1)] | None = None
    contains: Annotated[str, Meta(min_length=1)] | None = None
    regex: Regex | None = None
    in_: Annotated[tuple[str, ...], Meta(max_length=256)] = msgspec.field(name="in", default=())
    present: bool | None = None
    ignore_case: bool = False
    invert: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether the exact text alone says the same."""
        return self.exact is not None and not self.ignore_case and not self.invert


Text = str | StringMatch


class PathMatch(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of the first five. Prefix `/a` matches `/a` and `/a/b`, not `/ab`; string_prefix does.

    template: `/reviews/{id}`, a name for one segment, `{rest=**}` for all that follow. regex: RE2, over the whole path.
    """

    exact: Path | None = None
    prefix: Path | None = None
    template: Path | None = None
    regex: Regex | None = None
    string_prefix: Path | None = None
    ignore_case: bool = False


class Source(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a call comes from. cidr: networks, any of which may hold the caller's address."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"service", "namespace", "principal", "labels"})
    unsupported_because: ClassVar[Mapping[str, str]] = dict.fromkeys(unsupported, _NO_PROOF)

    cidr: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]


class Match(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All parts must hold. A repeated header is matched on its values joined by a comma, a query name on its first."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"claims", "consumer", "consumer_group"})
    unsupported_because: ClassVar[Mapping[str, str]] = dict.fromkeys(unsupported, _NO_PROOF)

    path: PathMatch | None = None
    methods: tuple[str, ...] = ()
    headers: dict[str, Text] = {}
    query: dict[str, Text] = {}
    cookies: dict[str, Text] = {}
    source: Source | None = None
    scheme: Literal["http", "https"] | None = None
