"""People for tests: a browser that keeps its cookie and its CSRF text, and users as an admin makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.people.cookies import PLAIN_NAME
from registry.revisions.acts import Actor
from registry.rights.caller import TRUSTED
from registry.rights.token import Grant

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry
    from tests.parts.registry_wire import Answer

PASSWORD = "correct horse battery staple"
ROOT = Actor("root", "127.0.0.1", "by a test")
SAME_ORIGIN = "Sec-Fetch-Site: same-origin"


class Browser:
    """cookie: of its session; empty: none. csrf: as the last answer told it."""

    def __init__(self, registry: RunningRegistry) -> None:
        self.registry = registry
        self.cookie = self.csrf = ""

    def lines(self) -> list[str]:
        sent = [SAME_ORIGIN]
        if self.cookie:
            sent.append(f"Cookie: {PLAIN_NAME}={self.cookie}")
        if self.csrf:
            sent.append(f"Meshway-CSRF: {self.csrf}")
        return sent

    async def call(self, method: str, path: str, body: object = None, *lines: str) -> Answer:
        answer = await self.registry.call(method, path, body, *self.lines(), *lines)
        set_cookie = answer.headers.get("set-cookie")
        if set_cookie is not None:
            self.cookie = set_cookie.partition(";")[0].partition("=")[2]
            self.csrf = ""
        if answer.status in (200, 201) and "csrf" in answer.json:
            self.csrf = answer.json["csrf"]
        return answer

    async def sign_in(self, name: str, password: str = PASSWORD, **more: Any) -> Answer:
        return await self.call("POST", "/v1/session", {"name": name, "password": password} | more)


async def made_user(registry: RunningRegistry, name: str, *grants: str, password: str = PASSWORD) -> None:
    """grants: `role` in all namespaces, or `role@namespace`. The password is the person's own."""
    _, link = await registry.core.callers.users.create(name, ROOT)
    assert link is not None
    for text in grants:
        await bound(registry, name, text)
    await registry.core.callers.accounts.set_up(link.token, name, password, ROOT)


async def bound(registry: RunningRegistry, name: str, text: str) -> str:
    """The binding's id."""
    role, _, namespace = text.partition("@")
    grant = Grant(role, namespace or "*")  # type: ignore[arg-type]  # a test that names another role fails by it
    return (await registry.core.callers.bindings.create(TRUSTED, "user", name, grant, ROOT)).id


async def signed_in(registry: RunningRegistry, name: str, *grants: str) -> Browser:
    """A new user's browser."""
    await made_user(registry, name, *grants)
    browser = Browser(registry)
    assert (await browser.sign_in(name)).status == 201
    return browser
