from typing import Any

import msgspec

from meshway.model.document import Document, Metadata
from meshway.model.route import Route
from registry.insight.branching import Branch, branchings_of
from registry.insight.sight import Sight
from registry.view.rows import DocumentRow


def route(name: str, *rules: dict[str, Any], namespace: str = "shop") -> DocumentRow:
    spec = msgspec.convert({"hosts": ["x.example"], "rules": list(rules)}, Route)
    document = Document(kind="Route", metadata=Metadata(name=name, namespace=namespace), spec={})
    return DocumentRow(document, spec, 1, 0.0, 0.0, "lin", b"{}")


def to(service: str, weight: int = 1, **more: str) -> dict[str, Any]:
    return {"service": service, "weight": weight} | more


def test_a_split_is_told_at_each_service_that_gets_a_part() -> None:
    found = branchings_of([route("cart", {"destinations": [to("cart", 90, subset="v1"), to("basket", 30)]})])
    (branching,) = found["shop/cart"]
    assert (branching.route, branching.rule) == ("shop/cart", "0")
    assert branching.split == (
        Branch(service="shop/cart", subset="v1", share=0.75),
        Branch(service="shop/basket", share=0.25),
    )
    assert found["shop/basket"] == found["shop/cart"]


def test_one_way_is_no_split_and_a_weight_of_nothing_is_no_way() -> None:
    plain = {"destinations": [to("cart")]}
    off = {"destinations": [to("cart", 1, subset="v1"), to("cart", 0, subset="v2")]}
    assert branchings_of([route("cart", plain, off)]) == {}


def test_copies_are_told_where_the_calls_go_that_are_copied() -> None:
    mirror = [{"destination": to("audit", namespace="bank"), "percent": 5.0}]
    found = branchings_of([route("cart", {"name": "all", "destinations": [to("cart")], "mirror": mirror})])
    assert set(found) == {"shop/cart"}
    assert found["shop/cart"][0].mirror == (Branch(service="bank/audit", share=0.05),)
    assert (found["shop/cart"][0].rule, found["shop/cart"][0].split) == ("all", ())


def test_names_of_others_are_not_told() -> None:
    rows = [route("cart", {"destinations": [to("cart", 1), to("pay", 1, namespace="bank")]})]
    (branching,) = branchings_of(rows)["shop/cart"]
    seen = branching.seen_by(Sight(frozenset({"shop"})))
    assert seen is not None
    assert [branch.service for branch in seen.split] == ["shop/cart", "hidden"]
    assert branching.seen_by(Sight(frozenset({"bank"}))) is None
