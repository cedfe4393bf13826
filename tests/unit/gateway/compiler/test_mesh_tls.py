import pytest

from gateway.compiler.mesh_tls import MeshTls
from meshway.model.mesh_settings import MeshSettings, Mtls
from meshway.model.namespace import Namespace

OF_MESH, OF_SHOP = "MeshSettings mesh/mesh", "Namespace mesh/shop"


@pytest.mark.parametrize(
    ("mesh", "shop", "by"),
    [
        (None, None, None),
        ("permissive", None, None),
        ("strict", None, OF_MESH),
        ("strict", "permissive", None),
        ("permissive", "strict", OF_SHOP),
        (None, "strict", OF_SHOP),
        ("strict", "strict", OF_SHOP),
    ],
)
def test_the_namespace_s_own_word_goes_before_the_mesh_s(mesh: Mtls | None, shop: Mtls | None, by: str | None) -> None:
    said = MeshTls(MeshSettings(mtls=mesh), {"shop": Namespace(mtls=shop)})
    assert said.said_by("shop") == by
    assert said.said_by("other") == (OF_MESH if mesh == "strict" else None)
