"""Where a document was written: the file and the lines somebody published it from.

The command sends it beside the documents (`sources` of `POST /v1/apply`); it is no part of what a document says, so a
document that only moved within its file is unchanged, and keeps the place of the revision that it has.
"""

from collections.abc import Container
from typing import Annotated, Final

import msgspec
from msgspec import Meta

MOST_LINES: Final = 256
# Relative, so that it tells nothing of the machine it lies on: no root, no drive, no way up.
FILE_PATTERN: Final = r"^(?![/~])(?!.*(^|/)\.\.(/|$))[^\\:\x00-\x1f\x7f]{1,256}$(?!\n)"

Line = Annotated[int, Meta(ge=1, le=10_000_000)]


class DocumentSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """file: below the folder it was published from, `stdin` where it was none. line: where the document begins.

    lines: of the blocks inside, by path (`spec.rules[0]`), where they stand on lines of their own; kept for
    explanations, not answered.
    """

    file: Annotated[str, Meta(pattern=FILE_PATTERN)]
    line: Line
    lines: Annotated[dict[str, Line], Meta(max_length=MOST_LINES)] = {}

    @property
    def place(self) -> str:
        """`shop/cart.yaml:12`"""
        return f"{self.file}:{self.line}"

    def line_of(self, path: str) -> int:
        """Of the field or, where that is not kept, of the nearest block around it."""
        return self.lines.get(enclosing(path, self.lines), self.line)


def enclosing(path: str, known: Container[str]) -> str:
    """The path itself or the longest one around it that is known; "" is the whole document."""
    while path and path not in known:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return path
