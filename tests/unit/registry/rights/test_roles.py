"""Each role holds what the one below it does."""

from itertools import pairwise

from registry.rights.roles import RIGHTS, RIGHTS_OF, ROLES, Role


def test_each_role_adds_to_the_one_before() -> None:
    order: tuple[Role, ...] = ("viewer", "operator", "editor", "namespace-admin", "admin")
    for lower, higher in pairwise(order):
        assert RIGHTS_OF[lower] < RIGHTS_OF[higher]
    assert RIGHTS_OF["admin"] == set(RIGHTS)
    assert set(RIGHTS_OF) == set(ROLES)


def test_who_reads_sees_neither_tokens_nor_backups_and_a_gateway_writes_nothing() -> None:
    assert not {right for right in RIGHTS_OF["viewer"] if right.startswith(("tokens", "backup", "feed"))}
    assert {right for right in RIGHTS_OF["gateway"] if right.endswith(":write")} == {"reports:write"}
