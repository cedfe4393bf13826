"""Files of a certificate: whole or not there."""

from pathlib import Path

import pytest

from meshway.client.certificate_folder import IDENTITY, CertificateFolder
from meshway.client.credential import Credential, Key
from tests.unit.meshway.client.test_certificate import World


@pytest.fixture
async def kept(tmp_path: Path) -> tuple[CertificateFolder, Credential]:
    world = World(tmp_path / "identity")
    await world.keeper.step()
    return world.folder, world.changes[0]


async def test_what_was_written_is_read(kept: tuple[CertificateFolder, Credential]) -> None:
    folder, credential = kept
    found = folder.read()
    assert found is not None
    assert (found.key, found.certificate, found.roots) == (credential.key, credential.certificate, credential.roots)
    assert not [file for file in folder.path.iterdir() if file.name.startswith(".")]
    assert credential.key not in repr(credential)


async def test_the_key_of_one_and_the_certificate_of_another_are_nothing(
    kept: tuple[CertificateFolder, Credential],
) -> None:
    folder, credential = kept
    (folder.path / IDENTITY).write_text(Key().pem + credential.certificate)
    assert folder.read() is None


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "\xff"])
async def test_what_is_no_certificate_is_nothing(kept: tuple[CertificateFolder, Credential], text: str) -> None:
    folder, _ = kept
    (folder.path / IDENTITY).write_text(text, encoding="utf-8")
    assert folder.read() is None
    assert CertificateFolder(folder.path / "nowhere").read() is None
