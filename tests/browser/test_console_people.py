"""People sign in to the console: the first admin by the printed link, others by theirs; each sees what each may do."""

import base64
import re
import secrets
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from registry.people.totp import STEP_S, code_at
from tests.parts.conditions import wait_until
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

ADMIN_PASSWORD = "plenty of horses and batteries"
VIEWER_PASSWORD = "a viewer has nothing to staple"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Tab]:
    """Of a mesh where everybody signs in: a tab of its first admin, who was set up in it."""
    mesh = Mesh(tmp_path_factory.mktemp("strict"), 1, "--auth")
    try:
        tab = open_tab(browser, mesh.registry)
        wait_until(lambda: _links(mesh) != [], 30, what="the link of the first admin")
        tab.open(_links(mesh)[0])
        assert tab.page.url.endswith("/setup")  # what signs in does not stay in the address bar
        assert tab.axe() == []
        tab.page.get_by_label("New password").fill(ADMIN_PASSWORD)
        tab.page.get_by_label("The same again").fill(ADMIN_PASSWORD)
        tab.page.get_by_role("button", name="Set the password").click()
        expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
        tab.faults.clear()  # before anybody is signed in the session is asked for in vain
        tab.link = _links(mesh)[0]
        yield tab
        tab.page.context.close()
        assert tab.faults == []
    finally:
        mesh.close()


def _links(mesh: Mesh) -> list[str]:
    return re.findall(r"/setup#\S+", mesh.process.text())


def sign_in(tab: Tab, name: str, password: str) -> None:
    tab.page.get_by_label("Name").fill(name)
    tab.page.get_by_label("Password", exact=False).first.fill(password)
    tab.page.get_by_role("button", name="Sign in", exact=True).click()


def test_the_link_of_the_first_admin_works_once(admin: Tab, browser: Browser) -> None:
    tab = open_tab(browser, admin.base)
    tab.open(admin.link)
    tab.page.get_by_label("New password").fill("another long password of mine")
    tab.page.get_by_label("The same again").fill("another long password of mine")
    tab.page.get_by_role("button", name="Set the password").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("The link was used, or is over")
    tab.page.context.close()


def test_signing_in_opens_the_page_that_was_asked_for(admin: Tab, browser: Browser) -> None:
    tab = open_tab(browser, admin.base)
    tab.open("/changes")
    expect(tab.page.get_by_role("heading", name="Sign in to Meshway")).to_be_visible()
    assert tab.axe() == []
    sign_in(tab, "admin", "not the password at all")
    expect(tab.page.get_by_role("alert")).to_contain_text("Name, password or code is wrong")
    sign_in(tab, "admin", ADMIN_PASSWORD)
    expect(tab.page.get_by_role("heading", name="Changes")).to_be_visible()
    cookies = tab.page.context.cookies()
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Strict")]
    tab.page.get_by_role("button", name="user:admin").click()
    tab.page.get_by_role("menuitem", name="Sign out").click()
    expect(tab.page.get_by_role("heading", name="Sign in to Meshway")).to_be_visible()
    tab.reload()
    expect(tab.page.get_by_role("heading", name="Sign in to Meshway")).to_be_visible()
    tab.page.context.close()


def test_a_wrong_password_has_the_session_asked_for_once(admin: Tab, browser: Browser) -> None:
    tab = open_tab(browser, admin.base)
    tab.open("/")
    expect(tab.page.get_by_label("Name")).to_be_visible()
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    for _ in range(2):  # while the second is judged, the first would be asked about on and on
        with tab.page.expect_response(lambda answer: answer.request.method == "POST"):
            sign_in(tab, "nobody-of-that-name", "no password of anybody")
        expect(tab.page.get_by_role("alert")).to_contain_text("Name, password or code is wrong")
    assert 1 <= asked.count(f"GET {admin.base}/v1/session") <= 4
    tab.page.context.close()


