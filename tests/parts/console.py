"""The web console in a real browser: a tab that notes what goes wrong in it, and what axe finds on a page.

The build stands in admin_ui/dist (`make install`); without it, or without a browser, there is nothing to look at.
"""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.parts.processes import ROOT

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE: Final = ROOT / "admin_ui" / "node_modules" / "axe-core" / "axe.min.js"
BUILT: Final = ROOT / "admin_ui" / "dist" / "index.html"
# WCAG 2.2, levels A and AA.
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ARGUMENTS: Final = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


PATIENCE_MS: Final = 30_000
expect.set_options(timeout=PATIENCE_MS)


def missing() -> str:
    """Why the console cannot be looked at here; empty: it can."""
    if CHROMIUM is None:
        return "NO BROWSER: the console was NOT looked at. Install one (apt install chromium) and run tests/browser"
    if not (BUILT.is_file() and AXE.is_file()):
        return "NO CONSOLE: it is not built, and was NOT looked at. Run make install, then tests/browser"
    return ""


def warn_if_missing() -> str:
    if reason := missing():
        warnings.warn(reason, stacklevel=2)  # a reason of a skip is shown with -rs only
    return reason


@dataclass
class Tab:
    """A page of a context of its own. faults: errors of the console, of its scripts and of its Content-Security-Policy,
    and answers that were refused, as they came. link: of the first admin, where one was set up in it."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    link: str = ""

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)
        self.page.locator("h1").first.wait_for()

    def reload(self) -> None:
        self.page.reload()
        self.page.locator("h1").first.wait_for()

    def axe(self) -> list[str]:
        """What is wrong for people who use the page otherwise than by eye and mouse: rule and place."""
        # Evaluated by the debugger, to which the page's policy does not apply.
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("tags => axe.run(document, {runOnly: tags})", _TAGS)
        return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


@contextmanager
def running_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_tab(browser: Browser, base: str, *, dark: bool = False, language: str = "en-GB", width: int = 1440) -> Tab:
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale=language
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = Tab(context.new_page(), base)
    page, faults = tab.page, tab.faults
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda said: faults.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    return tab
