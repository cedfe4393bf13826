"""How a command ends: exit codes, and an error as three short lines on stderr."""

from typing import Final

DONE: Final = 0
DIFFERENT: Final = 1
FAILED: Final = 1
USAGE: Final = 2
NOT_ALLOWED: Final = 3
NOT_FOUND: Final = 4
CONFLICT: Final = 5
INVALID: Final = 6
UNREACHABLE: Final = 7
IN_PART: Final = 8
OUR_FAULT: Final = 70
INTERRUPTED: Final = 130


class CliError(Exception):
    """What went wrong (one line), why if that is known, and what to do; ends the command with `code`.

    details: further lines between what and why, such as `file:line:column: message` of each wrong field.
    verbose: shown with -v only, e.g. the request id.
    """

    def __init__(
        self,
        code: int,
        what: str,
        *,
        why: str | None = None,
        mend: str | None = None,
        details: tuple[str, ...] = (),
        verbose: str | None = None,
    ) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.mend = mend
        self.details = details
        self.verbose = verbose

    def text(self, *, verbose: bool = False) -> str:
        lines = [f"error: {self.what}", *(f"  {line}" for line in self.details)]
        if self.why:
            lines.append(f"why:   {self.why}")
        if self.mend:
            lines.append(f"mend:  {self.mend}")
        if verbose and self.verbose:
            lines.append(self.verbose)
        return "\n".join(lines)
