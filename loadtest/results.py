"""RESULTS.md: what the gateway costs, and behind it a section of the registry; each bench writes its own part."""

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
_REGISTRY: Final = "\n## The registry\n"


def write_gateway(text: str) -> None:
    RESULTS.write_text(text.rstrip("\n") + "\n" + _registry())


def write_registry(text: str) -> None:
    """text: without its heading."""
    gateway = RESULTS.read_text().partition(_REGISTRY)[0] if RESULTS.exists() else "# Results\n"
    RESULTS.write_text(f"{gateway.rstrip()}\n{_REGISTRY}\n{text.strip()}\n")


def _registry() -> str:
    _, heading, text = RESULTS.read_text().partition(_REGISTRY) if RESULTS.exists() else ("", "", "")
    return heading + text
