"""The mesh's authority through the command, with a registry of the module's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshway.client.certificate_folder import CertificateFolder
from tests.parts.command import Ended
from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.processes import Process, python

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    running = Registry(tmp_path_factory.mktemp("registry"))
    running.client.post("/v1/identity/authority", json={}).raise_for_status()
    yield running
    running.close()


def test_a_second_authority_is_refused_with_the_way_to_another_root(run: Run) -> None:
    again = run("ca", "init")
    assert again.code == 5
    assert "meshway ca rotate" in again.err


def test_issued_listed_revoked(run: Run, namespace: str, tmp_path: Path) -> None:
    subject = f"{namespace}/books"
    issued = run("ca", "issue", subject, "--out", "id")
    assert (issued.code, issued.out) == (0, ""), issued
    kept = CertificateFolder(tmp_path / "id").read()
    assert kept is not None
    assert kept.identity.text == f"spiffe://mesh.internal/ns/{namespace}/svc/books"
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "id").iterdir()}
    assert modes == {"identity.pem": 0o600, "key.pem": 0o600, "certificate.pem": 0o644, "roots.pem": 0o644}
    assert "BEGIN PRIVATE KEY" not in issued.err
    assert run("ca", "issue", subject, "--out", "id").code == 5
    assert "24h left" in run("ca", "list", subject).out
    assert run("ca", "revoke", subject).code == 2, "it asks"
    assert "1 certificate revoked" in run("ca", "revoke", subject, "--yes", "--reason", "lost").err
    (row,) = json.loads(run("ca", "list", subject, "-o", "json").out)["items"]
    assert row["reason"] == "lost"
    assert run("ca", "revoke", "--yes").code == 2


def test_a_change_of_the_root_tells_what_it_waits_for(run: Run) -> None:
    begun = run("ca", "rotate")
    assert "state trust_both" in begun.out
    waiting = run("ca", "rotate")
    assert waiting.code == 5
    assert "in which programs ask for the roots" in waiting.err
    assert "state settled" in run("ca", "rotate", "--back").out
    assert "state settled" in run("ca", "show").out


def test_the_roots_key_goes_into_a_file_and_another_intermediate_needs_it(run: Run, tmp_path: Path) -> None:
    taken = tmp_path / "there.key"
    taken.write_text("mine")
    assert run("ca", "take-root-key", "--out", "there.key", "--yes").code == 5
    assert "offline" not in run("ca", "show").out, "it was not given away"
    assert run("ca", "take-root-key", "--out", "root.key", "--yes").code == 0
    assert (tmp_path / "root.key").stat().st_mode & 0o777 == 0o600
    assert run("ca", "rotate", "intermediate").code == 5
    assert run("ca", "rotate", "intermediate", "--root-key", "root.key").code == 0


def test_an_agent_keeps_a_certificate_for_a_program(registry: Registry, namespace: str, tmp_path: Path) -> None:
    folder, token = tmp_path / "id", tmp_path / "token"
    made = registry.client.post("/v1/identity/enrolments", json={"subject": f"{namespace}/cart"}).json()
    token.write_text(made["token"])
    command = python("-m", "meshway.cli.main", "agent", "--dir", str(folder), "--registry", registry.url)
    agent = Process([*command, "--enrol-token-file", str(token), "--service-token"], tmp_path / "first.log")
    try:
        wait_until((folder / "service.token").exists, within_s=30.0)
        assert "svc/cart" in agent.text()
        kept = CertificateFolder(folder).read()
        signed = {"Authorization": f"Bearer {(folder / 'service.token').read_text()}"}
        answers = [
            registry.client.put(
                f"/v1/namespaces/{namespace}/services/{name}/instances/i1", json={"port": 9000}, headers=signed
            ).status_code
            for name in ("cart", "payments")
        ]
        assert answers[0] == 201
        assert answers[1] in (403, 404), "itself alone"
    finally:
        assert agent.stop() == 0
    token.unlink()
    again = Process(command, tmp_path / "second.log")
    try:
        wait_until(lambda: "svc/cart" in again.text(), within_s=30.0)
        assert kept is not None
        assert CertificateFolder(folder).read() == kept, "a restart needs no token"
    finally:
        again.stop()
