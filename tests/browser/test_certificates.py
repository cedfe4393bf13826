"""Certificates as who keeps them sees them: an authority is made and rotated, a lost certificate revoked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from meshway.client.credential import Key
from tests.parts.console import Tab, open_tab, warn_if_missing
from tests.parts.mesh import Mesh

REASON = warn_if_missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture
def tab(tmp_path: Path, browser: Browser) -> Iterator[Tab]:
    """Of a mesh that has no authority yet."""
    mesh = Mesh(tmp_path)
    try:
        tab = open_tab(browser, mesh.registry)
        yield tab
        tab.page.context.close()
        # Before there is an authority its state is asked for in vain.
        assert [one for one in tab.faults if "409" not in one] == []
    finally:
        mesh.close()


def confirmed(tab: Tab, action: str) -> None:
    tab.page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_an_authority_is_made_rotated_and_taken_back_and_a_certificate_issued_and_revoked(tab: Tab) -> None:
    page = tab.page
    tab.open("/certificates")
    page.get_by_role("button", name="Make the authority").click()
    expect(page.get_by_role("dialog").get_by_label("Trust domain")).to_have_value("mesh.internal")
    confirmed(tab, "Make the authority")
    authorities = page.get_by_role("region", name="Authorities")
    expect(authorities.get_by_role("row")).to_have_count(4)  # head, root, intermediate, key of tokens
    expect(authorities.get_by_role("row").filter(has_text="intermediate")).to_contain_text("d left")
    with page.expect_download() as downloading:
        authorities.get_by_role("row").filter(has_text="intermediate").get_by_role("link").click()
    assert downloading.value.path().read_text().count("BEGIN CERTIFICATE") == 2

    page.get_by_role("button", name="Issue a certificate").click()
    page.get_by_role("dialog").get_by_label("Name").fill("shop/books")
    page.get_by_role("button", name="Make the token").click()
    token = page.get_by_role("region", name="Token", exact=True).inner_text().strip()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    enrolled = page.request.post(f"{tab.base}/v1/identity/enrol", data={"token": token, "csr": Key().signing_request()})
    assert enrolled.status == 201, enrolled.text()
    tab.reload()
    books = page.get_by_role("region", name="Issued certificates").get_by_role("row").filter(has_text="svc/books")
    expect(books).to_contain_text("live")
    assert tab.axe() == []
    books.get_by_role("button", name="Revoke", exact=False).first.click()
    confirmed(tab, "Revoke")
    expect(books).to_have_count(0)
    page.get_by_label("Show replaced and revoked ones").check()
    expect(books).to_contain_text("revoked")

    page.get_by_role("button", name="Rotate the root").click()
    confirmed(tab, "Rotate the root")
    expect(page.locator("[aria-current=step]")).to_have_text("Both roots are trusted")
    expect(page.get_by_role("status").filter(has_text="The next step waits for")).to_contain_text("programs ask")
    expect(page.get_by_role("button", name="Next step")).to_be_disabled()
    assert tab.axe() == []
    page.get_by_role("button", name="Step back").click()
    confirmed(tab, "Step back")
    expect(page.locator("[aria-current=step]")).to_have_text("One root")
    page.get_by_role("button", name="New intermediate").click()
    confirmed(tab, "New intermediate")
    expect(authorities.get_by_role("row").filter(has_text="intermediate")).to_have_count(2)
