"""What this installation holds."""

import importlib.util

from meshway.cli.failure import FAILED, CliError

_SERVER_MODULES = ("alembic", "fastapi", "sqlalchemy", "uvicorn")


def refuse_missing_server() -> None:
    """Raises CliError where only the base was installed, which carries the SDK and the command."""
    missing = [name for name in _SERVER_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise CliError(
            FAILED,
            "this installation has the SDK and the command, but not the planes",
            why=f"missing: {', '.join(missing)}",
            mend="pip install 'meshway[server]'",
        )
