"""What must hold inside MeshSettings beside the bounds of its blocks."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from meshway.model.rule_kit import Finding
from meshway.settings import is_http_url


def check_public_url(part: Any) -> Iterator[Finding]:
    """The console is served at the root of its host, and whoever gets a message reads the URL."""
    url = part.public_url
    if not url:
        return
    if not is_http_url(url) or not url.isascii() or not url.isprintable() or " " in url:
        yield Finding(".public_url", "out_of_bounds", "is a URL: https://mesh.example:8500")
    elif "@" in urlsplit(url).netloc:
        yield Finding(".public_url", "inline_secret", "holds a user or a password, which every reader would see")
    elif url.rstrip("/").count("/") != 2 or "?" in url or "#" in url:
        yield Finding(".public_url", "out_of_bounds", "has a path: the console is served at the root of its host")
