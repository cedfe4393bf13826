"""What is to be reached, a line each in a page of results, from which the table of all of them is read back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"^- Target, (.+?): (.+?); reached (.+), \*\*(met|MISSED)\*\*$", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """bound: what is allowed, reached: what came, both as words with their unit."""

    what: str
    bound: str
    reached: str
    is_met: bool

    @property
    def verdict(self) -> str:
        return "met" if self.is_met else "MISSED"

    def __str__(self) -> str:
        return f"- Target, {self.what}: {self.bound}; reached {self.reached}, **{self.verdict}**"


def at_most(what: str, most: float, reached: float, unit: str) -> Target:
    return Target(what, f"≤ {most:g} {unit}", f"{reached:.3g}", reached <= most)


def at_least(what: str, least: float, reached: float, unit: str) -> Target:
    return Target(what, f"≥ {least:g} {unit}", f"{reached:.3g}", reached >= least)


def read(text: str) -> list[Target]:
    """Those that a section tells, in their order."""
    return [Target(what, bound, reached, verdict == "met") for what, bound, reached, verdict in _LINE.findall(text)]


def table(sections: Mapping[str, str]) -> str:
    """All targets of all sections, by the sections' names."""
    lines = ["| section | target | to reach | reached | |", "|---|---|---|---|---|"]
    for name, text in sections.items():
        lines += [
            f"| {name} | {each.what} | {each.bound} | {each.reached} | {'met' if each.is_met else '**MISSED**'} |"
            for each in read(text)
        ]
    return "\n".join(lines)
