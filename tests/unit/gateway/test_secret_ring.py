"""What is read of Secrets that documents name."""

import pytest

from gateway.secret_ring import NEVER, Version, authorities
from meshway.snapshot import SecretContents, SecretFrame
from tests.parts.authority import Authority
from tests.parts.secrets import contents

ONE, TWO = Authority("One"), Authority("Two")


@pytest.mark.parametrize(
    ("versions", "wall_s", "found"),
    [
        (((None, ONE),), 1e9, (NEVER, (ONE,))),
        (((None, ONE), (2e9, TWO)), 1e9, (2e9, (ONE, TWO))),
        (((None, ONE), (2e9, TWO)), 2e9, (NEVER, (ONE,))),
        (((2e9, ONE),), 2e9, None),
    ],
)
def test_authorities_are_those_of_the_versions_that_are_accepted(
    versions: tuple[tuple[float | None, Authority], ...],
    wall_s: float,
    found: tuple[float, tuple[Authority, ...]] | None,
) -> None:
    told = [SecretContents(until, one.pem.decode().rstrip()) for until, one in versions]
    frame = SecretFrame(namespace="mesh", name="ca", type="ca_bundle", share_with=[], versions=told)
    wanted = None if found is None else Version(found[0], b"".join(one.pem for one in found[1]))
    assert authorities(frame, wall_s) == wanted


def test_what_is_no_authority_is_nobodys_word() -> None:
    assert authorities(None, 0.0) is None
    assert authorities(contents("ca", "opaque", {"a": "b"}), 0.0) is None
    told = contents("ca", "ca_bundle", ONE.issue("a.example").certificate.decode(), TWO.pem.decode(), lives_s=60.0)
    believed = authorities(told, 0.0)
    assert believed is not None
    assert believed.contents == TWO.pem
