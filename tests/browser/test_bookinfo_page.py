"""The book shop as a reader sees it: its page in a real browser, through the edge listener."""

import re
import warnings
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.parts.bookinfo import Bookinfo
from tests.parts.console import CHROMIUM
from tests.parts.mesh import Mesh

NO_BROWSER = "NO BROWSER: the product page was NOT looked at. Install one (apt install chromium) and run tests/browser"
if CHROMIUM is None:
    warnings.warn(NO_BROWSER, stacklevel=1)  # a reason of a skip is shown with -rs only
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("shop"))
    bookinfo = Bookinfo(mesh)
    try:
        bookinfo.start()
        yield mesh
    finally:
        bookinfo.close()
        mesh.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    yield page
    page.close()


def test_the_product_page_shows_stars_of_reviews_v2_or_v3(shop: Mesh, page: Page) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("response", lambda answer: problems.extend([answer.url] if answer.status >= 400 else []))
    page.goto(f"{shop.edge}/productpage")
    served = re.search(r"reviews-(v[23])", page.locator("footer").inner_text())
    assert served, page.locator("footer").inner_text()
    stars = page.locator(".stars")
    assert stars.count() == 2
    assert stars.first.inner_text().strip("☆") == "★★★★★"
    black, red = "rgb(17, 17, 17)", "rgb(192, 57, 43)"
    colour = stars.first.evaluate("star => getComputedStyle(star).color")
    assert colour == {"v2": black, "v3": red}[served[1]]
    assert problems == []


def test_a_reader_goes_from_book_to_book(shop: Mesh, page: Page) -> None:
    page.goto(f"{shop.edge}/productpage")
    page.get_by_role("link", name="Flatland").click()
    assert page.locator("h2").first.inner_text() == "Flatland"
    assert "Edwin A. Abbott" in page.locator("dl").inner_text()


@pytest.mark.parametrize("width", [360, 768, 1100])
def test_the_page_fits_narrow_and_wide_screens(shop: Mesh, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{shop.edge}/productpage")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
