"""How many must agree: by mesh and namespace, as they were before the write."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace
from meshway.problem import Problem
from registry.documents.approvals import NONE, WAIVED, Agreement, approvals_of, refuse_unapproved

if TYPE_CHECKING:
    from meshway.model.document import Spec
    from registry.view.rows import DocumentKey, DocumentRow

ROUTE, SECRET = ("Route", "shop", "cart"), ("Secret", "shop", "key")
RULE = ("Namespace", "mesh", "shop")


class Row:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec


class Held:
    def __init__(self, mesh: int = 0, **namespaces: int) -> None:
        self.rows: dict[DocumentKey, Row] = {
            ("Namespace", "mesh", name): Row(Namespace(approvals=approvals)) for name, approvals in namespaces.items()
        }
        self.rows["MeshSettings", "mesh", "mesh"] = Row(MeshSettings(approvals=mesh))

    def document(self, key: DocumentKey) -> DocumentRow | None:
        return cast("DocumentRow | None", self.rows.get(key))


@pytest.mark.parametrize(
    ("held", "key", "wanted"),
    [
        (Held(), ROUTE, 0),
        (Held(shop=2), ROUTE, 2),
        (Held(mesh=3, shop=2), ROUTE, 3),
        (Held(mesh=1), RULE, 1),
        (Held(shop=2), RULE, 2),
        (Held(mesh_=2), ("Route", "bank", "cart"), 0),
    ],
)
def test_the_larger_of_mesh_and_namespace_counts_and_a_rule_is_under_itself(
    held: Held, key: DocumentKey, wanted: int
) -> None:
    assert approvals_of([key], held) == wanted


def test_what_lacks_approval_is_refused_by_name_and_its_neighbour_is_not() -> None:
    held = Held(shop=1)
    refuse_unapproved([("Route", "bank", "cart")], held, NONE)
    refuse_unapproved([ROUTE], held, Agreement(people=1))
    refuse_unapproved([ROUTE, SECRET], held, WAIVED)
    with pytest.raises(Problem) as raised:
        refuse_unapproved([ROUTE, ("Route", "bank", "cart")], held, NONE)
    assert [error.document for error in raised.value.errors] == ["Route shop/cart"]
    assert (raised.value.status, raised.value.code) == (409, "needs_approval")


def test_a_secret_is_an_admins_alone_whoever_agreed() -> None:
    refuse_unapproved([SECRET], Held(shop=1), Agreement(is_admin=True))
    refuse_unapproved([SECRET], Held(), NONE)
    with pytest.raises(Problem):
        refuse_unapproved([SECRET], Held(shop=1), Agreement(people=5))
    with pytest.raises(Problem):
        refuse_unapproved([ROUTE], Held(shop=1), Agreement(is_admin=True))
