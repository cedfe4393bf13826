"""Around every command: errors become text and exit codes; a traceback goes to a file, never to a person's screen."""

import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import ParamSpec

import typer

from meshway.cli.failure import INTERRUPTED, OUR_FAULT, CliError

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command with its failures told the one way (docs/guide/command.md: errors and exit codes)."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except CliError as error:
            tell(error)
            raise typer.Exit(error.code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # `meshway get … | head`: whoever reads has seen enough. The interpreter would complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as error:
            tell(our_fault(error))
            raise typer.Exit(OUR_FAULT) from None

    return run


def tell(error: CliError) -> None:
    verbose = any(flag in sys.argv for flag in ("-v", "--verbose"))
    print(error.text(verbose=verbose), file=sys.stderr, flush=True)  # noqa: T201 - the one place that tells errors


def our_fault(error: Exception) -> CliError:
    """Keeps the traceback in a file: its place is all a person needs to report it."""
    with tempfile.NamedTemporaryFile("w", prefix="meshway-", suffix=".trace", delete=False) as trace:
        trace.write(f"meshway {' '.join(sys.argv[1:])}\n")
        trace.write("".join(traceback.format_exception(error)))
    return CliError(
        OUR_FAULT,
        f"this is our own fault: {type(error).__name__}: {error}",
        mend=f"report it with the trace in {trace.name}",
    )
