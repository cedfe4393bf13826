"""`python -m tools.screenshots`: every page of the console in both themes, wide and narrow, into docs/console/.

Against the book shop with readers and the example of every protocol, as tests have them; the files are for people who
look at them, no test compares them.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, expect

from tests.parts.busy_shop import BusyShop
from tests.parts.conditions import wait_until
from tests.parts.console import missing, open_tab, running_browser
from tests.parts.every_protocol import EveryProtocol
from tests.parts.processes import ROOT

FOLDER: Final = ROOT / "docs" / "console"
WIDTHS: Final = (1440, 390)
HEIGHT: Final = 800
PAGES: Final = {
    "overview": "/",
    "map": "/map?level=services",
    "services": "/services",
    "service": "/services/bookinfo/reviews",
    "bytes": "/services/default/ledger",
    "register": "/services/register",
    "requests": "/requests",
    "routes": "/routes",
    "policies": "/policies/RateLimit",
    "policy": "/policies/Route/bookinfo/reviews",
    "rollouts": "/rollouts",
    "rollout": "/rollouts/bookinfo/reviews-v3",
    "changes": "/changes",
    "gateways": "/gateways",
    "explain": "/explain",
    "consumers": "/consumers",
    "consumer": "/consumers/bookinfo/acme",
    "certificates": "/certificates",
    "alerts": "/alerts",
    "audit": "/audit",
    "settings": "/settings",
}


def pages_of(shop: BusyShop) -> dict[str, str]:
    """With what has a number of its own."""
    client, registry = shop.mesh.client, shop.mesh.registry
    call = client.get(f"{registry}/v1/requests?filter=service:default/till").json()["items"][0]
    revision = client.get(f"{registry}/v1/revisions?limit=1").json()["items"][0]["revision"]
    return PAGES | {"request": f"/requests/{call['request_id']}", "revision": f"/changes/{revision}"}


def shots(browser: Browser, registry: str, pages: dict[str, str], only: list[str]) -> Iterator[tuple[str, bytes]]:
    for theme in ("light", "dark"):
        for width in WIDTHS:
            tab = open_tab(browser, registry, dark=theme == "dark", width=width)
            tab.page.set_viewport_size({"width": width, "height": HEIGHT})
            for name, path in pages.items():
                if only and name not in only:
                    continue
                tab.open(path)
                expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
                tab.page.wait_for_timeout(1_500)  # charts are drawn, and the map has found its places
                yield f"{name}-{theme}-{width}.png", tab.page.screenshot(animations="disabled")
            if tab.faults:
                print("\n".join(tab.faults), file=sys.stderr)
            tab.page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("only", nargs="*", help="names of pages; without it all of them")
    parser.add_argument("--into", type=Path, default=FOLDER)
    options = parser.parse_args()
    if reason := missing():
        sys.exit(reason)
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_browser() as browser:
        shop = BusyShop(Path(folder))
        every = EveryProtocol(shop.mesh, Path(folder))
        try:
            shop.start()
            every.start()
            wait_until(lambda: all(shop.calls_of(f"default/{name}") for name in every.NAMES), 60, what="their reports")
            total = 0
            for name, png in shots(browser, shop.mesh.registry, pages_of(shop), options.only):
                (options.into / name).write_bytes(png)
                total += len(png)
        finally:
            every.close()
            shop.close()
    print(f"{total / 1e6:.1f} MB in {options.into}")


if __name__ == "__main__":
    main()
