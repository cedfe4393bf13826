"""Passwords that a person types, without echo, or keeps in a file."""

import sys
from pathlib import Path

import typer

from meshway.cli.failure import NOT_FOUND, USAGE, CliError

STDIN = "-"


def password_from(file: str, prompt: str, flag: str, *, is_new: bool = False) -> str:
    """file: empty: asked for at the terminal; `-`: a line of stdin. is_new: asked for twice. Raises CliError."""
    if file == STDIN:
        return sys.stdin.readline().rstrip("\r\n")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise CliError(NOT_FOUND, f"cannot read the password file {file}: {type(error).__name__}") from error
    if not sys.stdin.isatty():
        raise CliError(USAGE, "stdin is no terminal to type a password at", mend=f"{flag} F, or {flag} -")
    typed: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True)
    return typed
