"""Programs in Kubernetes enrol by the tokens of their service accounts."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from meshway.client.credential import Key, spiffe_id_of
from registry.settings import StartRefused
from tests.parts.authority import Authority
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_wire import Answer
from tests.parts.upstream import Received, RecordingUpstream

ROOT = Authority("Of the cluster")
ACCOUNT = "aaa.bbb.ccc"
OWN = "the-registry's-own"


class Cluster:
    """Its API, beyond the edge of this machine, answers TokenReviews. status: what it says of ACCOUNT; nobody has any
    other token."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}
        self.code = 201
        self.asked: list[dict[str, Any]] = []
        self.upstream = RecordingUpstream(pieces_of=self._answer)
        self.says("system:serviceaccount:shop:books")

    def says(self, username: str, *, authenticated: bool = True, audiences: tuple[str, ...] = ("meshway",)) -> None:
        self.status = {"authenticated": authenticated, "user": {"username": username}, "audiences": list(audiences)}

    def _answer(self, received: Received) -> list[bytes]:
        review = json.loads(received.body)
        self.asked.append(review)
        is_asked_well = (
            received.target == b"/apis/authentication.k8s.io/v1/tokenreviews"
            and received.values(b"authorization") == [f"Bearer {OWN}".encode()]
            and (review["kind"], review["spec"]["audiences"]) == ("TokenReview", ["meshway"])
        )
        status = self.status if review["spec"]["token"] == ACCOUNT else {"authenticated": False, "error": "unknown"}
        text = json.dumps(review | {"status": status}).encode()
        code = self.code if is_asked_well else 403
        return [b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (code, len(text)), text]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def serving(folder: Path, root: Authority = ROOT) -> ssl.SSLContext:
    issued = root.issue("127.0.0.1")
    (folder / "api.pem").write_bytes(issued.certificate + issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "api.pem")
    return context


@pytest.fixture
async def registry(tmp_path: Path, cluster: Cluster) -> AsyncIterator[RunningRegistry]:
    (tmp_path / "ca.crt").write_bytes(ROOT.pem)
    (tmp_path / "token").write_text(OWN)
    async with (
        cluster.upstream.running(serving(tmp_path)),
        running_registry(
            tmp_path,
            kubernetes_api=f"https://127.0.0.1:{cluster.upstream.port}",
            kubernetes_ca_file=tmp_path / "ca.crt",
            kubernetes_token_file=tmp_path / "token",
        ) as registry,
    ):
        await registry.core.identity.custody.begin("mesh.internal")
        yield registry


async def enrol(registry: RunningRegistry, token: str = ACCOUNT) -> Answer:
    return await registry.call("POST", "/v1/identity/enrol", {"token": token, "csr": Key().signing_request()})


async def test_an_account_gets_a_certificate_of_its_name_and_so_does_its_next_pod(registry: RunningRegistry) -> None:
    for _ in range(2):
        answer = await enrol(registry)
        assert answer.status == 201, answer
        leaf = x509.load_pem_x509_certificate(answer.json["certificate"].encode())
        assert spiffe_id_of(leaf).text == "spiffe://mesh.internal/ns/shop/svc/books"
    one_time = await registry.core.identity.enrolment.create("shop/films", by="ada")
    assert (await enrol(registry, one_time.token)).status == 201, "one-time tokens go on"


async def test_what_the_cluster_does_not_say_enrols_nobody(registry: RunningRegistry, cluster: Cluster) -> None:
    books = "system:serviceaccount:shop:books"
    assert (await enrol(registry, "x.y.z")).status == 401
    wrong: tuple[dict[str, Any], ...] = (
        {"username": books, "authenticated": False},
        {"username": books, "audiences": ()},
        {"username": books, "audiences": ("https://kubernetes.default.svc",)},
        {"username": "ada"},
        {"username": "system:node:one"},
        {"username": f"{books}:more"},
        {"username": "system:serviceaccount:shop:a.b"},
        {"username": "system:serviceaccount:shop:-"},
        {"username": "system:serviceaccount:gateway:books"},
        {"username": f"evil\n{books}"},
    )
    for says in wrong:
        cluster.says(**says)
        refused = await enrol(registry)
        assert refused.status == 401, (says, refused)
    cluster.says(books)
    assert (await enrol(registry)).status == 201


async def test_a_cluster_that_is_away_or_not_itself_is_said(
    registry: RunningRegistry, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.code = 500
    away = await enrol(registry)
    assert (away.status, away.json["code"], away.headers["retry-after"]) == (503, "cluster_away", "5")
    cluster.code = 201
    (tmp_path / "token").unlink()
    assert (await enrol(registry)).status == 503
    (tmp_path / "token").write_text(OWN)
    assert (await enrol(registry)).status == 201


async def test_another_authority_s_cluster_is_told_nothing(tmp_path: Path, cluster: Cluster) -> None:
    (tmp_path / "ca.crt").write_bytes(ROOT.pem)
    (tmp_path / "token").write_text(OWN)
    async with (
        cluster.upstream.running(serving(tmp_path, Authority("Another"))),
        running_registry(
            tmp_path,
            kubernetes_api=f"https://127.0.0.1:{cluster.upstream.port}",
            kubernetes_ca_file=tmp_path / "ca.crt",
            kubernetes_token_file=tmp_path / "token",
        ) as registry,
    ):
        await registry.core.identity.custody.begin("mesh.internal")
        assert (await enrol(registry)).status == 503
        assert cluster.asked == []


async def test_without_a_cluster_an_account_s_token_is_none(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        await registry.core.identity.custody.begin("mesh.internal")
        assert (await enrol(registry)).status == 401


async def test_a_cluster_without_tls_or_authority_stops_the_start(tmp_path: Path) -> None:
    for changes in ({"kubernetes_api": "http://127.0.0.1:1"}, {"kubernetes_api": "https://127.0.0.1:1"}):
        with pytest.raises(StartRefused):
            async with running_registry(tmp_path, kubernetes_ca_file=tmp_path / "none", **changes):
                pass
