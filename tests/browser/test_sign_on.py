"""A real browser signs in by a provider of another site, and keeps its session where it goes on."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, async_playwright

from tests.end_to_end.registry.test_encryption import StrictRegistry
from tests.parts.command import meshway
from tests.parts.identity_provider import IdentityProvider
from tests.parts.ports import free_port
from tests.parts.sign_on import write_providers

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER: install one (apt install chromium)")
def test_the_session_of_another_site_s_answer_is_sent_along_from_our_own_page(tmp_path: Path) -> None:
    """SameSite=Strict: not where the provider sends the browser to, but where that page goes on to."""
    # Other tests keep a browser, and with it a loop, in this thread.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, signs_in(tmp_path)).result(90)


async def signs_in(tmp_path: Path) -> None:
    corp, port, bootstrap = IdentityProvider(), free_port(), tmp_path / "bootstrap.token"
    corp.host, corp.claims = "localhost", {"groups": ["devs"]}
    url = f"http://127.0.0.1:{port}"
    bootstrap.write_text("b" * 43)
    async with corp.upstream.running(), async_playwright() as playwright:
        file = write_providers(tmp_path, url, {"corp": corp})
        told = ("--oidc-file", str(file), "--bootstrap-token-file", str(bootstrap))
        registry = await asyncio.to_thread(StrictRegistry, tmp_path, *told, port=port)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            admin = ("--registry", url, "--token-file", str(bootstrap))
            bind = ("user", "bind", "--group", "corp:devs", "--role", "viewer", "-A")
            assert (await asyncio.to_thread(meshway, *bind, *admin)).code == 0
            page = await browser.new_page()
            await page.goto(f"{corp.issuer}/.well-known/openid-configuration")
            # A link of another site, as a provider's page is one.
            await page.evaluate(f"location = '{url}/v1/session/oidc/start?provider=corp&back=/v1/session'")
            await page.wait_for_url(f"{url}/v1/session", timeout=20_000)
            assert "sso:corp:ada" in await page.inner_text("body")
            cookies = {cookie["name"]: cookie for cookie in await page.context.cookies(url)}
            assert set(cookies) == {"meshway", "meshway-sso-hint_corp"}, "what was begun is over"
            assert (cookies["meshway"]["httpOnly"], cookies["meshway"]["sameSite"]) == (True, "Strict")
            await page.goto(f"{corp.issuer}/.well-known/openid-configuration")
            await page.evaluate(f"location = '{url}/v1/session'")
            await page.wait_for_url(f"{url}/v1/session", timeout=20_000)
            assert "not_signed_in" in await page.inner_text("body"), "another site's link brings no session"
        finally:
            await browser.close()
            await asyncio.to_thread(registry.close)


@pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER: install one (apt install chromium)")
def test_who_came_by_a_provider_confirms_and_signs_out_there(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, confirms(tmp_path)).result(120)


async def confirms(tmp_path: Path) -> None:
    """The provider says of the first sign-in not when it asked, so keys ask again at once."""
    corp, port, bootstrap = IdentityProvider(), free_port(), tmp_path / "bootstrap.token"
    corp.host, corp.claims = "localhost", {"groups": ["chiefs"]}
    url = f"http://127.0.0.1:{port}"
    bootstrap.write_text("b" * 43)
    async with corp.upstream.running(), async_playwright() as playwright:
        file = write_providers(tmp_path, url, {"corp": corp})
        told = ("--oidc-file", str(file), "--bootstrap-token-file", str(bootstrap))
        registry = await asyncio.to_thread(StrictRegistry, tmp_path, *told, port=port)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            admin = ("--registry", url, "--token-file", str(bootstrap))
            bind = ("user", "bind", "--group", "corp:chiefs", "--role", "admin", "-A")
            assert (await asyncio.to_thread(meshway, *bind, *admin)).code == 0
            page = await browser.new_page(locale="en-GB")
            page.set_default_timeout(20_000)
            await page.goto(f"{url}/settings")
            await page.get_by_role("link", name="Sign in with corp").click()
            await page.wait_for_url(f"{url}/settings")
            await make_token(page)
            await page.get_by_role("link", name="Confirm at corp").click()
            await page.wait_for_url(f"{url}/settings")
            await make_token(page)
            await page.get_by_role("button", name="I have kept it").click()
            await page.get_by_role("row").filter(has_text="by-corp").wait_for()
            await page.get_by_role("button", name="sso:corp:ada").click()
            await page.get_by_role("menuitem", name="Sign out").click()
            await page.wait_for_url(f"{corp.issuer}/logout*")
            assert "id_token_hint=" in page.url
        finally:
            await browser.close()
            await asyncio.to_thread(registry.close)


async def make_token(page: Page) -> None:
    await page.get_by_role("tab", name="Tokens").click()
    await page.get_by_role("button", name="New token").click()
    await page.get_by_role("dialog").get_by_role("textbox", name="Name", exact=True).fill("by-corp")
    await page.get_by_role("button", name="Make the token").click()
