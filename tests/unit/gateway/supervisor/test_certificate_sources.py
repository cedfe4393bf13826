"""Files of certificates on a real disk: read, judged, replaced, refused."""

from pathlib import Path
from typing import Any

import pytest

from gateway.channel import ChannelFrame, PairFrame, PairsWanted
from gateway.secret_ring import SecretRing
from gateway.supervisor.certificate_sources import CertificateSources
from meshway.snapshot import Change, SecretContents, SecretFrame
from tests.parts.authority import Authority, Issued
from tests.parts.changes import document, gone

ROOT = Authority()


class Bench:
    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "default"
        self.folder.mkdir()
        self.sent: list[ChannelFrame] = []
        self.refusals = 0
        self.secrets = SecretRing()
        self.files = CertificateSources(root, self.secrets, self.sent.append, self._refused)

    def _refused(self) -> None:
        self.refusals += 1

    def write(self, issued: Issued) -> None:
        (self.folder / "c.pem").write_bytes(issued.certificate)
        (self.folder / "k.pem").write_bytes(issued.key)

    async def apply(self, **fields: Any) -> None:
        self.files.take([document("Certificate", "shop", {"files": {"certificate": "c.pem", "key": "k.pem"}} | fields)])
        await self.files.refresh()

    def reasons(self) -> list[str]:
        return [refusal.reason for refusal in self.files.refused]

    def fingerprints(self) -> list[str]:
        return [frame.pair.fingerprint for frame in self.sent if isinstance(frame, PairFrame)]


