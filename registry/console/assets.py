"""The built console as answers: what may be asked for is known before anybody asks.

A request names a key of a table and never a path of the disk, so no spelling of `..` leads anywhere. The files stand
beside their compressed forms (admin_ui/tools/compress.mjs); nothing is compressed while somebody waits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshway.http1.fields import find
from registry.machine.request import Reply

if TYPE_CHECKING:
    from registry.machine.request import Request

INDEX: Final = "/index.html"
# First segments of pages' paths, beside `/` itself; admin_ui/src/routes.tsx has the same, and a test compares them.
PAGES: Final = frozenset(
    {
        "services", "requests", "routes", "policies", "changes", "explain", "gateways", "certificates", "audit",
        "consumers", "map", "rollouts", "alerts",
        "settings", "setup",
    }
)  # fmt: skip
# Inline styles are what the component library sets for sizes it measures; script, which could act, is ours alone.
_POLICY: Final = (
    b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'\r\n"
)
_SAFETY: Final = (
    b"x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n"
    b"cross-origin-opener-policy: same-origin\r\ncross-origin-resource-policy: same-origin\r\n"
)
_PAGE_LINES: Final = _POLICY + _SAFETY + b"cache-control: no-store\r\n"
# Their names hold the hash of what is in them (RFC 8246).
_ASSET_LINES: Final = _SAFETY + b"cache-control: public, max-age=31536000, immutable\r\n"
_TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".woff2": b"font/woff2",
    ".txt": b"text/plain; charset=utf-8",
}
# By preference; `identity` is always there.
_CODINGS: Final = ((b"br", ".br"), (b"gzip", ".gz"))
_MISSING: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Meshway</title>
<style>body{font:14px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;color:#1b2430}
code{background:#eef1f5;padding:2px 4px}</style>
<h1>The console is not built</h1>
<p>The registry runs and its API answers; this installation lacks the files of the console. In a checkout:</p>
<p><code>make install</code> or <code>python3 tools/console.py build</code></p>
<p>then load this page again.</p>
<div lang="zh-CN"><h1>控制台尚未构建</h1>
<p>注册中心运行正常,API 可用。在代码目录执行 <code>make install</code> 后刷新此页。</p></div>
</html>
""".encode()


class Console:
    """folder: the built console, None where it is missing. Files are read when they are first asked for."""

    __slots__ = ("_files", "_folder", "_replies")

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._replies: dict[tuple[str, str], Reply] = {}
        self._files: frozenset[str] = frozenset()

    def is_page(self, path: str) -> bool:
        return path == "/" or (path.startswith("/") and path[1:].partition("/")[0] in PAGES)

    def serves(self, path: str) -> bool:
        """path: percent-decoded. Where nobody has to sign in: the files are the same for everybody."""
        return self.is_page(path) or path in self._listed()

    def answer(self, request: Request) -> Reply:
        """Of a GET that it serves."""
        if self._folder is None or INDEX not in self._listed():
            return Reply(503, _MISSING, content_type=_TYPES[".html"], headers=_PAGE_LINES)
        name = request.path if request.path in self._files else INDEX
        coding, suffix = self._coding(find(request.head.block, b"accept-encoding"), name)
        reply = self._replies.get((name, suffix))
        if reply is None:
            try:
                reply = self._read(self._folder, name, coding, suffix)
            except OSError:  # built anew meanwhile: the page that is loaded next names the new files
                self._files = frozenset()
                self._replies.clear()
                return Reply(503, _MISSING, content_type=_TYPES[".html"], headers=_PAGE_LINES)
            self._replies[name, suffix] = reply
        return reply

    def _listed(self) -> frozenset[str]:
        """Looked for until there is a build, so that one made meanwhile needs no restart."""
        if self._folder is not None and INDEX not in self._files and (self._folder / INDEX[1:]).is_file():
            files = (file for file in self._folder.rglob("*") if file.is_file() and not file.is_symlink())
            names = (file.relative_to(self._folder).as_posix() for file in files)
            self._files = frozenset(f"/{name}" for name in names if "/." not in f"/{name}")
        return self._files

    def _coding(self, accepted: bytes | None, name: str) -> tuple[bytes, str]:
        if accepted is not None:
            wanted = {part.partition(b";")[0].strip() for part in accepted.lower().split(b",") if not _is_refused(part)}
            for coding, suffix in _CODINGS:
                if coding in wanted and name + suffix in self._files:
                    return coding, suffix
        return b"", ""

    @staticmethod
    def _read(folder: Path, name: str, coding: bytes, suffix: str) -> Reply:
        lines = _PAGE_LINES if name == INDEX else _ASSET_LINES if name.startswith("/assets/") else _SAFETY
        lines += b"vary: accept-encoding\r\n"
        if coding:
            lines += b"content-encoding: %b\r\n" % coding
        kind = _TYPES.get(Path(name).suffix, b"application/octet-stream")
        return Reply(200, (folder / (name[1:] + suffix)).read_bytes(), content_type=kind, headers=lines)


def _is_refused(part: bytes) -> bool:
    """`br;q=0` (RFC 9110 §12.5.3)."""
    quality = part.partition(b";")[2].replace(b" ", b"")
    return quality.startswith(b"q=0") and not quality.strip(b"q=0.")


def built_console() -> Path | None:
    """Where it is: inside the package in a wheel, beside it in a checkout (there it may be built later)."""
    package = Path(__file__).parents[1]
    packed = package / "_console"
    if (packed / "index.html").is_file():
        return packed
    checkout = package.parent / "admin_ui"
    return checkout / "dist" if checkout.is_dir() else None
