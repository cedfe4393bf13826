"""What the documentation says, cut into what can be tried: fenced blocks and links."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.parts.processes import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")


class Block(NamedTuple):
    """language: `sh`, `console`, `yaml`, `python` … or none."""

    language: str
    text: str

    def commands(self) -> list[str]:
        """Of a console block the lines after the prompt, of a shell block all of it."""
        if self.language == "console":
            return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]
        return self.text.splitlines()


def blocks(page: Path) -> list[Block]:
    return [Block(language, text) for language, text in _FENCE.findall(page.read_text())]


def links(page: Path) -> list[str]:
    """Targets inside the repository."""
    return [link for link in _LINK.findall(page.read_text()) if "://" not in link]
