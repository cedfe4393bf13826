"""One page after the other in Chromium: how soon it shows something, how it answers keys, what it holds.

An hour of live data is compressed: what the registry said last is said again to the page, with other numbers, as often
as the registry would have said it in that hour, each time in a frame of its own.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page

SLOWDOWN: Final = 4
HOUR_EVENTS: Final = 1_800
_WAIT_MS: Final = 60_000
_VIEWPORT: Final = {"width": 1440, "height": 900}

# The moment after the frame in which `selector` was first there.
_WHEN_SHOWN: Final = """
(selector) => {
  const note = () => requestAnimationFrame(() => setTimeout(() => { window.shownAt ??= performance.now() }))
  const look = () => { if (window.shownAt === undefined && document.querySelector(selector)) note() }
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true })
}
"""
# From a key to the frame that shows another count of rows.
_WHEN_FILTERED: Final = """
() => {
  window.filterTimes = []
  let pressed
  addEventListener('keydown', (event) => { pressed = event.timeStamp }, true)
  const bar = document.querySelector('[data-filter]').closest('div:has([role=status])')
  const status = bar.querySelector('[role=status]')
  new MutationObserver(() => {
    const began = pressed
    if (began === undefined) return
    pressed = undefined
    requestAnimationFrame(() => setTimeout(() => window.filterTimes.push(performance.now() - began)))
  }).observe(status, { childList: true, subtree: true, characterData: true })
}
"""
_KEEP_STREAMS: Final = """
(() => {
  const Real = window.EventSource
  window.streams = []
  window.EventSource = class extends Real {
    constructor(...all) {
      super(...all)
      window.streams.push(this)
      this.addEventListener('signals', (event) => { if (event.isTrusted) window.lastSignals = event.data })
    }
  }
})()
"""
_HOUR: Final = """
async (count) => {
  const stream = window.streams.findLast((one) => one.readyState === 1)
  const told = JSON.parse(window.lastSignals)
  for (let at = 0; at < count; at += 1) {
    for (const one of told.items) {
      one.figures.rps = Math.round(Math.random() * 1e4) / 100
      one.figures.p95_ms = Math.round(Math.random() * 1e5) / 100
      one.figures.error_share = Math.random() < 0.05 ? 0.02 : 0
    }
    stream.dispatchEvent(new MessageEvent('signals', { data: JSON.stringify(told) }))
    await new Promise((done) => requestAnimationFrame(done))
  }
}
"""
_LONG_TASKS: Final = """
() => {
  window.longTasks = []
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((one) => one.duration)))
    .observe({ entryTypes: ['longtask'] })
}
"""


class Course(NamedTuple):
    """Of an hour, in parts, behind a collection of garbage each: heap in bytes, and nodes of the document."""

    heap: list[float]
    nodes: list[int]


@contextmanager
def opened(browser: Browser, *scripts: str) -> Iterator[Page]:
    """A page that nobody has cached anything of. scripts: run in it before its own."""
    context = browser.new_context(viewport=_VIEWPORT, locale="en-GB", reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    for script in scripts:
        page.add_init_script(script)
    try:
        yield page
    finally:
        context.close()


def first_paint_s(browser: Browser, url: str, selector: str) -> float:
    """With an empty cache and a processor that is slowed down, until `selector` is shown."""
    with opened(browser, f"({_WHEN_SHOWN})({selector!r})") as page:
        session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        page.goto(url, wait_until="commit")
        _until(page, "window.shownAt !== undefined")
        return float(page.evaluate("window.shownAt")) / 1e3


def filter_ms(browser: Browser, url: str, rows: int, text: str) -> list[float]:
    """Of each key of `text`, typed into the filter of a table that has so many rows."""
    with opened(browser) as page:
        page.goto(url)
        page.locator("main [role=status]").filter(has_text=f"of {rows}").first.wait_for()
        page.evaluate(_WHEN_FILTERED)
        page.locator("[data-filter]").first.focus()
        for number, key in enumerate(text, 1):
            page.keyboard.press(key)
            _until(page, f"window.filterTimes.length >= {number}")
        times: list[float] = page.evaluate("window.filterTimes")
        return times


def hour(browser: Browser, url: str, selector: str, *, parts: int = 5) -> Course:
    with opened(browser, _KEEP_STREAMS) as page:
        page.goto(url)
        page.locator(selector).first.wait_for()
        _until(page, "window.lastSignals !== undefined")
        cdp = session(page)
        cdp.send("HeapProfiler.enable")
        course = Course([], [])
        for _ in range(parts):
            page.evaluate(_HOUR, HOUR_EVENTS // parts)
            _look(cdp, course)
        return course


def _look(cdp: CDPSession, course: Course) -> None:
    cdp.send("HeapProfiler.collectGarbage")
    course.heap.append(float(cdp.send("Runtime.getHeapUsage")["usedSize"]))
    course.nodes.append(int(cdp.send("Memory.getDOMCounters")["nodes"]))


def longest_task_ms(browser: Browser, url: str, selector: str, seconds: float) -> float:
    """While the page is looked at and live data comes; its own beginning left out."""
    with opened(browser) as page:
        page.goto(url)
        page.locator(selector).first.wait_for()
        page.wait_for_timeout(5_000)
        page.evaluate(_LONG_TASKS)
        page.wait_for_timeout(seconds * 1e3)
        tasks: list[float] = page.evaluate("window.longTasks")
        return max(tasks, default=0.0)


def requests_of(browser: Browser, url: str, selector: str, seconds: float) -> list[str]:
    """What an open page asks for in this time, without its beginning: paths with their queries, as often as asked."""
    found: list[str] = []
    with opened(browser) as page:
        page.goto(url)
        page.locator(selector).first.wait_for()
        page.wait_for_timeout(2_000)
        page.on("request", lambda request: found.append(request.url))
        page.wait_for_timeout(seconds * 1e3)
    return found


def _until(page: Page, holds: str) -> None:
    """By the debugger: the console's policy lets nobody evaluate text within the page. Raises TimeoutError."""
    until = time.monotonic() + _WAIT_MS / 1e3
    while not page.evaluate(holds):
        if time.monotonic() > until:
            raise TimeoutError(f"{page.url}: {holds} does not hold after {_WAIT_MS / 1e3:.0f} s")
        page.wait_for_timeout(20)


def session(page: Page) -> CDPSession:
    cdp: Any = page.context.new_cdp_session(page)
    return cdp  # type: ignore[no-any-return]
