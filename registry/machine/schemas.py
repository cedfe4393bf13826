"""Schemas and parameters that descriptions of machine routes share."""

from __future__ import annotations

from typing import Final

from meshway.model.document import LABEL_PATTERN
from registry.manners.openapi import Parameter

WHOLE: Final = {"type": "integer", "minimum": 0}
LABEL: Final = {"type": "string", "pattern": LABEL_PATTERN}
STREAM: Final = {"type": "string"}
A_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
PAGE: Final = (
    Parameter(name="limit", about="Rows a page.", schema={"type": "integer", "minimum": 1, "maximum": 1000}),
    Parameter(name="cursor", about="`next` of the page before."),
)
