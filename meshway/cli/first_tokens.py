"""The first tokens of a mesh: made by what signs the first admin in, each put into a file for its owner alone."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from meshway.cli.failure import CONFLICT, NOT_FOUND, CliError
from meshway.cli.session import Session

BOOTSTRAP_FILE: Final = "bootstrap.token"
ADMIN_FILE: Final = "admin.token"
GATEWAY_FILE: Final = "gateway.token"
# Nobody is there to renew them: they are revoked when they are no longer wanted.
LONG_S: Final = 10 * 365 * 86_400.0
ADMIN: Final = "admin"
GATEWAY: Final = "gateway"

Grants = list[dict[str, str]]


def make_first_tokens(
    session: Session, folder: Path, further: Mapping[str, Grants] | None = None, *, apart: bool = False
) -> list[Path]:
    """The files that were made, by name; none when the admin's is there already.

    session: signs in by the bootstrap token, which is refused as soon as there is an admin: so that one comes last, and
    whatever was cut off before is done again. further: other tokens, by name. apart: each in a folder of its own, so
    that whoever is given one's folder sees no other. Raises CliError.
    """
    from meshway.cli.registry_client import RegistryClient

    def file_of(name: str) -> Path:
        return (folder / name if apart else folder) / f"{name}.token"

    if file_of(ADMIN).exists():
        return []
    client = RegistryClient(session)
    known = {item["name"]: item["id"] for item in client.read("/v1/tokens")["items"] if "revoked_at" not in item}
    wanted = {GATEWAY: [{"role": "gateway"}], **(further or {}), ADMIN: [{"role": "admin"}]}
    made = []
    for name, grants in wanted.items():
        if name in known:
            client.ask("DELETE", f"/v1/tokens/{known[name]}")
        body: dict[str, Any] = {"name": name, "grants": grants, "expires_in_s": LONG_S}
        token = client.ask("POST", "/v1/tokens", body=body).json()["token"]
        made.append(file_of(name))
        write_token(made[-1], token)
    return made


def write_token(path: Path, token: str, *, replace: bool = True) -> None:
    """For its owner alone, whole or not at all. Raises CliError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not replace and path.exists():
            raise CliError(CONFLICT, f"{path} is there already", mend="name another file: --out F")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(token + "\n")
        part.replace(path)
    except OSError as error:
        raise CliError(NOT_FOUND, f"cannot write {path}: {error.strerror}") from error
