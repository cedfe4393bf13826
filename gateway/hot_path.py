"""Whether what a call runs through is machine code, and where it lies.

A wheel or image that was built with it has it in the place of the sources. Beside a checkout it lies in build/compiled
(tools/compiled.py), and counts as long as the sources are, to the byte, those it was made of, by this Python: code that
is older than what is written never runs.
"""

import hashlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

PACKAGES: Final = ("meshway", "gateway")
FOLDER: Final = Path("build", "compiled")  # in a checkout
STAMP: Final = "made-of"
WANTS_NONE: Final = "MESHWAY_INTERPRETED"  # 1: a checkout leaves its machine code alone
COMPILED: Final = "compiled"
INTERPRETED: Final = "interpreted"
_CHECKOUT: Final = Path(__file__).resolve().parent.parent
_MADE: Final = frozenset({".pyc", ".so", ".pyd"})


class HotPath(NamedTuple):
    """folder: to be looked in before all others, None: what is there is found without. why: it is interpreted, though
    machine code lies there, "" otherwise."""

    is_compiled: bool
    folder: Path | None = None
    why: str = ""

    @property
    def word(self) -> str:
        return COMPILED if self.is_compiled else INTERPRETED

    def environment(self) -> dict[str, str] | None:
        """Of a process that runs it; None: as ours."""
        if self.folder is None:
            return None
        others = os.environ.get("PYTHONPATH")
        return {**os.environ, "PYTHONPATH": f"{self.folder}{os.pathsep}{others}" if others else str(self.folder)}


def of_this_process() -> HotPath:
    spec = find_spec("gateway.exchange")
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    return HotPath(is_compiled=origin.endswith(tuple(EXTENSION_SUFFIXES)))


def hot_path(checkout: Path = _CHECKOUT) -> HotPath:
    """Of a worker that is started now: sources and machine code may change while a gateway runs."""
    own = of_this_process()
    if own.is_compiled:
        return own
    folder = checkout / FOLDER
    try:
        made_of = (folder / STAMP).read_text()
    except OSError:
        return HotPath(is_compiled=False)
    if os.environ.get(WANTS_NONE) == "1":
        return HotPath(is_compiled=False, why=f"{WANTS_NONE}=1 says so")
    if made_of != digest(checkout):
        why = f"the machine code in {FOLDER} is of other sources, or of another Python; `make compiled` makes it anew"
        return HotPath(is_compiled=False, why=why)
    return HotPath(is_compiled=True, folder=folder)


def digest(folder: Path) -> str:
    """Of all files of the packages in it, and of the Python that machine code of them is for."""
    found = hashlib.sha256(f"{sys.version} {EXTENSION_SUFFIXES[0]}".encode())
    for package in PACKAGES:
        for path in sorted((folder / package).rglob("*")):
            if path.suffix not in _MADE and path.is_file():
                found.update(f"\0{path.relative_to(folder).as_posix()}\0".encode())
                found.update(path.read_bytes())
    return found.hexdigest()
