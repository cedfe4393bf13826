import pytest

from registry.compat.nacos.names import PUBLIC, find_row, namespace_id_of, place_of, service_name, split_name
from tests.parts.registry_bench import Bench, written


def test_the_default_group_keeps_its_names_and_others_get_their_own() -> None:
    plain = place_of({"serviceName": "orders"})
    assert (plain.namespace, plain.service, plain.full, plain.kept) == (
        "default",
        "orders",
        "DEFAULT_GROUP@@orders",
        {},
    )
    assert place_of({"serviceName": "DEFAULT_GROUP@@orders", "groupName": "other"}) == plain
    blue = place_of({"serviceName": "orders", "groupName": "blue", "namespaceId": "n1"})
    assert blue == place_of({"serviceName": "blue@@orders", "namespaceId": "n1"})
    assert (blue.namespace, blue.full, list(blue.kept.values())) == ("n1", "blue@@orders", ["blue@@orders"])
    dubbo = place_of({"serviceName": "providers:com.example.Api:1.0:"})
    assert dubbo.service.startswith("default-group-providers-com-example-api-1-0-")
    assert dubbo.kept


def test_a_group_and_a_name_come_together_or_apart() -> None:
    assert split_name("a@@b@@c", "x") == ("a", "b@@c")
    assert split_name("b", "") == ("DEFAULT_GROUP", "b")


@pytest.mark.parametrize(("namespace", "shown"), [("default", PUBLIC), ("n1", "n1")])
def test_the_first_namespace_is_public_there(namespace: str, shown: str) -> None:
    assert namespace_id_of(namespace) == shown
    assert place_of({"serviceName": "a", "namespaceId": shown}).namespace == namespace


def test_a_name_comes_back_from_the_document_or_from_an_instance() -> None:
    bench = Bench()
    bench.register("books", "b1")
    assert service_name(bench.view, "default", "books") == "DEFAULT_GROUP@@books"
    bench.register("blue-orders", "o1", metadata={"nacos.service": "blue@@orders"})
    assert service_name(bench.view, "default", "blue-orders") == "blue@@orders"
    bench.apply(written("Service", "api", {}, annotations={"nacos.service": "DEFAULT_GROUP@@com.example.Api"}))
    assert service_name(bench.view, "default", "api") == "DEFAULT_GROUP@@com.example.Api"


def test_an_instance_of_another_protocol_is_found_by_its_address_unless_it_stands_in_a_cluster() -> None:
    bench = Bench()
    bench.register("books", "b1", port=9080)
    bench.register("books", "b2", port=9081, metadata={"nacos.cluster": "c1"})
    place = place_of({"serviceName": "books"})
    found = find_row(bench.view, place, "127.0.0.1", 9080, "DEFAULT")
    assert found is not None
    assert found.instance.id == "b1"
    assert find_row(bench.view, place, "127.0.0.1", 9080, "c1") is None
    assert find_row(bench.view, place, "127.0.0.1", 9081, "DEFAULT") is None
