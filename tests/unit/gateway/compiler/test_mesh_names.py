import pytest

from gateway.compiler.diff import CompileError, Entry, ServiceKey
from gateway.compiler.mesh_names import mesh_names, mesh_service, read_aliases
from meshway.model.service import Service

ALIASES = {"library.example": ("shop", "books"), "library": ("shop", "books")}


@pytest.mark.parametrize(
    ("host", "namespace", "service"),
    [
        ("books", "shop", ("shop", "books")),
        ("Books.Shop", "other", ("shop", "books")),
        ("books.shop.mesh.", "other", ("shop", "books")),
        ("library.example", "other", ("shop", "books")),
        ("library", "shop", ("shop", "books")),
        ("library", "other", ("other", "library")),
    ],
)
def test_a_host_of_a_mesh_route_is_a_service(host: str, namespace: str, service: ServiceKey) -> None:
    assert mesh_service(host, namespace, ALIASES, "spec.hosts[0]") == service


def test_what_is_no_service_is_named_with_its_place() -> None:
    with pytest.raises(CompileError) as caught:
        mesh_service("a.b.c", "shop", ALIASES, "spec.hosts[2]")
    assert caught.value.path == "spec.hosts[2]"


def test_only_the_default_namespace_has_bare_names() -> None:
    assert list(mesh_names(("default", "a"))) == [b"a.default.mesh", b"a.default", b"a"]
    assert list(mesh_names(("shop", "a"))) == [b"a.shop.mesh", b"a.shop"]


def test_of_two_claims_to_an_alias_the_first_by_name_holds() -> None:
    entries = [Entry("Service", "shop", name, Service(aliases=("Lib.example",))) for name in ("b", "a")]
    assert read_aliases(entries) == {"lib.example": ("shop", "a")}
