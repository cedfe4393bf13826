"""What the command line itself refuses, an unknown command or flag or a value that is none, told like all errors."""

import re
from typing import Final

from typer.exceptions import TyperException

from meshway.cli.failure import CliError

_SIMILAR: Final = re.compile(r" Did you mean (.+)\?$| \(Possible options: (.+)\)$")


def misuse(error: TyperException) -> CliError | None:
    """None: nothing was asked for, and the help is shown already."""
    if not (said := error.format_message()):
        return None
    context = getattr(error, "ctx", None)
    command = "meshway" if context is None else context.command_path
    mend = f"{command} -h"
    if similar := _SIMILAR.search(said):
        said, names = said[: similar.start()], (similar[1] or similar[2]).replace("'", "")
        mend = f"did you mean {names}? All there are: {mend}"
    what = said.replace("Value error, ", "").rstrip(".")
    return CliError(error.exit_code, what[:1].lower() + what[1:], mend=mend)
