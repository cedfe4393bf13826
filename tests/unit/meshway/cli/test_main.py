"""The command starts quickly: what is heavy comes with the command that needs it."""

import subprocess
import sys

HEAVY = (
    "httpx",
    "yaml",
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
    "alembic",
    "re2",
    "gateway",
    "registry",
)


def test_starting_loads_no_plane_and_no_client() -> None:
    code = f"import sys, meshway.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert loaded.stdout.strip() == "[]"