def test_an_admin_makes_a_viewer_who_sees_and_may_not_act(admin: Tab, browser: Browser) -> None:
    page, vera = admin.page, f"vera-{secrets.token_hex(3)}"  # the last run may have left one
    admin.open("/services/register")
    page.get_by_label("Service", exact=False).fill("books")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_role("link", name="Look at it")).to_be_visible()  # a write: the session's CSRF text was sent
    admin.open("/settings")
    page.get_by_role("tab", name="Users").click()
    page.get_by_role("button", name="New user").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Name").fill(vera)
    page.get_by_role("button", name="Make the user").click()
    link = page.get_by_role("region", name="Link").inner_text().strip()
    page.get_by_role("button", name="I have kept it").click()
    page.get_by_role("tab", name="Roles").click()
    page.get_by_role("button", name="Give a role").click()
    page.get_by_role("dialog").get_by_label("Who").fill(vera)
    page.get_by_role("dialog").get_by_label("In namespace").fill("*")
    page.get_by_role("button", name="Give the role").click()
    expect(page.get_by_role("row").filter(has_text=vera)).to_contain_text("viewer")
    expect(page.get_by_role("dialog")).to_have_count(0)  # while it fades away its contrast is too low
    assert admin.axe() == []

    tab = open_tab(browser, admin.base)
    tab.page.goto(link)
    tab.page.get_by_label("New password").fill(VIEWER_PASSWORD)
    tab.page.get_by_label("The same again").fill(VIEWER_PASSWORD)
    tab.page.get_by_label("Name").fill(vera)
    tab.page.get_by_role("button", name="Set the password").click()
    expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    tab.faults.clear()
    tab.page.get_by_role("navigation").get_by_role("link", name="Services").click()
    expect(tab.page.get_by_role("link", name="books")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Register a service")).to_have_count(0)
    expect(tab.page.get_by_role("navigation").get_by_role("link", name="Audit")).to_have_count(0)
    tab.page.get_by_role("link", name="books").click()
    expect(tab.page.get_by_role("row").filter(has_text="books")).to_contain_text("127.0.0.1:9080")
    expect(tab.page.get_by_role("button", name="Drain")).to_have_count(0)
    tab.open("/services/register")
    tab.page.get_by_role("button", name="Register", exact=False).hover()
    expect(tab.page.get_by_role("tooltip")).to_contain_text("needs instances:write in default")
    assert tab.axe() == []
    assert tab.faults == []
    tab.page.context.close()

    admin.open("/settings")
    page.get_by_role("tab", name="Users").click()
    page.get_by_role("button", name=f"More for {vera}").click()
    page.get_by_role("menuitem", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("row").filter(has_text=vera)).to_contain_text("disabled")


def test_preferences_go_along_to_another_browser(admin: Tab, browser: Browser) -> None:
    admin.open("/settings")
    admin.page.get_by_role("tab", name="Preferences").click()
    with admin.page.expect_response(lambda answer: answer.request.method == "PUT"):
        rows = admin.page.get_by_label("Rows of tables")
        chosen = "compact" if rows.input_value() == "comfortable" else "comfortable"  # as a run before left it
        rows.select_option(chosen)
    tab = open_tab(browser, admin.base)
    tab.open("/")
    sign_in(tab, "admin", ADMIN_PASSWORD)
    expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(tab.page.locator("html")).to_have_attribute("data-density", chosen)
    tab.page.context.close()


def test_an_authenticator_is_set_up_and_asked_for_and_taken_away(admin: Tab, browser: Browser) -> None:
    page = admin.page
    admin.open("/settings")
    page.get_by_role("tab", name="My account").click()
    page.get_by_role("button", name="Set up an authenticator").click()
    secret = page.get_by_role("region", name="Secret").inner_text().strip()
    page.get_by_label("Code").fill(code_at(base64.b32decode(secret), int(time.time()) // STEP_S))
    page.get_by_role("button", name="Ask for codes from now on").click()
    expect(page.get_by_text("Each sign-in asks for a code.")).to_be_visible()
    try:
        tab = open_tab(browser, admin.base)
        tab.open("/")
        sign_in(tab, "admin", ADMIN_PASSWORD)
        expect(tab.page.get_by_role("alert")).to_contain_text("A code is needed")
        tab.page.get_by_label("Code").fill(
            code_at(base64.b32decode(secret), int(time.time()) // STEP_S + 1)
        )  # the last one was spent
        tab.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
        tab.page.context.close()
    finally:
        page.get_by_role("button", name="Ask for codes no more").click()
    expect(page.get_by_role("button", name="Set up an authenticator")).to_be_visible()
