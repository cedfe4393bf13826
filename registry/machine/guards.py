"""What each operation needs, as one check before it is done: made of the rows that also describe the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, cast

from meshway.problem import Problem, not_found
from registry.machine.routes import Routes
from registry.read_only import is_change, is_change_by_browser, read_only
from registry.rights.caller import unauthenticated
from registry.rights.roles import MACHINE_RIGHTS
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from registry.machine.request import Handler, Reply, Request
    from registry.manners.openapi import Operation
    from registry.rights.roles import Right

    Check = Callable[[Request], None]

# How long after a password or a code a session may change keys, the authority and users.
CONFIRMED_S: Final = 600.0
_NAMESPACE, _SERVICE = 2, 4
"""Where they stand among the segments of a path below /v1/namespaces."""


class Guards:
    """open_paths: where nobody has to sign in. wall: seconds since 1970. is_read_only: people change nothing."""

    def __init__(
        self, operations: Sequence[Operation], wall: Callable[[], float] = time.time, *, is_read_only: bool = False
    ) -> None:
        self._checks = {
            (row.method, row.path): _confirmed(check_of(row), wall) if row.is_confirmed else check_of(row)
            for row in operations
        }
        # What an admin asks of the machine's side is checked for nothing but this.
        self._frozen = {
            (row.method, row.path): frozen for row in operations if is_read_only and (frozen := _frozen(row))
        }
        self._checks |= {at: _both(self._checks[at], frozen) for at, frozen in self._frozen.items()}
        self.open_paths = frozenset(row.path for row in operations if row.right == "open")
        for_pages = [row for row in operations if row.by_session and row.right not in MACHINE_RIGHTS]
        self._for_pages = Routes((row.method, row.path, cast("Handler", _anybody)) for row in for_pages)
        self._by_path = Routes((method, path, cast("Handler", check)) for (method, path), check in self._checks.items())

    def guarded(self, rows: Iterable[tuple[str, str, Handler]]) -> list[tuple[str, str, Handler]]:
        """The rows, each behind its check. Raises KeyError for one that declares no right."""
        return [
            (method, path, _behind(self._checks[method, path], handler, self._frozen.get((method, path))))
            for method, path, handler in rows
        ]

    def takes_cookies(self, method: str, segments: tuple[str, ...]) -> bool:
        """Whether a session of a browser may ask for it. What stands in no row takes none."""
        return self._for_pages.find("GET" if method == "HEAD" else method, segments) is not None

    def check(self, request: Request) -> None:
        """Of a request for the application. What is served there without a declared right is an admin's alone, and a
        slash within a segment is nobody's: the application would read another path than was judged."""
        if any("/" in segment for segment in request.segments):
            raise not_found(request.path, "no segment of a path holds a slash")
        check = cast("Check | None", self._by_path.find(request.method, request.segments))
        if check is not None:
            check(request)
        elif request.caller.is_anonymous:
            raise unauthenticated("nobody is signed in", code="not_signed_in")
        elif not request.caller.is_admin and not self._by_path.has(request.segments):
            raise not_found(request.path, "GET /openapi.json lists all paths")


def check_of(row: Operation) -> Check:
    if row.right == "open":
        return _anybody
    if row.right == "signed_in":
        return _signed_in
    if row.by_rows:
        return _somewhere(row.right)
    if "{namespace}" not in row.path:
        return _everywhere(row.right)
    if "{service}" in row.path and row.right == "instances:write":
        return _registering
    if "{service}" in row.path and row.right == "instances:read":
        return _seeing
    return _within(row.right)


def _frozen(row: Operation) -> Check | None:
    """Of a read-only registry: None: it is asked as always."""
    if is_change(row.method, row.right):
        return _refuse_change
    return _refuse_browser if is_change_by_browser(row.method, row.right) else None


def _refuse_change(_: Request) -> None:
    raise read_only()


def _refuse_browser(request: Request) -> None:
    if request.caller.session:
        raise read_only()


def _both(check: Check, frozen: Check) -> Check:
    def checked(request: Request) -> None:
        check(request)
        frozen(request)

    return checked


def _behind(check: Check, handler: Handler, frozen: Check | None) -> Handler:
    """frozen: what an admin, too, is refused."""

    def handle(request: Request) -> Reply:
        if not request.caller.is_admin:
            check(request)
        elif frozen is not None:
            frozen(request)
        return handler(request)  # type: ignore[return-value]  # whatever the handler answers with

    return handle


def _confirmed(check: Check, wall: Callable[[], float]) -> Check:
    """What a session that was left open must not be enough for."""

    def checked(request: Request) -> None:
        check(request)
        caller = request.caller
        if caller.session and wall() > caller.confirmed_at + CONFIRMED_S:
            raise Problem(
                403,
                "confirm_needed",
                "Confirm who you are",
                detail=f"who you are was not asked within {CONFIRMED_S / 60:.0f} min",
                mend="POST /v1/session/confirm with the password or a code, or sign in again: meshway login NAME, "
                "meshway login --sso --confirm; by a browser /v1/session/oidc/start?confirm=true",
            )

    return checked


def _anybody(_: Request) -> None:
    """Nobody has to sign in."""


def _signed_in(request: Request) -> None:
    if request.caller.is_anonymous:
        raise unauthenticated("nobody is signed in", code="not_signed_in")


def _somewhere(right: Right) -> Check:
    return lambda request: request.caller.require_somewhere(right)


def _everywhere(right: Right) -> Check:
    return lambda request: request.caller.require_everywhere(right)


def _within(right: Right) -> Check:
    def check(request: Request) -> None:
        namespace = request.segments[_NAMESPACE]
        if namespace == EVERY_NAMESPACE and request.method == "GET":
            request.caller.require_somewhere(right)  # the list is what may be read
        else:
            request.caller.require(right, namespace)

    return check


def _registering(request: Request) -> None:
    segments = request.segments
    request.caller.require_registering(segments[_NAMESPACE], segments[_SERVICE])


def _seeing(request: Request) -> None:
    segments = request.segments
    if segments[_NAMESPACE] == EVERY_NAMESPACE:
        request.caller.require_somewhere("instances:read")
    else:
        request.caller.require_seeing(segments[_NAMESPACE], segments[_SERVICE])
