"""What the caller of a request may do, by namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.identity import ANONYMOUS, LOOPBACK, Principal
from meshway.problem import Problem, not_found
from registry.revisions.acts import ASKING
from registry.rights.roles import EVERYWHERE, RIGHTS, RIGHTS_OF

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.rights.roles import Right
    from registry.rights.token import Grant

_NONE: Final[frozenset[Right]] = frozenset()
# What a service may of its own.
_OF_A_SERVICE: Final[frozenset[Right]] = frozenset(
    {"instances:read", "instances:drain", "instances:write", "logs:write"}
)
_MEND: Final = (
    "people: meshway login NAME; programs send Authorization: Bearer mwt_…, which meshway token create makes,"
    " and commands read from MESHWAY_TOKEN_FILE"
)


class Caller:
    """principal: who it is. everywhere, within: its rights in all namespaces, and in single ones. service: the
    one it may register (`namespace/name`), empty: none. expires_at: seconds since 1970; None: never. token: id of
    the token it came with, empty: none. session: the digest of the session it came with, empty: none;
    confirmed_at: when its person gave a password or a code last, seconds since 1970. must_change: its password,
    before anything else. is_admin: it may all there is, which is asked first on every way."""

    __slots__ = (
        "confirmed_at", "everywhere", "expires_at", "is_admin", "must_change", "principal", "service", "session",
        "token", "within",
    )  # fmt: skip

    def __init__(
        self,
        principal: Principal,
        grants: Iterable[Grant] = (),
        *,
        service: str = "",
        expires_at: float | None = None,
        token: str = "",
        session: str = "",
        confirmed_at: float = 0.0,
        must_change: bool = False,
        is_admin: bool = False,
    ) -> None:
        self.principal = principal
        self.service = service
        self.expires_at = expires_at
        self.token = token
        self.session = session
        self.confirmed_at = confirmed_at
        self.must_change = must_change
        self.everywhere: frozenset[Right] = frozenset(RIGHTS) if is_admin else _NONE
        self.within: dict[str, frozenset[Right]] = {}
        for grant in grants:
            rights = RIGHTS_OF[grant.role]
            if grant.namespace == EVERYWHERE:
                self.everywhere |= rights
            else:
                self.within[grant.namespace] = self.within.get(grant.namespace, _NONE) | rights
        self.is_admin = len(self.everywhere) == len(RIGHTS)

    @property
    def is_gateway(self) -> bool:
        """Whether it is told what Secrets hold: by the role of gateways, or on a machine that is trusted as a whole. An
        admin may follow the feed, and is not told."""
        return "feed:read" in self.everywhere and (not self.is_admin or self.principal is LOOPBACK)

    @property
    def is_anonymous(self) -> bool:
        return self.principal is ANONYMOUS

    def may(self, right: Right, namespace: str) -> bool:
        """namespace: `*` asks for all of them."""
        return right in self.everywhere or right in self.within.get(namespace, _NONE)

    def may_somewhere(self, right: Right) -> bool:
        if self.service and right in _OF_A_SERVICE:
            return True
        return right in self.everywhere or any(right in rights for rights in self.within.values())

    def may_register(self, namespace: str, service: str) -> bool:
        return self.may("instances:write", namespace) or (
            bool(self.service) and self.service == f"{namespace}/{service}"
        )

    def may_log(self, namespace: str, service: str) -> bool:
        """Whether lines of the service's log are its to ship."""
        return self.may("logs:write", namespace) or (bool(self.service) and self.service == f"{namespace}/{service}")

    def may_see(self, namespace: str, service: str) -> bool:
        """Whether instances of the service are shown to it: its own always are."""
        return self.may("instances:read", namespace) or (
            bool(self.service) and self.service == f"{namespace}/{service}"
        )

    def namespaces(self, right: Right) -> frozenset[str] | None:
        """Where it has the right; None: everywhere."""
        if right in self.everywhere:
            return None
        return frozenset(namespace for namespace, rights in self.within.items() if right in rights)

    def require(self, right: Right, namespace: str) -> None:
        """Raises Problem: 401 for one that has not signed in, 404 where it may not read, 403 where it may."""
        if not (self.is_admin or self.may(right, namespace)):
            raise self.refusal(right, namespace)

    def require_everywhere(self, right: Right) -> None:
        """Of what concerns the whole mesh. Raises Problem 401, 403."""
        if not (self.is_admin or right in self.everywhere):
            raise self.refusal(right, EVERYWHERE)

    def require_somewhere(self, right: Right) -> None:
        """Of what is judged or filtered row by row. Raises Problem 401, 403."""
        if not (self.is_admin or self.may_somewhere(right)):
            raise self.refusal(right, EVERYWHERE)

    def require_registering(self, namespace: str, service: str) -> None:
        """Raises Problem 401, 403, 404."""
        if not (self.is_admin or self.may_register(namespace, service)):
            refusal = self.refusal("instances:write", namespace)
            raise _forbidden("instances:write", namespace) if self.may_see(namespace, service) else refusal

    def require_seeing(self, namespace: str, service: str) -> None:
        """Raises Problem 401, 404."""
        if not (self.is_admin or self.may_see(namespace, service)):
            raise self.refusal("instances:read", namespace)

    def refusal(self, right: Right, namespace: str) -> Problem:
        """What it is told that lacks the right: whether a namespace exists that it may not read, it does not hear."""
        if (asking := ASKING.get()) is not None:
            asking.is_denied = True
        if self.is_anonymous:
            return unauthenticated("nobody is signed in", code="not_signed_in")
        if self.must_change:
            return Problem(
                403,
                "password_change_needed",
                "Not allowed",
                detail="the password was given by somebody else: it has to be changed before anything else",
                mend="meshway user change-password",
            )
        if namespace != EVERYWHERE and not self.may("documents:read", namespace):
            return hidden(namespace)
        return _forbidden(right, namespace)


def unauthenticated(detail: str, *, code: str, mend: str = _MEND) -> Problem:
    """401 with what is accepted (RFC 9110 §11.6.1)."""
    return Problem(
        401,
        code,
        "Not signed in",
        detail=detail,
        mend=mend,
        headers={"WWW-Authenticate": 'Bearer realm="meshway"'},
    )


def hidden(namespace: str) -> Problem:
    """The same for one that does not exist and one that may not be read."""
    return not_found(f"namespace {namespace}", "or you have no right to read it")


def _forbidden(right: Right, namespace: str) -> Problem:
    where = "in all namespaces" if namespace == EVERYWHERE else f"in {namespace}"
    return Problem(
        403,
        "forbidden",
        "Not allowed",
        detail=f"this needs {right} {where}",
        mend="an admin gives a role that holds it: to people by meshway user bind NAME --role ROLE, to programs by "
        "meshway token create NAME --role ROLE",
        extra={"right": right, "namespace": namespace},
    )


NOBODY: Final = Caller(ANONYMOUS)
TRUSTED: Final = Caller(LOOPBACK, is_admin=True)
