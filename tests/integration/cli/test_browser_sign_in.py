"""A browser signs in for a command."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from meshway.cli.browser_sign_in import sign_in_by_browser
from meshway.cli.failure import CliError
from meshway.cli.session import Session
from registry.revisions.acts import Actor
from registry.rights.caller import TRUSTED
from registry.rights.token import Grant
from tests.parts.command import meshway
from tests.parts.identity_provider import IdentityProvider
from tests.parts.processes import python
from tests.parts.registry import RunningRegistry
from tests.parts.sign_on import signing_in
from tests.parts.tokens import base64url


@pytest.fixture
async def corp() -> AsyncIterator[IdentityProvider]:
    corp = IdentityProvider()
    corp.claims = {"groups": ["devs"]}
    async with corp.upstream.running():
        yield corp


@pytest.fixture
async def registry(tmp_path: Path, corp: IdentityProvider) -> AsyncIterator[RunningRegistry]:
    async with signing_in(tmp_path, {"corp": corp}) as registry:
        await registry.core.callers.bindings.create(
            TRUSTED, "group", "corp:devs", Grant("viewer"), Actor("test", "", "bind")
        )
        yield registry


def session(registry: RunningRegistry) -> Session:
    return Session(registry=f"http://127.0.0.1:{registry.port}", quiet=True)


def browse(url: str) -> bool:
    """As a person's browser does, in the background."""

    def walk() -> None:
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            browser.get(url)

    threading.Thread(target=walk, daemon=True).start()
    return True


async def test_the_command_gets_a_session_of_its_own(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", browse)
    made = await asyncio.to_thread(sign_in_by_browser, session(registry), wait_s=30.0)
    assert made.principal == "sso:corp:ada"
    told = await registry.call("GET", "/v1/session", None, f"Authorization: Bearer {made.token}")
    assert told.json["principal"] == "sso:corp:ada"


async def test_what_others_bring_to_its_port_neither_signs_in_nor_ends_the_waiting(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = base64url(hashlib.sha256(b"e" * 43).digest())

    def attacked(url: str) -> bool:
        port = parse_qs(urlsplit(url).query)["port"][0]

        def walk() -> None:
            with httpx.Client(trust_env=False, follow_redirects=True) as other:
                for junk in ("/", "/?grant=", "/?grant=junk", "/x?grant=junk", f"/?grant={'a' * 40_000}"):
                    other.get(f"http://127.0.0.1:{port}{junk}")
                # Somebody else's sign-in, begun with his own challenge, brought to this command.
                other.get(f"{url.partition('&')[0]}&port={port}&challenge={eve}")
            browse(url)

        threading.Thread(target=walk, daemon=True).start()
        return True

    monkeypatch.setattr("webbrowser.open", attacked)
    made = await asyncio.to_thread(sign_in_by_browser, session(registry), wait_s=30.0)
    assert made.principal == "sso:corp:ada"


async def test_who_never_comes_is_waited_for_no_longer_than_told(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    with pytest.raises(CliError, match="nobody signed in"):
        await asyncio.to_thread(sign_in_by_browser, session(registry), wait_s=0.2)
    with pytest.raises(CliError, match="no provider cor"):
        await asyncio.to_thread(sign_in_by_browser, session(registry), "cor", wait_s=0.2)


BROWSER = """
import sys, httpx
with httpx.Client(trust_env=False, follow_redirects=True) as browser:
    browser.get(sys.argv[1])
"""


async def test_commands_of_the_context_sign_in_by_it(registry: RunningRegistry, tmp_path: Path) -> None:
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    url = session(registry).registry
    env = {"MESHWAY_CONFIG": str(tmp_path / "config" / "config.yaml"), "BROWSER": f"{python()[0]} {script} %s &"}
    refused = await asyncio.to_thread(meshway, "get", "routes", "--registry", url, env=env)
    assert refused.code == 3, refused.err
    done = await asyncio.to_thread(meshway, "login", "--sso", "--registry", url, env=env)
    assert done.code == 0, done.err
    assert "sso:corp:ada" in done.err
    kept = tmp_path / "config" / "default.token"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().strip() not in done.out + done.err
    assert (await asyncio.to_thread(meshway, "get", "routes", env=env)).code == 0
    other = await asyncio.to_thread(
        meshway, "login", "--sso", "--registry", url.replace("127.0.0.1", "localhost"), env=env
    )
    assert other.code == 5, "another registry than the context's"
    assert (await asyncio.to_thread(meshway, "login", env=env)).code == 2
