"""A mesh where everybody signs in, as a person meets it: `meshway up --auth`, tokens by the command."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.parts.command import meshway
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh

StartMesh = Callable[..., Mesh]


def test_with_auth_everybody_signs_in_and_the_ready_file_has_an_admins_token(
    start_mesh: StartMesh, tmp_path: Path
) -> None:
    mesh = start_mesh(1, "--auth")
    admin_file = mesh.data / "tokens" / "admin.token"
    token = mesh.ready["token"]
    assert token == admin_file.read_text().strip()
    assert all(file.stat().st_mode & 0o077 == 0 for file in (mesh.data / "tokens").iterdir())
    assert httpx.get(f"{mesh.registry}/v1/gateways").status_code == 401
    signed_in = httpx.get(f"{mesh.registry}/v1/gateways", headers={"Authorization": f"Bearer {token}"})
    assert [gateway["live"] for gateway in signed_in.json()["items"]] == [True], "it signed in by its own"
    assert token not in mesh.process.text()

    place = ("--registry", mesh.registry)
    as_admin = (*place, "--token-file", str(admin_file))
    refused = meshway("get", "services", *place)
    assert (refused.code, refused.out) == (3, "")
    assert "MESHWAY_TOKEN_FILE" in refused.err
    editor = tmp_path / "editor.token"
    made = meshway(
        "token",
        "create",
        "ed",
        "--role",
        "editor",
        "-n",
        "shop",
        "--out",
        str(editor),
        *place,
        "--token-file",
        str(admin_file),
    )
    assert made.code == 0, made
    assert meshway("get", "services", "-n", "shop", *place, "--token-file", str(editor)).code == 0
    assert meshway("get", "services", "-n", "bank", *place, "--token-file", str(editor)).code == 4
    over = meshway("token", "create", "x", "--role", "viewer", "-A", *place, "--token-file", str(editor))
    assert (over.code, over.out) == (3, ""), over
    listed = meshway("token", "list", *as_admin)
    assert [line.split()[0] for line in listed.out.splitlines()] == ["NAME", "gateway", "admin", "ed"]
    assert meshway("token", "revoke", "ed", *as_admin).code == 0
    assert meshway("get", "services", "-n", "shop", *place, "--token-file", str(editor)).code == 3
    last = meshway("token", "revoke", "admin", *as_admin)
    assert (last.code, "the only admin" in last.err) == (5, True), last

    assert "everybody signs in" in meshway("check", "-v", "--gateway", mesh.admin, *as_admin).out
    verified = meshway("audit", "verify", *as_admin)
    assert verified.code == 0, verified
    row = verified.err.split()[-1]
    assert meshway("audit", "verify", "--expect", row, *as_admin).code == 0
    assert meshway("audit", "verify", "--expect", f"{row[:-1]}{'0' if row[-1] != '0' else '1'}", *as_admin).code == 1
    audited = meshway("audit", "list", *as_admin)
    assert "token:ed" in audited.out, "it was refused to make a token"
    assert "create token ed" in audited.out
    assert len(meshway("audit", "list", "--all", "-o", "jsonl", *as_admin).out.splitlines()) == int(
        row.partition(":")[0]
    )

    dead = mesh.pid("registry")
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: mesh.pid("registry") != dead, 30, what="another registry")
    assert mesh.ready["token"] == token
    wait_until(lambda: is_in_step(mesh, token), 30, what="the gateway follows again")


def is_in_step(mesh: Mesh, token: str) -> bool:
    try:
        answer = httpx.get(f"{mesh.registry}/v1/gateways", headers={"Authorization": f"Bearer {token}"})
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and any(gateway["live"] for gateway in answer.json()["items"])
