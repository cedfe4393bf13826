"""Another master key for a store: what was sealed opens by it, and no longer by the former one."""

from pathlib import Path
from typing import Any

import pytest

from registry.running import open_core
from registry.settings import RegistrySettings, StartRefused
from tests.parts.command import Ended, meshway
from tests.parts.processes import ROOT
from tests.parts.registry import running_registry

AT = "/v1/namespaces/default/secrets/a"
SECRET = {"spec": {"type": "opaque", "data": {"k": "canary-1"}}}


def rewrap(*arguments: str, folder: Path) -> Ended:
    return meshway("registry", "rewrap", *arguments, cwd=folder, env={"PYTHONPATH": str(ROOT)})


async def opens(folder: Path, **settings: Any) -> bool:
    """Whether a registry starts, and what the Secret holds is told to gateways."""
    try:
        async with open_core(
            RegistrySettings(data_dir=folder, trusts_loopback=True, port=0, **settings),
            live_gateways=lambda: 0,
            behind=lambda _: (),
            die=lambda: None,
        ) as core:
            return core.view.document(("Secret", "default", "a")) is not None
    except StartRefused:
        return False


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_what_was_sealed_opens_by_the_new_key_alone(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    data, former, fresh = tmp_path / "data", tmp_path / "data" / "master.key", tmp_path / "new.key"
    where: tuple[str, ...] = ("--data", str(data))
    settings: dict[str, Any] = {}
    if kind == "postgres":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
        former = tmp_path / "former.key"
        former.write_bytes(b"Q" * 43 + b"=\n")
        former.chmod(0o600)
        settings["master_key_file"] = former
        where = ("--database-url", settings["database_url"], "--master-key-file", str(former))
    async with running_registry(data, **settings) as registry:
        assert (await registry.call("PUT", AT, SECRET)).status == 201
        if kind == "sqlite":
            running = rewrap(*where, "--to", str(fresh), folder=tmp_path)
            assert (running.code, "in use" in running.err) == (5, True), running.err
    other = tmp_path / "other.key"
    other.write_bytes(b"R" * 43 + b"=\n")
    other.chmod(0o600)
    wrong = rewrap(*where, "--master-key-file", str(other), "--to", str(fresh), folder=tmp_path)
    assert (wrong.code, "is not the one" in wrong.err) == (5, True), wrong.err
    assert await opens(data, **settings), "nothing has changed"
    done = rewrap(*where, "--to", str(fresh), folder=tmp_path)
    assert done.code == 0, done.err
    assert fresh.stat().st_mode & 0o777 == 0o600
    assert await opens(data, **settings | {"master_key_file": fresh})
    assert not await opens(data, **settings | {"master_key_file": former})
    async with running_registry(data, **settings | {"master_key_file": fresh}) as registry:
        again = await registry.call("PUT", AT, SECRET)
        assert again.status == 200, "the same contents: the fingerprint is of the same data key"
    again_former = rewrap(*where, "--to", str(fresh), folder=tmp_path)
    assert again_former.code == 5, again_former.err


def test_a_store_that_never_sealed_anything_says_so(tmp_path: Path) -> None:
    for name in ("a.key", "b.key"):
        (tmp_path / name).write_bytes(b"S" * 43 + b"=\n")
        (tmp_path / name).chmod(0o600)
    assert meshway("registry", "migrate", "--data", "data", cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}).code == 0
    told = rewrap("--data", "data", "--master-key-file", "a.key", "--to", "b.key", folder=tmp_path)
    assert (told.code, "has no key" in told.err) == (4, True), told.err
