"""Puts the built web console into the wheel, and into the sdist so that a wheel of it needs no Node."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "MESHWAY_SKIP_CONSOLE"


class ConsoleHook(BuildHookInterface[Any]):
    """An editable install serves admin_ui/dist of the checkout, which `make install` builds."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable" or os.environ.get(SKIP):
            return
        sys.path.insert(0, str(root))
        from tools.console import BuildFailed, build

        index = root / "admin_ui" / "dist" / "index.html"
        try:
            build()
        except BuildFailed as failed:
            kept = "the console built before is packed" if index.is_file() else "this wheel has no console"
            self.app.display_warning(f"{failed}\n{kept}; {SKIP}=1 builds without it")
        if index.is_file() and self.target_name == "wheel":
            build_data["force_include"][str(root / "admin_ui" / "dist")] = "registry/_console"