@pytest.fixture
def on(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_sound_pair_is_sent_once_and_again_when_it_is_another(on: Bench) -> None:
    first, second = ROOT.issue("shop.example"), ROOT.issue("shop.example")
    on.write(first)
    await on.apply()
    await on.files.refresh()
    assert len(on.sent) == 1
    on.write(second)
    await on.files.refresh()
    assert len(on.fingerprints()) == 2
    assert [frame.pair.fingerprint for frame in on.files.frames() if isinstance(frame, PairFrame)] == [
        on.fingerprints()[1]
    ]


async def test_a_bad_pair_leaves_the_former_one_and_is_refused_until_it_is_mended(
    on: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    on.write(ROOT.issue("shop.example"))
    await on.apply()
    (on.folder / "k.pem").write_bytes(ROOT.issue("shop.example").key)
    await on.files.refresh()
    assert on.reasons() == ["the key is not the certificate's"]
    assert "Certificate default/shop: the key is not the certificate's, the former pair stays" in caplog.text
    assert len(on.files.frames()) == 1
    assert "PRIVATE" not in caplog.text
    on.write(ROOT.issue("shop.example"))
    await on.files.refresh()
    assert (on.reasons(), on.refusals, len(on.fingerprints())) == ([], 2, 2)


async def test_files_that_are_missing_or_elsewhere_are_refused(on: Bench) -> None:
    await on.apply()
    assert on.reasons() == [f"c.pem below {on.folder}: No such file or directory"]
    (on.folder / "c.pem").symlink_to("/etc/hostname")
    await on.files.refresh()
    assert on.reasons() == ["c.pem leads out of the folder of certificates"]


async def test_a_namespace_has_the_files_of_its_own_folder_and_the_mesh_all(on: Bench) -> None:
    on.write(ROOT.issue("shop.example"))
    (on.root / "linked").symlink_to(on.folder)
    own = {"files": {"certificate": "c.pem", "key": "k.pem"}}
    other = {"files": {"certificate": "default/c.pem", "key": "default/k.pem"}}
    for namespace, spec, reason in (
        ("shop", own, "namespace shop has no folder here"),
        ("shop", other, "namespace shop has no folder here"),
        ("linked", own, "namespace linked has no folder here"),
        ("default", own, ""),
        ("mesh", other, ""),
    ):
        on.files.replace([document("Certificate", "shop", spec, namespace)])
        await on.files.refresh()
        assert [each.partition(":")[0] for each in on.reasons()] == ([reason] if reason else [])


async def test_hosts_that_the_certificate_does_not_cover_are_refused(on: Bench) -> None:
    on.write(ROOT.issue("*.shop.example"))
    await on.apply(hosts=["a.shop.example", "shop.example"])
    assert on.reasons() == ["its names do not cover shop.example"]
    await on.apply(hosts=["a.shop.example"])
    assert on.reasons() == []


async def test_a_certificate_that_is_over_soon_is_told_once(on: Bench, caplog: pytest.LogCaptureFixture) -> None:
    on.write(ROOT.issue("shop.example", days=10.0, begins_days=-80.0))
    await on.apply()
    await on.files.refresh()
    assert caplog.text.count("is over in 10.0 days") == 1
    [(key, end)] = on.files.ends()
    assert (key, end > 0) == (("Certificate", "default", "shop"), True)


async def test_what_no_document_names_is_let_go(on: Bench) -> None:
    on.write(ROOT.issue("shop.example"))
    await on.apply()
    on.files.take([gone("Certificate", "shop")])
    assert on.sent[1:] == [PairsWanted(names=[])]
    await on.apply()
    on.files.replace([])
    assert on.files.frames() == []


async def test_a_pair_of_a_secret_is_sent_and_replaced_with_it(on: Bench) -> None:
    def hold(issued: Issued) -> None:
        data = {"certificate": issued.certificate.decode(), "private_key": issued.key.decode()}
        versions = [SecretContents(None, data)]
        on.secrets.take(SecretFrame(namespace="default", name="s", type="tls", share_with=[], versions=versions))

    on.files.take([document("Certificate", "shop", {"secret": "s"})])
    await on.files.refresh()
    assert on.reasons() == ['Secret "s" is not known here, or of another type']
    assert (on.files.refused[0].path, on.files.refused[0].is_pending) == ("spec.secret", False)
    for count in (1, 2):
        hold(ROOT.issue("shop.example"))
        await on.files.refresh()
        assert (on.reasons(), len(on.fingerprints())) == ([], count)


async def test_a_pair_that_the_mesh_has_issued_is_sent_and_replaced(on: Bench) -> None:
    on.files.take([document("Certificate", "shop", {"mesh_ca": {}, "hosts": ["shop.example"]})])
    await on.files.refresh()
    assert [(each.path, each.reason) for each in on.files.refused] == [("spec.mesh_ca", "the mesh has issued none yet")]
    assert [each.is_pending for each in on.files.refused] == [True]
    for count in (1, 2):
        issued = ROOT.issue("shop.example")
        data = {"certificate": issued.certificate.decode(), "private_key": issued.key.decode()}
        versions = [SecretContents(None, data)]
        name = "certificate:shop"
        on.secrets.take(SecretFrame(namespace="default", name=name, type="tls", share_with=[], versions=versions))
        await on.files.refresh()
        assert (on.reasons(), len(on.fingerprints())) == ([], count)
    assert [(each.name, each.fingerprint) for each in on.files.shown()] == [("shop", on.fingerprints()[1])]


async def test_an_end_is_told_as_early_as_the_document_says_and_again_when_it_is_critical(
    on: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    on.write(ROOT.issue("shop.example", days=30.0))
    for expiry, count in (({"warn": "24h"}, 0), ({"warn": "744h"}, 1), ({"warn": "744h", "critical": "740h"}, 2)):
        await on.apply(expiry=expiry)
        await on.files.refresh()
        assert caplog.text.count("is over in 30.0 days") == count
    assert [each.levelname for each in caplog.records if "is over" in each.message] == ["WARNING", "ERROR"]


async def test_of_two_for_one_host_with_one_kind_of_key_the_later_is_told(on: Bench) -> None:
    for name, issued in (
        ("a", ROOT.issue("shop.example", "a.example")),
        ("b", ROOT.issue("shop.example")),
        ("c", ROOT.issue("shop.example", rsa_bits=2048)),
    ):
        (on.folder / f"{name}.pem").write_bytes(issued.certificate)
        (on.folder / f"{name}.key").write_bytes(issued.key)

    def of(name: str, **fields: Any) -> Change:
        return document("Certificate", name, {"files": {"certificate": f"{name}.pem", "key": f"{name}.key"}} | fields)

    on.files.take([of("b"), of("a"), of("c")])
    await on.files.refresh()
    assert [(each.name, each.path) for each in on.files.refused] == [("b", "spec.hosts")]
    assert "Certificate default/a" in on.reasons()[0]
    assert on.refusals == 1
    on.files.take([of("a", hosts=["a.example"])])
    await on.files.refresh()
    assert (on.reasons(), on.refusals) == ([], 2)
    on.files.take([of("a"), of("b", listeners=["mesh-tls"])])
    await on.files.refresh()
    assert on.reasons() == []
