"""Puts the built web console into the wheel, and into the sdist so that a wheel of it needs no Node; with
MESHWAY_COMPILE=1 also the hot path as machine code, which makes it a wheel of one platform and one Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from tools import compiled
from tools.console import BuildFailed, build

SKIP = "MESHWAY_SKIP_CONSOLE"


class MadeParts(BuildHookInterface[Any]):
    """An editable install serves admin_ui/dist of the checkout, which `make install` builds, and is interpreted."""

    def dependencies(self) -> list[str]:
        return list(compiled.NEEDS) if self.is_compiled else []

    @property
    def is_compiled(self) -> bool:
        return self.target_name == "wheel" and os.environ.get(compiled.WANTED) == "1"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        if not os.environ.get(SKIP):
            self._add_console(build_data)
        if self.is_compiled:  # whoever asks for it gets it or hears why not: no wheel that is slower than it says
            build_data["pure_python"], build_data["infer_tag"] = False, True
            for made in compiled.build(compiled.FOR_WHEEL):
                build_data["force_include"][str(compiled.FOR_WHEEL / made)] = made.as_posix()

    def _add_console(self, build_data: dict[str, Any]) -> None:
        index = Path(self.root) / "admin_ui" / "dist" / "index.html"
        try:
            build()
        except BuildFailed as failed:
            kept = "the console built before is packed" if index.is_file() else "this wheel has no console"
            self.app.display_warning(f"{failed}\n{kept}; {SKIP}=1 builds without it")
        if index.is_file() and self.target_name == "wheel":
            build_data["force_include"][str(index.parent)] = "registry/_console"
