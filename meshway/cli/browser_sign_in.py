"""A browser signs in at the registry for a command, and brings a grant to a port of this machine (RFC 8252 §7.3).

The grant is of no use without the verifier, which never leaves this process (RFC 7636).
"""

import base64
import hashlib
import secrets
import time
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from meshway.cli.failure import FAILED, NOT_ALLOWED, CliError
from meshway.cli.session import Session

WAIT_S: Final = 300.0
_READ_S: Final = 5.0
_MAX_TARGET: Final = 32 << 10
_DONE: Final = b"Signed in. This page can be closed.\n"
_WRONG: Final = b"This is not what a sign-in brings.\n"


class BrowserSession(msgspec.Struct, frozen=True):
    """token: sent as a bearer's. expires_at: seconds since 1970, at the latest."""

    principal: str
    token: str
    expires_at: float


def sign_in_by_browser(
    session: Session, provider: str = "", *, asks_again: bool = False, wait_s: float = WAIT_S
) -> BrowserSession:
    """Tells the URL, opens it where there is a browser, and waits. provider: "" = the only one there is. asks_again:
    whoever is signed in at the provider has to show anew who he is. Raises
    CliError."""
    from meshway.cli.registry_client import RegistryClient, refused

    client = RegistryClient(msgspec.structs.replace(session, token_file=None))
    start = _start_of(client.read("/v1/session/oidc")["items"], provider)
    verifier = secrets.token_urlsafe(32)
    with _Doorstep() as doorstep:
        asked = {"port": doorstep.port, "challenge": _challenge_of(verifier)} | (
            {"confirm": "true"} if asks_again else {}
        )
        url = f"{start}&{urlencode(asked)}"
        session.say(f"Sign in with your browser:\n  {url}")
        webbrowser.open(url)
        until, last = time.monotonic() + wait_s, None
        while (left_s := until - time.monotonic()) > 0:
            grant = doorstep.grant(left_s)
            if grant is None:
                continue
            body = {"grant": grant, "verifier": verifier}
            last = client.answer("POST", "/v1/session/oidc/grants", body=body)
            if last.status_code == 201:
                return msgspec.json.decode(last.content, type=BrowserSession)
            # Whatever else runs on this machine can knock here: only a grant of ours ends the waiting.
    if last is not None:
        raise refused(last)
    raise CliError(NOT_ALLOWED, f"nobody signed in within {wait_s:.0f} s", mend="run it again; the URL is good once")


def _start_of(offered: list[dict[str, Any]], provider: str) -> str:
    """Where a browser begins. Raises CliError."""
    names = [one["name"] for one in offered]
    if not names:
        raise CliError(FAILED, "this registry knows no OpenID provider", mend="meshway registry serve --oidc-file F")
    if provider and provider not in names:
        raise CliError(FAILED, f"there is no provider {provider}", mend=f"there are: {', '.join(names)}")
    if not provider and len(names) > 1:
        raise CliError(FAILED, f"there are several providers: {', '.join(names)}", mend="--provider NAME")
    return str(next(one["start"] for one in offered if one["name"] == (provider or names[0])))


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class _Doorstep(HTTPServer):
    """Where the browser comes, on a free port of this machine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.brought: str | None = None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def grant(self, wait_s: float) -> str | None:
        """Of the next visitor; None: there was none, or without."""
        self.brought, self.timeout = None, wait_s
        self.handle_request()
        return self.brought

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever knocks and goes is no fault of the command's."""


class _Visitor(BaseHTTPRequestHandler):
    server: _Doorstep
    timeout = _READ_S

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        grants = parse_qs(parts.query).get("grant", [])
        is_one = parts.path == "/" and len(grants) == 1 and len(self.path) <= _MAX_TARGET
        page = _DONE if is_one else _WRONG
        self.send_response(200 if is_one else 404)
        for name, value in (
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(page))),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)
        if is_one:
            self.server.brought = grants[0]

    def log_message(self, *_: Any) -> None:
        """The grant stands in the request's line."""
