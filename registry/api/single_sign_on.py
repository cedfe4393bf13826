"""/v1/session/oidc: people sign in by their browser at an OpenID provider; commands, by the browser beside them."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.http1.query import first_values
from meshway.problem import Problem, not_found
from registry.api.answers import answer, problem_answer
from registry.federation.single_sign_on import CALLBACK, LASTS_S, Refused, SingleSignOn
from registry.manners.json_text import decoder_of
from registry.manners.query import query_of
from registry.people.cookies import set_cookie
from registry.revisions.acts import Actor

if TYPE_CHECKING:
    from registry.core import Core
    from registry.federation.single_sign_on import Arrived

MANY: Final = "/v1/session/oidc"
START: Final = "/v1/session/oidc/start"
END: Final = "/v1/session/oidc/end"
GRANTS: Final = "/v1/session/oidc/grants"
_ACTION: Final = f"GET {CALLBACK}"
_UNSTORED: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
# The browser was sent here by another site, and would not send a SameSite=Strict cookie along on its way on: this page
# is of our own site, and goes on from here.
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={onward}">'
    '<title>Meshway</title><p>Signed in. <a href="{onward}">Go on</a></html>\n'
)
_REFUSED: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Meshway</title>'
    "<h1>{title}</h1><p>{detail}</p><p>{mend}</p></html>\n"
)


class Offered(msgspec.Struct, frozen=True):
    """A provider where people may sign in. start: where a browser goes for it."""

    name: str
    title: str
    start: str


class OfferedPage(msgspec.Struct, frozen=True):
    items: list[Offered]


class GrantWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """grant: that the browser brought. verifier: of the challenge that it began with."""

    grant: Annotated[str, Meta(max_length=16_384)]
    verifier: Annotated[str, Meta(min_length=43, max_length=128)]


class SignedIn(msgspec.Struct, frozen=True):
    """token: sent as `Authorization: Bearer`, and told once. expires_at: seconds since 1970, where it is
    used meanwhile."""

    principal: str
    token: str
    expires_at: float


_decode: Final = decoder_of(GrantWanted, "")


def single_sign_on_router(core: Core) -> APIRouter:
    router = APIRouter()
    desk = core.callers.single_sign_on

    @router.get(MANY)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        offered, home = ([], "") if desk is None else (desk.offered(), desk.url)
        items = [Offered(one.name, one.title or one.name, f"{home}{START}?provider={one.name}") for one in offered]
        return answer(OfferedPage(items))

    @router.get(START)
    async def start(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"provider", "back", "port", "challenge", "confirm"}))
        port = query.get("port", "0")
        onward = _here(desk).start(
            query.get("provider", ""),
            _authority(request),
            _cookies(request),
            back=query.get("back", "/"),
            port=int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0,
            challenge=query.get("challenge", ""),
            asks_again=query.get("confirm") == "true",
        )
        return _sent(onward.url, onward.cookies)

    @router.get(CALLBACK)
    async def callback(request: Request) -> Response:
        here, peer = _here(desk), _peer(request)
        said = first_values(b"?" + request.scope["query_string"])
        try:
            arrived, cookies = await here.callback(said, _authority(request), _cookies(request))
        except Refused as refused:
            core.callers.denials.note(Actor(refused.who or "anonymous", peer, _ACTION), refused.problem.status)
            return _with_cookies(_refusal(refused.problem, request), refused.cookies)
        if arrived.grant_url:
            return _sent(arrived.grant_url, cookies)
        return _with_cookies(await _opened(here, arrived, request), cookies)

    @router.get(END)
    async def end(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"provider"}))
        onward = _here(desk).end(query.get("provider", ""), _cookies(request))
        return _sent(onward.url, onward.cookies)

    @router.post(GRANTS)
    async def redeem(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode(await request.body())
        here, action = _here(desk), f"POST {GRANTS}"
        try:
            opened, principal = await here.redeem(
                wanted.grant, wanted.verifier, address=_peer(request), agent=_agent(request), action=action
            )
        except Problem as refused:
            core.callers.denials.note(Actor("anonymous", _peer(request), action), refused.status)
            raise
        return answer(SignedIn(principal, opened.text, opened.until), 201, headers={"cache-control": "no-store"})

    return router


async def _opened(desk: SingleSignOn, arrived: Arrived, request: Request) -> Response:
    """The browser's session, in a page that goes on."""
    opened = await desk.open(arrived, address=_peer(request), agent=_agent(request), action=_ACTION)
    page = Response(_PAGE.format(onward=html.escape(arrived.back)), 200, _UNSTORED, "text/html; charset=utf-8")
    page.headers.append("set-cookie", set_cookie(opened.text, LASTS_S, is_plain=desk.is_plain))
    return page


def _here(desk: SingleSignOn | None) -> SingleSignOn:
    """Raises Problem 404."""
    if desk is None:
        raise not_found("single sign-on", "name the providers: meshway registry serve --oidc-file F")
    return desk


def _refusal(problem: Problem, request: Request) -> Response:
    """A page for who looks at one."""
    if "text/html" not in request.headers.get("accept", ""):
        return problem_answer(problem, request)
    told = {"title": problem.title, "detail": problem.detail or "", "mend": problem.mend or ""}
    text = _REFUSED.format(**{name: html.escape(value) for name, value in told.items()})
    return Response(text, problem.status, {**_UNSTORED, **problem.headers}, "text/html; charset=utf-8")


def _sent(url: str, cookies: bytes) -> Response:
    return _with_cookies(Response(status_code=302, headers={**_UNSTORED, "location": url}), cookies)


def _with_cookies(response: Response, lines: bytes) -> Response:
    """lines: `Set-Cookie: …`, each with its end."""
    for line in lines.split(b"\r\n"):
        if line:
            response.headers.append("set-cookie", line.partition(b": ")[2].decode("latin-1"))
    return response


def _cookies(request: Request) -> bytes:
    """As a block of fields."""
    return b"".join([b"Cookie: %b\r\n" % value for name, value in request.scope["headers"] if name == b"cookie"])


def _authority(request: Request) -> bytes:
    return request.headers.get("host", "").encode("latin-1")


def _peer(request: Request) -> str:
    peer: str = request.scope["state"]["peer"]
    return peer


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
